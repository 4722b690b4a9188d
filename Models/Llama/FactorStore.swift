import LoRA
public import Operations
public import Storage
import Weights

/// Which parameters an inner step moves.
public enum InnerParameters: String, CaseIterable, Codable, Sendable {
  /// The seven linears of every block.
  case linear
  /// Every parameter: linears, biases, norms, embedding and LM head.
  case all
}

/// The gradient of a loss in every parameter, as its factors: for a linear with inputs X (T, in)
/// and output gradients Δ (T, out) the gradient is Δᵀ X, and it is not built.
///
/// Zhang et al. 2025 move every parameter in the inner step; by this the step is an update of rank
/// T that costs T · (in + out) numbers a linear instead of in · out. A linear for which the dense
/// sums of all adapted models are fewer numbers than the factors is held as those sums.
public final class FactorStore<S: Kernel>: @unchecked Sendable {
  /// The factors of one block.
  struct Layer: Sendable {
    /// What the linears read, by ``input(of:)``; nil where no factored linear reads it.
    let inputs: [FactorMatrix<S>?]
    /// By ``LinearKind/index``: gradients of outputs; nil where the linear is held densely.
    let deltas: [FactorMatrix<S>?]
    /// By ``LinearKind/index``: Δᵀ X of each adapted model, (groups · out, in).
    let sums: [Matrix<S>?]

    /// Which of ``inputs`` a linear reads.
    static func input(of kind: LinearKind) -> Int {
      switch kind {
      case .query, .key, .value: 0
      case .output: 1
      case .gate, .up: 2
      case .down: 3
      }
    }
  }

  /// The sizes that a store must hold.
  public struct Limits: Sendable {
    /// Rows of a pass.
    public var rows: Int
    /// Scored rows of a pass.
    public var scored: Int
    /// Adapted models in a pass.
    public var groups: Int

    /// All sizes.
    public init(rows: Int, scored: Int, groups: Int) {
      self.rows = rows
      self.scored = scored
      self.groups = groups
    }
  }

  /// What is stored.
  public let parameters: InnerParameters
  let weights: LlamaWeights<S>
  private let arena: Arena
  let layers: [Layer]
  /// By norm, (groups, D).
  let normGradients: [Matrix<S>]
  /// By layer, for q, k and v, (groups, out).
  let biasGradients: [[Matrix<S>]]
  let headInput: Matrix<S>?
  let headDelta: Matrix<S>?
  let embeddingDelta: Matrix<S>?
  var ids: [Int32] = []
  /// The rows and scored rows of each adapted model in the pass that is being stored.
  private(set) var groups: [(rows: Range<Int>, scored: Range<Int>)] = []
  /// By pass, by adapted model: where its factors are.
  private var passes: [[(rows: Range<Int>, scored: Range<Int>)]] = []
  /// Where the factors of the pass that is being stored start.
  private(set) var start = (rows: 0, scored: 0)
  /// Whether the gradients of earlier passes stay.
  private(set) var isLater = false
  /// The layer whose factors are in the scratch, where they are stored as bf16.
  var loaded: Int?

  /// Room for `limits`. The factors of linears are stored as `storage` says; those of the head,
  /// the embedding, norms and biases exactly.
  public init(
    parameters: InnerParameters, weights: LlamaWeights<S>, limits: Limits,
    storage: FactorStorage = .f32, arena: Arena
  ) {
    let architecture = weights.architecture
    let hidden = architecture.hiddenSize
    let all = parameters == .all
    self.parameters = parameters
    self.weights = weights
    self.arena = arena
    func make(_ rows: Int, _ columns: Int) -> Matrix<S> {
      arena.matrix(rows, columns, for: .innerStep)
    }
    let isDense = LinearKind.allCases.map { kind in
      let (input, output) = kind.shape(in: architecture)
      return limits.groups * input * output < limits.rows * (input + output)
    }
    let inputKinds: [LinearKind] = [.query, .output, .gate, .down]
    let hasInput = inputKinds.indices.map { index in
      LinearKind.allCases.contains { Layer.input(of: $0) == index && !isDense[$0.index] }
    }
    func scratch(_ isUsed: Bool, _ columns: Int) -> Matrix<S>? {
      storage == .bf16 && isUsed ? make(limits.rows, columns) : nil
    }
    let inputScratch = inputKinds.enumerated().map {
      scratch(hasInput[$0], $1.shape(in: architecture).input)
    }
    let deltaScratch = LinearKind.allCases.map {
      scratch(!isDense[$0.index], $0.shape(in: architecture).output)
    }
    func factors(_ isUsed: Bool, _ columns: Int, _ scratch: Matrix<S>?) -> FactorMatrix<S>? {
      guard isUsed else { return nil }
      guard let scratch else { return FactorMatrix(exact: make(limits.rows, columns)) }
      return FactorMatrix(narrowIn: arena, scratch: scratch)
    }
    layers = (0..<architecture.numHiddenLayers).map { _ in
      Layer(
        inputs: inputKinds.enumerated().map {
          factors(hasInput[$0], $1.shape(in: architecture).input, inputScratch[$0])
        },
        deltas: LinearKind.allCases.map {
          factors(
            !isDense[$0.index], $0.shape(in: architecture).output, deltaScratch[$0.index])
        },
        sums: LinearKind.allCases.map { kind in
          let (input, output) = kind.shape(in: architecture)
          return isDense[kind.index] ? make(limits.groups * output, input) : nil
        })
    }
    normGradients =
      all
      ? (0..<2 * architecture.numHiddenLayers + 1).map { _ in make(limits.groups, hidden) } : []
    biasGradients =
      all && architecture.attentionBias
      ? (0..<architecture.numHiddenLayers).map { _ in
        LinearKind.allCases.prefix(3).map { make(limits.groups, $0.shape(in: architecture).output) }
      } : []
    headInput = all ? make(limits.scored, hidden) : nil
    headDelta = all ? make(limits.scored, architecture.vocabSize) : nil
    embeddingDelta = all ? make(limits.rows, hidden) : nil
  }

