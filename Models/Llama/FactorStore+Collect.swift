import LoRA
import Operations
import Storage

/// What a backward pass leaves in a store on its way down.
extension FactorStore {
  func store(
    layer: Int, activations: BlockActivations<S>, deltas: BlockDeltas<S>, outputDelta: Matrix<S>,
    engine: LlamaEngine<S>, norms: ResolvedNorms<S>, residual: Matrix<S>
  ) {
    let factors = layers[layer]
    loaded = nil
    for kind in [LinearKind.query, .output, .gate, .down] {
      factors.inputs[Layer.input(of: kind)]?.store(
        activations.input(of: kind), at: start.rows, workers: engine.workers)
    }
    for kind in LinearKind.allCases {
      let delta = kind == .down ? outputDelta : deltas.outputDelta(of: kind)
      factors.deltas[kind.index]?.store(delta, at: start.rows, workers: engine.workers)
      if let sum = factors.sums[kind.index] {
        store(sum, input: activations.input(of: kind), delta: delta, workers: engine.workers)
      }
    }
    guard parameters == .all else { return }
    for (place, group) in groups.enumerated() {
      norms.weightGradient(
        2 * layer, group.rows, x: residual, dy: deltas.normed,
        into: normGradients[2 * layer].rows(place..<place + 1), engine: engine)
      norms.weightGradient(
        2 * layer + 1, group.rows, x: activations.middle, dy: deltas.normedMiddle,
        into: normGradients[2 * layer + 1].rows(place..<place + 1), engine: engine)
      if biasGradients.isEmpty { continue }
      for kind in LinearKind.allCases.prefix(3) {
        let sum = biasGradients[layer][kind.index].rows(place..<place + 1)
        let delta = deltas.outputDelta(of: kind)
        for row in group.rows { Elementwise.add(delta.rows(row..<row + 1), into: sum) }
      }
    }
  }

  /// sum = Δᵀ X of each adapted model, (groups · out, in), or sum += where earlier passes stay.
  private func store(_ sum: Matrix<S>, input: Matrix<S>, delta: Matrix<S>, workers: Workers) {
    let (groups, keep) = (groups, isLater ? S(1) : 0)
    workers.run { worker in
      let part = workers.part(worker, of: delta.columns, grain: 16)
      for (place, group) in groups.enumerated() {
        let start = place * delta.columns
        multiply(
          delta.rows(group.rows).columns(part), input.rows(group.rows), .first,
          into: sum.rows(start + part.lowerBound..<start + part.upperBound), keep: keep)
      }
    }
  }

  func storeHead(
    chunk: Range<Int>, normed: Matrix<S>, logits: Matrix<S>, input: Matrix<S>,
    normedDelta: Matrix<S>, norms: ResolvedNorms<S>, engine: LlamaEngine<S>
  ) {
    guard let headInput, let headDelta, let final = normGradients.last else { return }
    engine.workers.split(chunk.count, grain: 4) { part, _ in
      let rows = part.shifted(by: start.scored + chunk.lowerBound)
      headInput.rows(rows).copy(from: normed.rows(part))
      headDelta.rows(rows).copy(from: logits.rows(part))
    }
    for (place, group) in groups.enumerated() {
      norms.weightGradient(
        normGradients.count - 1, group.scored.clamped(to: chunk), offset: chunk.lowerBound,
        x: input, dy: normedDelta, into: final.rows(place..<place + 1), engine: engine)
    }
  }

  func storeEmbedding(ids: [Int32], delta: Matrix<S>) {
    self.ids += ids
    embeddingDelta?.rows((0..<ids.count).shifted(by: start.rows)).copy(from: delta)
  }
}

extension ResolvedNorms {
  /// gradient += ∂loss/∂weight of norm `index` over `rows`; x and dy start at row `offset`.
  func weightGradient(
    _ index: Int, _ rows: Range<Int>, offset: Int = 0, x: Matrix<S>, dy: Matrix<S>,
    into gradient: Matrix<S>, engine: LlamaEngine<S>
  ) {
    each(index, in: rows) { range, part in
      let local = range.lowerBound - offset..<range.upperBound - offset
      let waste = engine.normScratch.rows(0..<local.count)
      waste.fill(0)
      RMSNorm.backward(
        x: x.rows(local), weight: part.weight, epsilon: engine.epsilon, dy: dy.rows(local),
        dx: waste, weightGradient: gradient)
    }
  }

  /// gradient += the tangent of ∂loss/∂weight.
  func weightGradientTangent(
    _ index: Int, _ rows: Range<Int>, offset: Int = 0, x: Lane<Matrix<S>>, dy: Lane<Matrix<S>>,
    into gradient: Matrix<S>, engine: LlamaEngine<S>
  ) {
    guard let xTangent = x.tangent, let dyTangent = dy.tangent else { return }
    each(index, in: rows) { range, part in
      let local = range.lowerBound - offset..<range.upperBound - offset
      let waste = engine.normScratch.rows(0..<local.count)
      waste.fill(0)
      RMSNorm.backwardTangent(
        x: x.primal.rows(local), xTangent: xTangent.rows(local), weight: part.weight,
        weightTangent: part.tangent, epsilon: engine.epsilon, dy: dy.primal.rows(local),
        dyTangent: dyTangent.rows(local), dxTangent: waste, weightGradientTangent: gradient)
    }
  }
}
