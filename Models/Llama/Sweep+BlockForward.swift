import LoRA
import Operations
import Storage
import Weights

/// One block forward: x → x + attention(norm x) → + feed-forward(norm of that).
extension Sweep {
  /// Computes a block's activations in `lanes`, and its output in `outputLanes`.
  ///
  /// The block's input is the kept residual of `layer`. The tangent alone needs the primal
  /// activations in place.
  func forwardBlock(
    _ layer: Int, lanes: Lanes, activations: Lane<BlockActivations<S>>, output: Lane<Matrix<S>>?,
    outputLanes: Lanes
  ) throws(WeightError) {
    try engine.noticeInterruption()
    enter(layer, next: layer + 1)
    let input = residualLane(layer)
    let normed = activations.map(\.normed)
    let heads = [
      (kind: LinearKind.query, output: activations.map(\.query)),
      (kind: LinearKind.key, output: activations.map(\.key)),
      (kind: LinearKind.value, output: activations.map(\.value)),
    ]
    workers.split(rows, grain: 4) { chunk, _ in
      normForward(2 * layer, input: input, output: normed, lanes: lanes, chunk: chunk)
    }
    try baseForward(heads, layer: layer, input: normed, lanes: lanes)
    workers.split(rows, grain: 4) { chunk, worker in
      for (kind, output) in heads {
        updateForward(
          kind, layer: layer, input: normed, activations: activations, output: output,
          lanes: lanes, chunk: chunk, worker: worker)
      }
      rotate(heads[0].output, heads: engine.attentionShape.heads, lanes: lanes, chunk: chunk)
      rotate(heads[1].output, heads: engine.attentionShape.kvHeads, lanes: lanes, chunk: chunk)
    }
    if let cache { store(layer, activations.primal, in: cache) }
    attentionForward(layer, activations, lanes: lanes)

    let attended = activations.map(\.attended)
    let middle = activations.map(\.middle)
    let normedMiddle = activations.map(\.normedMiddle)
    try baseForward([(.output, middle)], layer: layer, input: attended, lanes: lanes)
    workers.split(rows, grain: 4) { chunk, worker in
      updateForward(
        .output, layer: layer, input: attended, activations: activations, output: middle,
        lanes: lanes, chunk: chunk, worker: worker)
      addForward(input, into: middle, lanes: lanes, chunk: chunk)
      normForward(
        2 * layer + 1, input: middle, output: normedMiddle, lanes: lanes, chunk: chunk)
    }

    let gate = activations.map(\.gate)
    let up = activations.map(\.up)
    let product = activations.map(\.product)
    try baseForward(
      [(.gate, gate), (.up, up)], layer: layer, input: normedMiddle, lanes: lanes)
    workers.split(rows, grain: 4) { chunk, worker in
      updateForward(
        .gate, layer: layer, input: normedMiddle, activations: activations, output: gate,
        lanes: lanes, chunk: chunk, worker: worker)
      updateForward(
        .up, layer: layer, input: normedMiddle, activations: activations, output: up,
        lanes: lanes, chunk: chunk, worker: worker)
      if lanes.contains(.primal) {
        SwiGLU.forward(
          gate: gate.primal.rows(chunk), up: up.primal.rows(chunk), y: product.primal.rows(chunk))
      }
      if lanes.contains(.tangent), let gateTangent = gate.tangent, let upTangent = up.tangent,
        let productTangent = product.tangent
      {
        SwiGLU.forwardTangent(
          gate: gate.primal.rows(chunk), up: up.primal.rows(chunk),
          gateTangent: gateTangent.rows(chunk), upTangent: upTangent.rows(chunk),
          yTangent: productTangent.rows(chunk))
      }
      // The gradient needs it where the output does not.
      reduceForward(
        .down, layer: layer, input: product, activations: activations, lanes: lanes, chunk: chunk,
        worker: worker)
    }

    guard let output, !outputLanes.isEmpty else { return }
    try baseForward([(.down, output)], layer: layer, input: product, lanes: outputLanes)
    workers.split(rows, grain: 4) { chunk, worker in
      expandForward(
        .down, layer: layer, input: product, activations: activations, output: output,
        lanes: outputLanes, chunk: chunk, worker: worker)
      addForward(middle, into: output, lanes: outputLanes, chunk: chunk)
    }
  }

