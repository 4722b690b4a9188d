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
/// and output gradients Δ (T, out) the gradient is Δᵀ X, and it is never built.
///
/// Zhang et al. 2025 move every parameter in the inner step; by this the step is an update of rank
/// T that costs T · (in + out) numbers a linear instead of in · out.
public final class FactorStore<S: Kernel>: @unchecked Sendable {
  /// What is stored.
  public let parameters: InnerParameters
  private let weights: LlamaWeights<S>
  private let arena: Arena
  /// By layer: inputs, and outputs' gradients with that of the block's output.
  private let inputs:
    [(normed: Matrix<S>, attended: Matrix<S>, middle: Matrix<S>, product: Matrix<S>)]
  private let deltas: [[Matrix<S>]]
  /// By norm, (groups, D).
  private let normGradients: [Matrix<S>]
  private let normScratch: [Matrix<S>]
  private let biasGradients: [[Matrix<S>]]
  private let headInput: Matrix<S>?
  private let headDelta: Matrix<S>?
  private let embeddingDelta: Matrix<S>?
  private var ids: [Int32] = []
  /// The rows and scored rows of each adapted model.
  private var groups: [(rows: Range<Int>, scored: Range<Int>)] = []

  /// Room for `capacity` rows with `scored` scored rows and `groups` adapted models at once.
  public init(
    parameters: InnerParameters, weights: LlamaWeights<S>, capacity: Int, scored: Int, groups: Int,
    arena: Arena
  ) {
    let architecture = weights.architecture
    self.parameters = parameters
    self.weights = weights
    self.arena = arena
    func make(_ rows: Int, _ columns: Int) -> Matrix<S> {
      arena.matrix(rows, columns, for: .innerStep)
    }
    let hidden = architecture.hiddenSize
    let heads = architecture.numAttentionHeads * architecture.headDim
    inputs = (0..<architecture.numHiddenLayers).map { _ in
      (
        make(capacity, hidden), make(capacity, heads), make(capacity, hidden),
        make(capacity, architecture.intermediateSize)
      )
    }
    deltas = (0..<architecture.numHiddenLayers).map { _ in
      LinearKind.allCases.map { make(capacity, $0.shape(in: architecture).output) }
    }
    let all = parameters == .all
    normGradients =
      all ? (0..<2 * architecture.numHiddenLayers + 1).map { _ in make(groups, hidden) } : []
    normScratch = all ? [make(max(capacity, 1), hidden)] : []
    biasGradients =
      all && architecture.attentionBias
      ? (0..<architecture.numHiddenLayers).map { _ in
        LinearKind.allCases.prefix(3).map { make(groups, $0.shape(in: architecture).output) }
      } : []
    headInput = all ? make(scored, hidden) : nil
    headDelta = all ? make(scored, architecture.vocabSize) : nil
    embeddingDelta = all ? make(capacity, hidden) : nil
  }

  /// Forgets what is stored; the next pass has these adapted models.
  public func begin(groups: [(rows: Range<Int>, scored: Range<Int>)]) {
    self.groups = groups
    for gradient in normGradients { gradient.fill(0) }
    for gradient in biasGradients.joined() { gradient.fill(0) }
  }

  func store(
    layer: Int, activations: BlockActivations<S>, deltas blockDeltas: BlockDeltas<S>,
    outputDelta: Matrix<S>, engine: LlamaEngine<S>, norms: ResolvedNorms<S>, residual: Matrix<S>
  ) {
    let rows = 0..<residual.rows
    let input = inputs[layer]
    input.normed.rows(rows).copy(from: activations.normed)
    input.attended.rows(rows).copy(from: activations.attended)
    input.middle.rows(rows).copy(from: activations.normedMiddle)
    input.product.rows(rows).copy(from: activations.product)
    for kind in LinearKind.allCases {
      let delta = kind == .down ? outputDelta : blockDeltas.outputDelta(of: kind)
      deltas[layer][kind.index].rows(rows).copy(from: delta)
    }
    guard parameters == .all else { return }
    for (place, group) in groups.enumerated() {
      let target = place..<place + 1
      normGradient(
        2 * layer, group.rows, x: residual, dy: blockDeltas.normed,
        into: normGradients[2 * layer].rows(target), norms: norms, epsilon: engine.epsilon)
      normGradient(
        2 * layer + 1, group.rows, x: activations.middle, dy: blockDeltas.normedMiddle,
        into: normGradients[2 * layer + 1].rows(target), norms: norms, epsilon: engine.epsilon)
      if biasGradients.isEmpty { continue }
      for kind in LinearKind.allCases.prefix(3) {
        let sum = biasGradients[layer][kind.index].rows(target)
        let delta = blockDeltas.outputDelta(of: kind)
        for row in group.rows { Elementwise.add(delta.rows(row..<row + 1), into: sum) }
      }
    }
  }

