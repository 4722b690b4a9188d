import LoRA
import Operations
import Storage
import Weights

/// One block backward, in either lane: the gradient of its output becomes that of its input.
extension Sweep {
  /// Computes `deltas` and `inputDelta` in `lanes` from `outputDelta`.
  ///
  /// The tangent alone needs the primal `deltas` in place; either needs the activations.
  func backwardBlock(
    _ layer: Int, lanes: Lanes, activations: Lane<BlockActivations<S>>,
    deltas: Lane<BlockDeltas<S>>, outputDelta: Lane<Matrix<S>>, inputDelta: Lane<Matrix<S>>
  ) throws(WeightError) {
    try engine.noticeInterruption()
    enter(layer, next: layer - 1)
    let productDelta = deltas.map(\.product)
    let gateDelta = deltas.map(\.gate)
    let upDelta = deltas.map(\.up)
    try baseBackward(
      [(.down, outputDelta)], layer: layer, inputDelta: productDelta, lanes: lanes)
    workers.split(rows, grain: 4) { chunk, worker in
      updateBackward(
        .down, layer: layer, outputDelta: outputDelta, deltas: deltas, inputDelta: productDelta,
        lanes: lanes, chunk: chunk, worker: worker)
      swigluBackward(activations, deltas, lanes: lanes, chunk: chunk)
    }

    let middleDelta = deltas.map(\.middle)
    let normedMiddleDelta = deltas.map(\.normedMiddle)
    try baseBackward(
      [(.gate, gateDelta), (.up, upDelta)], layer: layer, inputDelta: normedMiddleDelta,
      lanes: lanes)
    workers.split(rows, grain: 4) { chunk, worker in
      for (kind, delta) in [(LinearKind.gate, gateDelta), (.up, upDelta)] {
        updateBackward(
          kind, layer: layer, outputDelta: delta, deltas: deltas, inputDelta: normedMiddleDelta,
          lanes: lanes, chunk: chunk, worker: worker)
      }
      normBackward(
        2 * layer + 1, input: activations.map(\.middle), outputDelta: normedMiddleDelta,
        carried: outputDelta, inputDelta: middleDelta, lanes: lanes, chunk: chunk)
    }

    let attendedDelta = deltas.map(\.attended)
    try baseBackward(
      [(.output, middleDelta)], layer: layer, inputDelta: attendedDelta, lanes: lanes)
    workers.split(rows, grain: 4) { chunk, worker in
      updateBackward(
        .output, layer: layer, outputDelta: middleDelta, deltas: deltas, inputDelta: attendedDelta,
        lanes: lanes, chunk: chunk, worker: worker)
    }
    attentionBackward(activations, deltas, lanes: lanes)

    let normedDelta = deltas.map(\.normed)
    let heads = [
      (kind: LinearKind.query, outputDelta: deltas.map(\.query)),
      (kind: LinearKind.key, outputDelta: deltas.map(\.key)),
      (kind: LinearKind.value, outputDelta: deltas.map(\.value)),
    ]
    try baseBackward(heads, layer: layer, inputDelta: normedDelta, lanes: lanes)
    workers.split(rows, grain: 4) { chunk, worker in
      for (kind, delta) in heads {
        updateBackward(
          kind, layer: layer, outputDelta: delta, deltas: deltas, inputDelta: normedDelta,
          lanes: lanes, chunk: chunk, worker: worker)
      }
      normBackward(
        2 * layer, input: residualLane(layer), outputDelta: normedDelta, carried: middleDelta,
        inputDelta: inputDelta, lanes: lanes, chunk: chunk)
    }
  }

  private func swigluBackward(
    _ activations: Lane<BlockActivations<S>>, _ deltas: Lane<BlockDeltas<S>>, lanes: Lanes,
    chunk: Range<Int>
  ) {
    let a = activations.primal.rows(chunk)
    let d = deltas.primal.rows(chunk)
    if lanes.contains(.primal) {
      SwiGLU.backward(gate: a.gate, up: a.up, dy: d.product, dGate: d.gate, dUp: d.up)
    }
    guard lanes.contains(.tangent), let aTangent = activations.tangent?.rows(chunk),
      let dTangent = deltas.tangent?.rows(chunk)
    else { return }
    SwiGLU.backwardTangent(
      gate: a.gate, up: a.up, gateTangent: aTangent.gate, upTangent: aTangent.up, dy: d.product,
      dyTangent: dTangent.product, dGateTangent: dTangent.gate, dUpTangent: dTangent.up)
  }