  /// The next pass has these adapted models. What is stored is forgotten or, where the next pass
  /// `isLater`, kept: the store then stands for the sum of the passes' gradients, and the limits hold
  /// for their rows together.
  public func begin(groups: [(rows: Range<Int>, scored: Range<Int>)], isLater: Bool = false) {
    self.groups = groups
    self.isLater = isLater
    loaded = nil
    if !isLater {
      passes = []
      ids = []
      for gradient in normGradients { gradient.fill(0) }
      for gradient in biasGradients.joined() { gradient.fill(0) }
    }
    let last = passes.last?.last
    start = (last?.rows.upperBound ?? 0, last?.scored.upperBound ?? 0)
    passes.append(
      groups.map { ($0.rows.shifted(by: start.rows), $0.scored.shifted(by: start.scored)) })
  }

  /// Makes the factors of `layer` readable for the updates that ``add(to:group:rows:scored:scale:)``
  /// made. Sweeps call it before they use a block's updates.
  func load(_ layer: Int, workers: Workers) {
    if loaded == layer { return }
    loaded = layer
    let rows = passes.last?.map(\.rows.upperBound).max() ?? 0
    for matrix in layers[layer].inputs + layers[layer].deltas {
      matrix?.load(rows, workers: workers)
    }
  }

  /// Adds `scale` · gradient of adapted model `group` to `change`, for the activations `rows` and
  /// the scored rows `scored` of the pass that runs under it.
  public func add(
    to change: inout ParameterChange<S>, group: Int, rows: Range<Int>, scored: Range<Int>,
    scale: (ParameterKey) -> S
  ) {
    if !change.stores.contains(where: { $0 === self }) { change.stores.append(self) }
    for (layer, factors) in layers.enumerated() {
      for kind in LinearKind.allCases {
        change.linears[kind.place(in: layer)] += updates(
          factors, kind, group: group, rows: rows, scale: scale(.linear(layer: layer, kind)))
      }
      for kind in biasGradients.isEmpty ? [] : Array(LinearKind.allCases.prefix(3)) {
        change.biases[kind.place(in: layer)].append(
          VectorChange(
            values: biasGradients[layer][kind.index].rows(group..<group + 1),
            scale: scale(.bias(layer: layer, kind)), rows: rows))
      }
    }
    for (index, gradient) in normGradients.enumerated() {
      let isFinal = index == normGradients.count - 1
      let key: ParameterKey =
        isFinal
        ? .norm
        : index % 2 == 0 ? .inputNorm(layer: index / 2) : .postNorm(layer: index / 2)
      change.norms[index].append(
        VectorChange(
          values: gradient.rows(group..<group + 1), scale: scale(key),
          rows: isFinal ? scored : rows))
    }
    for pass in passes {
      addVocabulary(of: pass[group], to: &change, rows: rows, scored: scored, scale: scale)
    }
  }

  /// The embedding's and the head's part of the gradient of one pass.
  private func addVocabulary(
    of source: (rows: Range<Int>, scored: Range<Int>), to change: inout ParameterChange<S>,
    rows: Range<Int>, scored: Range<Int>, scale: (ParameterKey) -> S
  ) {
    guard let headInput, let headDelta, let embeddingDelta else { return }
    let tied = weights.architecture.tieWordEmbeddings
    func asHead(_ rows: Range<Int>) -> LowRankUpdate<S> {
      LowRankUpdate(
        down: headInput.rows(source.scored), up: .rankFirst(headDelta.rows(source.scored)),
        scale: scale(tied ? .embedding : .head), rows: rows)
    }
    func asEmbedding(_ rows: Range<Int>) -> LowRankUpdate<S> {
      LowRankUpdate(
        down: embeddingDelta.rows(source.rows), up: .oneHot(Array(ids[source.rows])),
        scale: scale(.embedding), rows: rows)
    }
    change.head.append(asHead(scored))
    change.embedding.append(EmbeddingChange(asEmbedding(rows)))
    if tied {
      change.head.append(asEmbedding(scored))
      change.embedding.append(EmbeddingChange(asHead(rows)))
    }
  }

  /// What the passes' gradients change in a linear: an update for each, or their one dense sum.
  private func updates(
    _ factors: Layer, _ kind: LinearKind, group: Int, rows: Range<Int>, scale: S
  ) -> [LowRankUpdate<S>] {
    guard let input = factors.inputs[Layer.input(of: kind)], let delta = factors.deltas[kind.index]
    else {
      if passes.isEmpty { return [] }
      let output = kind.shape(in: weights.architecture).output
      guard let sum = factors.sums[kind.index] else {
        preconditionFailure("a linear is held as factors or as their sum")
      }
      return [
        LowRankUpdate(
          down: sum.rows(group * output..<(group + 1) * output), up: .identity, scale: scale,
          rows: rows)
      ]
    }
    return passes.map { pass in
      LowRankUpdate(
        down: input.values.rows(pass[group].rows),
        up: .rankFirst(delta.values.rows(pass[group].rows)), scale: scale, rows: rows)
    }
  }
}

extension Range<Int> {
  func shifted(by offset: Int) -> Range<Int> { lowerBound + offset..<upperBound + offset }
}