  /// The input of block `layer` (or the output of the last) in both lanes.
  func residualLane(_ layer: Int) -> Lane<Matrix<S>> {
    Lane(
      residuals[layer].rows(0..<rows),
      tangent: hasTangents ? residualTangents[layer].rows(0..<rows) : nil)
  }

  private func normForward(
    _ index: Int, input: Lane<Matrix<S>>, output: Lane<Matrix<S>>, lanes: Lanes,
    chunk: Range<Int>
  ) {
    norms.each(index, in: chunk) { range, part in
      if lanes.contains(.primal) {
        RMSNorm.forward(
          x: input.primal.rows(range), weight: part.weight, epsilon: engine.epsilon,
          y: output.primal.rows(range))
      }
      if lanes.contains(.tangent), let xTangent = input.tangent, let yTangent = output.tangent {
        RMSNorm.forwardTangent(
          x: input.primal.rows(range), xTangent: xTangent.rows(range), weight: part.weight,
          weightTangent: part.tangent, epsilon: engine.epsilon, yTangent: yTangent.rows(range))
      }
    }
  }

  private func addForward(
    _ source: Lane<Matrix<S>>, into target: Lane<Matrix<S>>, lanes: Lanes, chunk: Range<Int>
  ) {
    if lanes.contains(.primal) {
      Elementwise.add(source.primal.rows(chunk), into: target.primal.rows(chunk))
    }
    if lanes.contains(.tangent), let source = source.tangent, let target = target.tangent {
      Elementwise.add(source.rows(chunk), into: target.rows(chunk))
    }
  }

  private func rotate(_ x: Lane<Matrix<S>>, heads: Int, lanes: Lanes, chunk: Range<Int>) {
    let positions = UnsafePointer(positions + chunk.lowerBound)
    if lanes.contains(.primal) {
      Rotary.forward(
        x: x.primal.rows(chunk), heads: heads, positions: positions, table: engine.rotary)
    }
    if lanes.contains(.tangent), let tangent = x.tangent {
      Rotary.forward(
        x: tangent.rows(chunk), heads: heads, positions: positions, table: engine.rotary)
    }
  }

  /// Every head of every sequence, spread over the workers. Keys and values of tokens before a segment are in
  /// the cache.
  private func attentionForward(
    _ layer: Int, _ activations: Lane<BlockActivations<S>>, lanes: Lanes
  ) {
    let shape = engine.attentionShape
    let pasts = cache.map { cache in
      zip(batch.segments, batch.sequences).map { segment, sequences in
        let position = Int(batch.positions[segment.lowerBound])
        return position == 0
          ? nil
          : cache.read(layer: layer, sequence: sequences[0], count: position + segment.count)
      }
    }
    eachHead { head, index, segment, worker in
      let scratch = engine.attentionScratch[worker]
      let primal = activations.primal.rows(segment)
      if lanes.contains(.primal) {
        let past = pasts?[index]
        Attention.forward(
          head: head, shape: shape, q: primal.query, k: past?.keys ?? primal.key,
          v: past?.values ?? primal.value, o: primal.attended, scratch: scratch)
      }
      if lanes.contains(.tangent), let tangent = activations.tangent?.rows(segment) {
        Attention.forwardTangent(
          head: head, shape: shape, q: primal.query, k: primal.key, v: primal.value,
          qTangent: tangent.query, kTangent: tangent.key, vTangent: tangent.value,
          oTangent: tangent.attended, scratch: scratch)
      }
    }
  }

  func eachHead(
    _ body: @Sendable (_ head: Int, _ index: Int, _ segment: Range<Int>, _ worker: Int) -> Void
  ) {
    let heads = engine.attentionShape.heads
    let segments = batch.segments
    let workers = workers
    workers.run { worker in
      for item in stride(from: worker, to: heads * segments.count, by: workers.count) {
        body(item % heads, item / heads, segments[item / heads], worker)
      }
    }
  }
}
