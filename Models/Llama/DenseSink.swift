import LoRA
public import Operations
import Storage
import Weights

/// Where a backward pass leaves the gradient of every parameter: gradient += scale · ∂loss/∂θ over
/// all rows. In a tangent pass it is the gradient's tangent along the direction.
public struct DenseSink<S: Kernel>: Sendable {
  /// Where the result is added.
  public let gradient: DenseTensors<S>
  /// The factor in front.
  public let scale: S

  /// Adds `scale` · the gradient to `gradient`.
  public init(gradient: DenseTensors<S>, scale: S) {
    self.gradient = gradient
    self.scale = scale
  }

  func collect(
    layer: Int, rows: Int, activations: Lane<BlockActivations<S>>, deltas: Lane<BlockDeltas<S>>,
    outputDelta: Lane<Matrix<S>>, engine: LlamaEngine<S>, norms: ResolvedNorms<S>,
    residuals: Lane<Matrix<S>>
  ) {
    for kind in LinearKind.allCases {
      let delta = kind == .down ? outputDelta : deltas.map { $0.outputDelta(of: kind) }
      if let target = gradient[.linear(layer: layer, kind)] {
        addProducts(
          delta, activations.map { $0.input(of: kind) }, into: target, engine: engine)
      }
      if let target = gradient[.bias(layer: layer, kind)] {
        let delta = delta.tangent ?? delta.primal
        for row in 0..<rows {
          Elementwise.addScaled(delta.rows(row..<row + 1), scale: scale, into: target)
        }
      }
    }
    addNorm(
      2 * layer, .inputNorm(layer: layer), 0..<rows, x: residuals, dy: deltas.map(\.normed),
      norms: norms, engine: engine)
    addNorm(
      2 * layer + 1, .postNorm(layer: layer), 0..<rows, x: activations.map(\.middle),
      dy: deltas.map(\.normedMiddle), norms: norms, engine: engine)
  }

  func collectHead(
    chunk: Range<Int>, normed: Lane<Matrix<S>>, logits: Lane<Matrix<S>>, input: Lane<Matrix<S>>,
    normedDelta: Lane<Matrix<S>>, norms: ResolvedNorms<S>, engine: LlamaEngine<S>
  ) {
    if let target = gradient[.head] {
      addProducts(logits, normed, into: target, engine: engine)
    }
    addNorm(
      2 * engine.weights.architecture.numHiddenLayers, .norm, chunk, offset: chunk.lowerBound,
      x: input, dy: normedDelta, norms: norms, engine: engine)
  }

  func collectEmbedding(ids: [Int32], delta: Lane<Matrix<S>>) {
    guard let target = gradient[.embedding] else { return }
    let delta = delta.tangent ?? delta.primal
    for (row, id) in ids.enumerated() {
      Elementwise.addScaled(
        delta.rows(row..<row + 1), scale: scale, into: target.rows(Int(id)..<Int(id) + 1))
    }
  }

  /// target += scale · δᵀ x, or its tangent δ̇ᵀ x + δᵀ ẋ; target has shape (out, in).
  private func addProducts(
    _ delta: Lane<Matrix<S>>, _ input: Lane<Matrix<S>>, into target: Matrix<S>,
    engine: LlamaEngine<S>
  ) {
    let workers = engine.workers
    workers.run { worker in
      let part = workers.part(worker, of: target.rows, grain: 16)
      func add(_ delta: Matrix<S>, _ input: Matrix<S>) {
        multiply(
          delta.columns(part), input, .first, into: target.rows(part), scale: scale, keep: 1)
      }
      guard let deltaTangent = delta.tangent, let inputTangent = input.tangent else {
        add(delta.primal, input.primal)
        return
      }
      add(deltaTangent, input.primal)
      add(delta.primal, inputTangent)
    }
  }

  private func addNorm(
    _ index: Int, _ key: ParameterKey, _ rows: Range<Int>, offset: Int = 0, x: Lane<Matrix<S>>,
    dy: Lane<Matrix<S>>, norms: ResolvedNorms<S>, engine: LlamaEngine<S>
  ) {
    guard let target = gradient[key] else { return }
    let sum = engine.normGradient
    sum.fill(0)
    if x.tangent == nil {
      norms.weightGradient(
        index, rows, offset: offset, x: x.primal, dy: dy.primal, into: sum, engine: engine)
    } else {
      norms.weightGradientTangent(
        index, rows, offset: offset, x: x, dy: dy, into: sum, engine: engine)
    }
    Elementwise.addScaled(sum, scale: scale, into: target)
  }
}