  func storeHead(
    chunk: Range<Int>, normed: Matrix<S>, logits: Matrix<S>, input: Matrix<S>,
    normedDelta: Matrix<S>, norms: ResolvedNorms<S>, engine: LlamaEngine<S>
  ) {
    guard let headInput, let headDelta, let final = normGradients.last else { return }
    headInput.rows(chunk).copy(from: normed)
    headDelta.rows(chunk).copy(from: logits)
    for (place, group) in groups.enumerated() {
      let scored = group.scored.clamped(to: chunk)
      if scored.isEmpty { continue }
      norms.each(normGradients.count - 1, in: scored) { range, part in
        let local = range.lowerBound - chunk.lowerBound..<range.upperBound - chunk.lowerBound
        RMSNorm.backward(
          x: input.rows(local), weight: part.weight, epsilon: engine.epsilon,
          dy: normedDelta.rows(local), dx: normScratch[0].rows(0..<local.count),
          weightGradient: final.rows(place..<place + 1))
      }
    }
  }

  func storeEmbedding(ids: [Int32], delta: Matrix<S>) {
    self.ids = ids
    embeddingDelta?.rows(0..<ids.count).copy(from: delta)
  }

  private func normGradient(
    _ index: Int, _ rows: Range<Int>, x: Matrix<S>, dy: Matrix<S>, into gradient: Matrix<S>,
    norms: ResolvedNorms<S>, epsilon: S
  ) {
    norms.each(index, in: rows) { range, part in
      RMSNorm.backward(
        x: x.rows(range), weight: part.weight, epsilon: epsilon, dy: dy.rows(range),
        dx: normScratch[0].rows(0..<range.count), weightGradient: gradient)
    }
  }

  /// Adds `scale` · gradient of adapted model `group` to `change`, for the activations `rows` and
  /// the scored rows `scored` of the pass that runs under it.
  public func add(
    to change: inout ParameterChange<S>, group: Int, scale: S, rows: Range<Int>, scored: Range<Int>
  ) {
    let source = groups[group]
    for layer in inputs.indices {
      for kind in LinearKind.allCases {
        let input = inputs[layer]
        let down =
          switch kind {
          case .query, .key, .value: input.normed
          case .output: input.attended
          case .gate, .up: input.middle
          case .down: input.product
          }
        change.linears[layer * LinearKind.allCases.count + kind.index].append(
          LowRankUpdate(
            down: down.rows(source.rows),
            up: .rankFirst(deltas[layer][kind.index].rows(source.rows)), scale: scale, rows: rows))
      }
      for kind in biasGradients.isEmpty ? [] : Array(LinearKind.allCases.prefix(3)) {
        change.biases[layer * LinearKind.allCases.count + kind.index].append(
          VectorChange(
            values: biasGradients[layer][kind.index].rows(group..<group + 1), scale: scale,
            rows: rows))
      }
    }
    guard let headInput, let headDelta, let embeddingDelta else { return }
    for (index, gradient) in normGradients.enumerated() {
      change.norms[index].append(
        VectorChange(
          values: gradient.rows(group..<group + 1), scale: scale,
          rows: index == normGradients.count - 1 ? scored : rows))
    }
    let asHead = { (rows: Range<Int>) in
      LowRankUpdate<S>(
        down: headInput.rows(source.scored), up: .rankFirst(headDelta.rows(source.scored)),
        scale: scale, rows: rows)
    }
    let asEmbedding = { (rows: Range<Int>) in
      LowRankUpdate<S>(
        down: embeddingDelta.rows(source.rows), up: .oneHot(Array(self.ids[source.rows])),
        scale: scale, rows: rows)
    }
    change.head.append(asHead(scored))
    change.embedding.append(EmbeddingChange(asEmbedding(rows)))
    if weights.architecture.tieWordEmbeddings {
      change.head.append(asEmbedding(scored))
      change.embedding.append(EmbeddingChange(asHead(rows)))
    }
  }
}
