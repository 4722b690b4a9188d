public import LoRA
public import Operations
public import Storage

/// Where a backward pass leaves the gradient of the adapter that `rows` see: gradient =
/// keep · gradient + scale · ∂loss/∂(A, B) for the loss of `rows`. In a tangent pass it is the
/// gradient's tangent along the direction.
///
/// It may be the adapter itself, or the direction: a block's part is written when the pass has left
/// the block, and nothing below reads it.
public struct AdapterSink<S: Kernel>: Sendable {
  /// The activations of one adapted model.
  public let rows: Range<Int>
  /// Where the result is left.
  public let gradient: AdapterTensors<S>
  /// What is kept of the gradient: 1 adds to it, 0 replaces it; 1 in a tangent pass.
  public let keep: S
  /// The factor in front of each entry's gradient: one for all, or (A, B) for every entry.
  public let scale: Scale
  /// What the pass left out of the inputs of A; not in a tangent pass.
  public let dropout: AdapterDropout?
  /// Where ⟨∂loss/∂A, A⟩ goes, which is also ⟨∂loss/∂B, B⟩, of every entry: shape (1, entries).
  public let products: Matrix<S>?

  /// A factor for all tensors, or one for each.
  public enum Scale: Sendable {
    /// The same everywhere.
    case all(S)
    /// For A and B of each entry of the layout.
    case each([(down: S, up: S)])

    /// The factors of the entry `index`.
    subscript(index: Int) -> (down: S, up: S) {
      switch self {
      case .all(let value): (value, value)
      case .each(let values): values[index]
      }
    }
  }

  /// All values.
  public init(
    rows: Range<Int>, gradient: AdapterTensors<S>, keep: S = 1, scale: Scale,
    dropout: AdapterDropout? = nil, products: Matrix<S>? = nil
  ) {
    self.rows = rows
    self.gradient = gradient
    self.keep = keep
    self.scale = scale
    self.dropout = dropout
    self.products = products
  }
}

/// What a backward or a tangent pass collects on its way down.
public struct GradientCollector<S: Kernel>: Sendable {
  /// Gradients of adapters.
  public var adapters: [AdapterSink<S>]
  /// The factors of the gradients of all parameters.
  public var factors: FactorStore<S>?
  /// The gradients of all parameters themselves.
  public var dense: DenseSink<S>?

  /// Collects for `adapters`, `factors` and `dense`.
  public init(
    adapters: [AdapterSink<S>] = [], factors: FactorStore<S>? = nil, dense: DenseSink<S>? = nil
  ) {
    self.adapters = adapters
    self.factors = factors
    self.dense = dense
  }

  func collect(
    layer: Int, rows: Int, activations: Lane<BlockActivations<S>>, deltas: Lane<BlockDeltas<S>>,
    outputDelta: Lane<Matrix<S>>, engine: LlamaEngine<S>, norms: ResolvedNorms<S>,
    residuals: Lane<Matrix<S>>
  ) {
    var products: [TransposedProduct<S>] = []
    for sink in adapters {
      for (index, entry) in sink.gradient.layout.entries.enumerated() where entry.layer == layer {
        let input = activations.map { $0.input(of: entry.kind) }
        let delta =
          entry.kind == .down ? outputDelta : deltas.map { $0.outputDelta(of: entry.kind) }
        let reduced = activations.map { $0.reduced(at: entry.kind, rank: entry.rank) }
        let projected = deltas.map { $0.reduced(at: entry.kind, rank: entry.rank) }
        guard let dropout = sink.dropout else {
          products += sink.products(
            index, entry, input: input, reduced: reduced, delta: delta, projected: projected)
          continue
        }
        let masked = engine.masked(
          input.primal, rows: sink.rows, by: dropout.mask(layer: layer, kind: entry.kind))
        TransposedProduct.accumulate(
          sink.products(
            index, entry, input: Lane(masked), reduced: reduced, delta: delta,
            projected: projected), workers: engine.workers)
      }
    }
    TransposedProduct.accumulate(products, workers: engine.workers)
    factors?.store(
      layer: layer, activations: activations.primal, deltas: deltas.primal,
      outputDelta: outputDelta.primal, engine: engine, norms: norms, residual: residuals.primal)
    dense?.collect(
      layer: layer, rows: rows, activations: activations, deltas: deltas, outputDelta: outputDelta,
      engine: engine, norms: norms, residuals: residuals)
  }

  func collectHead(
    chunk: Range<Int>, normed: Lane<Matrix<S>>, logits: Lane<Matrix<S>>, input: Lane<Matrix<S>>,
    normedDelta: Lane<Matrix<S>>, norms: ResolvedNorms<S>, engine: LlamaEngine<S>
  ) {
    factors?.storeHead(
      chunk: chunk, normed: normed.primal, logits: logits.primal, input: input.primal,
      normedDelta: normedDelta.primal, norms: norms, engine: engine)
    dense?.collectHead(
      chunk: chunk, normed: normed, logits: logits, input: input, normedDelta: normedDelta,
      norms: norms, engine: engine)
  }

  func collectEmbedding(ids: [Int32], delta: Lane<Matrix<S>>) {
    factors?.storeEmbedding(ids: ids, delta: delta.primal)
    dense?.collectEmbedding(ids: ids, delta: delta)
  }
}

extension AdapterSink {
  /// dA = s pᵀ x and dB = s δᵀ u of one linear, or their tangents s (ṗᵀ x + pᵀ ẋ) and
  /// s (δ̇ᵀ u + δᵀ u̇).
  fileprivate func products(
    _ index: Int, _ entry: AdapterLayout.Entry, input: Lane<Matrix<S>>, reduced: Lane<Matrix<S>>,
    delta: Lane<Matrix<S>>, projected: Lane<Matrix<S>>
  ) -> [TransposedProduct<S>] {
    let factor = scale[index]
    func down(_ projected: Matrix<S>, _ input: Matrix<S>) -> TransposedProduct<S> {
      TransposedProduct(
        left: projected.rows(rows), right: input.rows(rows), scale: S(entry.scale) * factor.down,
        target: gradient.down(entry), keep: keep)
    }
    func up(_ delta: Matrix<S>, _ reduced: Matrix<S>) -> TransposedProduct<S> {
      TransposedProduct(
        left: delta.rows(rows), right: reduced.rows(rows), scale: S(entry.scale) * factor.up,
        target: gradient.up(entry), keep: keep)
    }
    guard let inputTangent = input.tangent, let reducedTangent = reduced.tangent,
      let deltaTangent = delta.tangent, let projectedTangent = projected.tangent
    else {
      products?[0, index] = S(
        entry.scale * Elementwise.dot(projected.primal.rows(rows), reduced.primal.rows(rows)))
      return [down(projected.primal, input.primal), up(delta.primal, reduced.primal)]
    }
    return [
      down(projectedTangent, input.primal), down(projected.primal, inputTangent),
      up(deltaTangent, reduced.primal), up(delta.primal, reducedTangent),
    ]
  }
}

extension BlockActivations {
  /// What a linear reads.
  func input(of kind: LinearKind) -> Matrix<S> {
    switch kind {
    case .query, .key, .value: normed
    case .output: attended
    case .gate, .up: normedMiddle
    case .down: product
    }
  }

  /// Among deltas: the gradient of what a linear writes, for all but `down`.
  func outputDelta(of kind: LinearKind) -> Matrix<S> {
    switch kind {
    case .query: query
    case .key: key
    case .value: value
    case .output: middle
    case .gate: gate
    case .up: up
    case .down: preconditionFailure("the gradient of the block's output is carried beside")
    }
  }
}
