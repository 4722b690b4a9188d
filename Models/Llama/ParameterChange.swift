public import LoRA
public import Operations
public import Storage

/// A change of the model's parameters, without a copy of them: θ − W, or a direction in θ.
///
/// Each part names the rows of activations that see it, so that one sweep can carry several
/// adapted models. Linears are indexed by ``LinearKind/place(in:)``.
public struct ParameterChange<S: Kernel>: Sendable {
  /// Low-rank changes of every linear, but adapters'.
  public var linears: [[LowRankUpdate<S>]]
  /// The adapters of every linear, each for other rows.
  public var adapters: [[AdapterUpdate<S>]]
  /// In a direction: how the adapters move, for every linear.
  public var moves: [[AdapterUpdate<S>.Move]]
  /// Changes of the LM head; their rows are scored rows (0 ..< n), not rows of activations.
  public var head: [LowRankUpdate<S>] = []
  /// Changes of the norms, indexed by 2 · layer (input), 2 · layer + 1 (post-attention) and
  /// 2 · layers (final).
  public var norms: [[VectorChange<S>]]
  /// Changes of the biases of q, k and v, indexed as linears.
  public var biases: [[VectorChange<S>]]
  /// Changes of embedding rows.
  public var embedding: [EmbeddingChange<S>] = []
  /// The stores that linears' updates read: their factors must be loaded layer by layer.
  var stores: [FactorStore<S>] = []

  /// No change of a model with `layers` blocks.
  public init(layers: Int) {
    linears = Array(repeating: [], count: layers * LinearKind.allCases.count)
    adapters = linears.map { _ in [] }
    moves = linears.map { _ in [] }
    biases = linears.map { _ in [] }
    norms = Array(repeating: [], count: 2 * layers + 1)
  }

  /// Adds the adapter's B·A to the linears, for the activations in `rows`.
  public mutating func add(
    _ adapter: AdapterTensors<S>, rows: Range<Int>, dropout: AdapterDropout? = nil
  ) {
    for entry in adapter.layout.entries {
      adapters[entry.kind.place(in: entry.layer)].append(
        adapter.update(entry, rows: rows, dropout: dropout))
    }
  }

  /// Moves the adapter that `rows` see along `scale` · `direction`, which means the direction
  /// s (Ḃ A + B Ȧ) for W.
  public mutating func add(
    moving direction: AdapterTensors<S>, scale: AdapterSink<S>.Scale, rows: Range<Int>
  ) {
    for (index, entry) in direction.layout.entries.enumerated() {
      moves[entry.kind.place(in: entry.layer)].append(
        .init(
          down: direction.down(entry), up: direction.up(entry), scale: scale[index], rows: rows))
    }
  }

  /// All changes of every linear, adapters' first.
  public var updates: [[LowRankUpdate<S>]] {
    zip(adapters, linears).map { adapters, linears in
      adapters.map {
        LowRankUpdate(down: $0.down, up: .outputFirst($0.up), scale: $0.scale, rows: $0.rows)
      } + linears
    }
  }

  /// Makes what the updates of block `layer` read readable.
  public func load(_ layer: Int, workers: Workers) {
    for store in stores { store.load(layer, workers: workers) }
  }

  /// The largest rank of any part but adapters: how wide the scratch of products must be.
  public var maxRank: Int {
    (linears.joined().map(\.rank) + head.map(\.rank)).max() ?? 0
  }

  /// The largest rank of an adapter.
  public var adapterRank: Int { adapters.joined().map(\.rank).max() ?? 0 }
}

/// A change of a vector parameter: `scale · values`, shape (1, width).
public struct VectorChange<S: Scalar>: Sendable {
  /// The values, shape (1, width).
  public let values: Matrix<S>
  /// The factor in front.
  public let scale: S
  /// The rows that see the change; scored rows for the final norm.
  public let rows: Range<Int>

  /// All values.
  public init(values: Matrix<S>, scale: S, rows: Range<Int>) {
    self.values = values
    self.scale = scale
    self.rows = rows
  }
}

/// A change of the embedding's rows by the factors that the LM head has, too: those of its use as
/// the embedding (`.oneHot`) and, where it is tied, those of its use as the head (`.rankFirst`).
public struct EmbeddingChange<S: Kernel>: Sendable {
  /// ΔE = scale · upᵀ down, shape (V, D); its rows are rows of activations.
  public let update: LowRankUpdate<S>
  private let uses: [Int32: [Int]]

  /// The change `update`, whose up is `.oneHot` or `.rankFirst`.
  public init(_ update: LowRankUpdate<S>) {
    self.update = update
    uses =
      if case .oneHot(let ids) = update.up {
        Dictionary(grouping: ids.indices, by: { ids[$0] })
      } else { [:] }
  }

  /// target += the change of the embedding of `id`; target has shape (1, D).
  func add(id: Int32, to target: Matrix<S>) {
    switch update.up {
    case .oneHot:
      for use in uses[id] ?? [] { add(factor: update.scale, use, to: target) }
    case .rankFirst(let up):
      for token in 0..<up.rows { add(factor: update.scale * up[token, Int(id)], token, to: target) }
    case .outputFirst(let up):
      for token in 0..<up.columns {
        add(factor: update.scale * up[Int(id), token], token, to: target)
      }
    case .identity: add(factor: update.scale, Int(id), to: target)
    }
  }

  private func add(factor: S, _ token: Int, to target: Matrix<S>) {
    Elementwise.addScaled(update.down.rows(token..<token + 1), scale: factor, into: target)
  }
}