  /// inputDelta = carried + the norm's backward pass of outputDelta.
  private func normBackward(
    _ index: Int, input: Lane<Matrix<S>>, outputDelta: Lane<Matrix<S>>, carried: Lane<Matrix<S>>,
    inputDelta: Lane<Matrix<S>>, lanes: Lanes, chunk: Range<Int>
  ) {
    norms.each(index, in: chunk) { range, part in
      if lanes.contains(.primal) {
        let target = inputDelta.primal.rows(range)
        target.copy(from: carried.primal.rows(range))
        RMSNorm.backward(
          x: input.primal.rows(range), weight: part.weight, epsilon: engine.epsilon,
          dy: outputDelta.primal.rows(range), dx: target, weightGradient: nil)
      }
      if lanes.contains(.tangent), let xTangent = input.tangent,
        let dyTangent = outputDelta.tangent, let carriedTangent = carried.tangent,
        let dxTangent = inputDelta.tangent
      {
        let target = dxTangent.rows(range)
        target.copy(from: carriedTangent.rows(range))
        RMSNorm.backwardTangent(
          x: input.primal.rows(range), xTangent: xTangent.rows(range), weight: part.weight,
          weightTangent: part.tangent, epsilon: engine.epsilon,
          dy: outputDelta.primal.rows(range), dyTangent: dyTangent.rows(range),
          dxTangent: target, weightGradientTangent: nil)
      }
    }
  }

  /// Every head of every sequence; then the heads of a group are added and rotated back.
  private func attentionBackward(
    _ activations: Lane<BlockActivations<S>>, _ deltas: Lane<BlockDeltas<S>>, lanes: Lanes
  ) {
    let shape = engine.attentionShape
    let rows = rows
    let primalKeys = perHead(engine.keyHeads, lane: 0)
    let primalValues = perHead(engine.valueHeads, lane: 0)
    let tangentKeys = perHead(engine.keyHeads, lane: 1)
    let tangentValues = perHead(engine.valueHeads, lane: 1)
    eachHead { head, _, segment, worker in
      let scratch = engine.attentionScratch[worker]
      let place = head * rows + segment.lowerBound..<head * rows + segment.upperBound
      let a = activations.primal.rows(segment)
      let d = deltas.primal.rows(segment)
      guard lanes.contains(.tangent), let aTangent = activations.tangent?.rows(segment),
        let dTangent = deltas.tangent?.rows(segment)
      else {
        Attention.backward(
          head: head, shape: shape, q: a.query, k: a.key, v: a.value, do: d.attended,
          dq: d.query, dkHead: primalKeys.rows(place), dvHead: primalValues.rows(place),
          scratch: scratch)
        return
      }
      if lanes == .both {
        Attention.backwardBoth(
          head: head, shape: shape, q: a.query, k: a.key, v: a.value, qTangent: aTangent.query,
          kTangent: aTangent.key, vTangent: aTangent.value, do: d.attended,
          doTangent: dTangent.attended, dq: d.query, dkHead: primalKeys.rows(place),
          dvHead: primalValues.rows(place), dqTangent: dTangent.query,
          dkHeadTangent: tangentKeys.rows(place), dvHeadTangent: tangentValues.rows(place),
          scratch: scratch)
      } else {
        Attention.backwardTangent(
          head: head, shape: shape, q: a.query, k: a.key, v: a.value, qTangent: aTangent.query,
          kTangent: aTangent.key, vTangent: aTangent.value, do: d.attended,
          doTangent: dTangent.attended, dqTangent: dTangent.query,
          dkHeadTangent: tangentKeys.rows(place), dvHeadTangent: tangentValues.rows(place),
          scratch: scratch)
      }
    }
    workers.split(rows, grain: 4) { chunk, _ in
      if lanes.contains(.primal) {
        sumHeads(primalKeys, into: deltas.primal.key, chunk: chunk)
        sumHeads(primalValues, into: deltas.primal.value, chunk: chunk)
        rotateBack(deltas.primal, chunk: chunk)
      }
      if lanes.contains(.tangent), let tangent = deltas.tangent {
        sumHeads(tangentKeys, into: tangent.key, chunk: chunk)
        sumHeads(tangentValues, into: tangent.value, chunk: chunk)
        rotateBack(tangent, chunk: chunk)
      }
    }
  }

  /// The (H · T, d) part of a per-head buffer that belongs to a lane.
  private func perHead(_ all: Matrix<S>, lane: Int) -> Matrix<S> {
    let count = engine.attentionShape.heads * rows
    return lane == 0 || all.rows < 2 * count
      ? all.rows(0..<count) : all.rows(count..<2 * count)
  }

  /// target[:, group] = Σ of the group's query heads.
  private func sumHeads(_ source: Matrix<S>, into target: Matrix<S>, chunk: Range<Int>) {
    let shape = engine.attentionShape
    let perGroup = shape.heads / shape.kvHeads
    for group in 0..<shape.kvHeads {
      let columns = group * shape.headDim..<(group + 1) * shape.headDim
      let part = target.columns(columns).rows(chunk)
      for member in 0..<perGroup {
        let head = group * perGroup + member
        let rows = head * self.rows + chunk.lowerBound..<head * self.rows + chunk.upperBound
        if member == 0 {
          part.copy(from: source.rows(rows))
        } else {
          Elementwise.add(source.rows(rows), into: part)
        }
      }
    }
  }

  private func rotateBack(_ deltas: BlockDeltas<S>, chunk: Range<Int>) {
    let shape = engine.attentionShape
    let positions = UnsafePointer(positions + chunk.lowerBound)
    Rotary.backward(
      dx: deltas.query.rows(chunk), heads: shape.heads, positions: positions,
      table: engine.rotary)
    Rotary.backward(
      dx: deltas.key.rows(chunk), heads: shape.kvHeads, positions: positions, table: engine.rotary)
  }
}
