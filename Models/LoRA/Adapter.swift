public import Operations
public import Storage
public import Weights

/// Where each tensor of an adapter is in one flat buffer.
public struct AdapterLayout: Sendable {
  /// One adapted linear.
  public struct Entry: Sendable {
    /// Its block.
    public let layer: Int
    /// Which linear of the block.
    public let kind: LinearKind
    /// r.
    public let rank: Int
    /// Features.
    public let input: Int
    /// Features.
    public let output: Int
    /// The factor in front of B·A.
    public let scale: Double
    /// Where A, shape (r, in), starts; B, shape (out, r), follows.
    public let offset: Int

    /// The number of elements of A.
    public var downCount: Int { rank * input }
    /// The number of elements of A and B.
    public var count: Int { rank * (input + output) }
    /// Name of A, as golden values and checkpoints have it.
    public var downName: String { "layers.\(layer).\(kind.rawValue).lora_A" }
    /// Name of B.
    public var upName: String { "layers.\(layer).\(kind.rawValue).lora_B" }
  }

  /// The configuration that the layout follows.
  public let configuration: AdapterConfiguration
  /// The model's shape.
  public let architecture: Architecture
  /// The adapted linears, block by block in order of use.
  public let entries: [Entry]
  /// The number of parameters.
  public let count: Int
  /// Index into ``entries`` by ``LinearKind/place(in:)``, or -1.
  private let places: [Int]

  /// The layout of an adapter for `architecture`.
  public init(_ configuration: AdapterConfiguration, architecture: Architecture) {
    var entries: [Entry] = []
    var places: [Int] = []
    var offset = 0
    let ranks = ModulePatterns(configuration.rankPattern)
    let alphas = ModulePatterns(configuration.alphaPattern)
    for layer in 0..<architecture.numHiddenLayers {
      for kind in LinearKind.allCases {
        guard configuration.targetModules.contains(kind) else {
          places.append(-1)
          continue
        }
        let (input, output) = kind.shape(in: architecture)
        let name = AdapterConfiguration.moduleName(layer: layer, kind: kind)
        let rank = ranks.first(for: name)?.value ?? configuration.rank
        let alpha = alphas.first(for: name)?.value ?? configuration.alpha
        let divisor = configuration.useRSLoRA ? Double(rank).squareRoot() : Double(rank)
        let entry = Entry(
          layer: layer, kind: kind, rank: rank, input: input, output: output,
          scale: alpha / divisor, offset: offset)
        places.append(entries.count)
        entries.append(entry)
        offset += entry.count
      }
    }
    self.configuration = configuration
    self.architecture = architecture
    self.entries = entries
    self.places = places
    count = offset
  }

  /// The entry of a linear, or nil where it carries no adapter.
  public func entry(layer: Int, kind: LinearKind) -> Entry? {
    let place = places[kind.place(in: layer)]
    return place < 0 ? nil : entries[place]
  }

  /// The largest rank.
  public var maxRank: Int { entries.map(\.rank).max() ?? 0 }
  /// The shape in words: `210 linears of rank 8`.
  public var summary: String { "\(entries.count) linears of rank \(maxRank)" }
}

/// Numbers in the shape of an adapter: parameters, a gradient, a direction or a moment.
public struct AdapterTensors<S: Scalar>: Sendable {
  /// Where each tensor is.
  public let layout: AdapterLayout
  /// All elements, shape (1, count).
  public let flat: Matrix<S>
  /// The buffer's owner.
  private let arena: Arena

  /// Zeros in `arena`.
  public init(layout: AdapterLayout, arena: Arena, for component: MemoryComponent) {
    self.layout = layout
    self.arena = arena
    flat = arena.matrix(1, max(layout.count, 1), for: component)
  }

  /// A, shape (r, in).
  public func down(_ entry: AdapterLayout.Entry) -> Matrix<S> {
    Matrix(flat.pointer + entry.offset, rows: entry.rank, columns: entry.input)
  }

  /// B, shape (out, r).
  public func up(_ entry: AdapterLayout.Entry) -> Matrix<S> {
    Matrix(
      flat.pointer + entry.offset + entry.downCount, rows: entry.output, columns: entry.rank)
  }
}

extension AdapterTensors where S: Kernel {
  /// The change that A and B make to their linear, for the activations in `rows`.
  public func update(
    _ entry: AdapterLayout.Entry, rows: Range<Int>, dropout: AdapterDropout? = nil
  ) -> AdapterUpdate<S> {
    AdapterUpdate(
      down: down(entry), up: up(entry), scale: S(entry.scale), rows: rows,
      dropout: dropout?.mask(layer: entry.layer, kind: entry.kind))
  }
}
