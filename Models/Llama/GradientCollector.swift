public import LoRA
public import Operations
public import Storage

/// Where a backward pass leaves an adapter's gradient: gradient = keep · gradient +
/// scale · ∂loss/∂(A, B) for the loss of `rows`. In a tangent pass it is the gradient's tangent
/// along the direction.
///
/// The gradient may be the adapter itself: a block's part is written when the pass has left the
/// block, and nothing below reads it.
public struct AdapterSink<S: Kernel>: Sendable {
  /// The activations of one adapted model.
  public let rows: Range<Int>
  /// A and B.
  public let adapter: AdapterTensors<S>
  /// Ȧ and Ḃ, where the tangent pass moves the adapter itself.
  public let direction: AdapterTensors<S>?
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
  }

  /// All values.
  public init(
    rows: Range<Int>, adapter: AdapterTensors<S>, direction: AdapterTensors<S>? = nil,
    gradient: AdapterTensors<S>, keep: S = 1, scale: Scale, dropout: AdapterDropout? = nil,
    products: Matrix<S>? = nil
  ) {
    self.rows = rows
    self.adapter = adapter
    self.direction = direction
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
    var terms: [AdapterGradientTerm<S>] = []
    for sink in adapters {
      for (index, entry) in sink.adapter.layout.entries.enumerated() where entry.layer == layer {
        let input = activations.map { $0.input(of: entry.kind) }
        let delta =
          entry.kind == .down ? outputDelta : deltas.map { $0.outputDelta(of: entry.kind) }
        guard let dropout = sink.dropout else {
          terms += sink.terms(index, entry, input: input, delta: delta)
          continue
        }
        let masked = engine.masked(
          input.primal, rows: sink.rows, by: dropout.mask(layer: layer, kind: entry.kind))
        AdapterGradientTerm.accumulate(
          sink.terms(index, entry, input: Lane(masked), delta: delta),
          scratch: engine.gradientScratch, workers: engine.workers)
      }
    }
    AdapterGradientTerm.accumulate(
      terms, scratch: engine.gradientScratch, workers: engine.workers)
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
  fileprivate func terms(
    _ index: Int, _ entry: AdapterLayout.Entry, input: Lane<Matrix<S>>, delta: Lane<Matrix<S>>
  ) -> [AdapterGradientTerm<S>] {
    let factor: (down: S, up: S) =
      switch scale {
      case .all(let value): (value, value)
      case .each(let values): values[index]
      }
    func term(
      _ delta: Matrix<S>, _ input: Matrix<S>, _ tensors: AdapterTensors<S>
    ) -> AdapterGradientTerm<S> {
      AdapterGradientTerm(
        delta: delta.rows(rows), input: input.rows(rows), down: tensors.down(entry),
        up: tensors.up(entry), downScale: S(entry.scale) * factor.down,
        upScale: S(entry.scale) * factor.up, downGradient: gradient.down(entry),
        upGradient: gradient.up(entry), keep: keep, product: products?.columns(index..<index + 1))
    }
    guard let inputTangent = input.tangent, let deltaTangent = delta.tangent else {
      return [term(delta.primal, input.primal, adapter)]
    }
    var result = [
      term(deltaTangent, input.primal, adapter), term(delta.primal, inputTangent, adapter),
    ]
    if let direction { result.append(term(delta.primal, input.primal, direction)) }
    return result
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
