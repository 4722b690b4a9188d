import Operations
public import Storage
import Weights

/// Both ends of the model: the embedding, and the final norm, the LM head and the loss over the
/// vocabulary, a chunk of scored rows at a time so that all logits never exist together.
extension Sweep {
  /// Fills the first residual (primal) or its tangent.
  func embed(lanes: Lanes) throws(WeightError) {
    if lanes.contains(.primal) {
      let target = residuals[0].rows(0..<rows)
      try engine.linear.gather(batch.ids, of: engine.weights.embedding, into: target)
      add(parameters.embedding, to: target)
    }
    if lanes.contains(.tangent) {
      let target = residualTangents[0].rows(0..<rows)
      target.fill(0)
      if let direction { add(direction.embedding, to: target) }
    }
  }

  private func add(_ changes: [EmbeddingChange<S>], to target: Matrix<S>) {
    if changes.isEmpty { return }
    let ids = batch.ids
    workers.split(rows) { chunk, _ in
      for change in changes {
        for row in chunk.clamped(to: change.update.rows) {
          change.add(id: ids[row], to: target.rows(row..<row + 1))
        }
      }
    }
  }

  /// Computes the loss and the gradient of the last block's output, into `output`, whose rows that
  /// are not scored become zero. Returns Σ weight · loss.
  func headBackward(
    lanes: Lanes, output: Lane<Matrix<S>>, collector: GradientCollector<S>
  ) throws(WeightError) -> Double {
    let tangents = lanes.contains(.tangent)
    output.primal.fill(0)
    output.tangent?.fill(0)
    var total = 0.0
    for chunk in chunks {
      let parts = HeadLanes(engine.head, chunk: chunk, tangents: tangents, kept: keptHead)
      try headForward(chunk, lanes: lanes, parts: parts)
      total += try lossBackward(chunk, lanes: lanes, parts: parts)
      try baseBackward(
        [(engine.weights.head, parts.logits)], inputDelta: parts.normedDelta, lanes: lanes)
      workers.split(chunk.count) { part, worker in
        let global = chunk.lowerBound + part.lowerBound..<chunk.lowerBound + part.upperBound
        for (updates, isDirection) in [(parameters.head, false), (direction?.head ?? [], true)] {
          let shifted = updates.map { $0.shifted(by: -chunk.lowerBound) }
          updateBackward(
            isDirection ? [] : shifted, isDirection ? shifted : [], outputDelta: parts.logits,
            inputDelta: parts.normedDelta, lanes: lanes, chunk: part, worker: worker)
        }
        finalNormBackward(global, offset: chunk.lowerBound, lanes: lanes, parts: parts)
        scatter(global, offset: chunk.lowerBound, from: parts.inputDelta, into: output)
      }
      collector.collectHead(
        chunk: chunk, normed: parts.normed, logits: parts.logits,
        input: parts.input, normedDelta: parts.normedDelta, norms: norms, engine: engine)
    }
    return total
  }

  /// −log P of each target and whether it is the likeliest id.
  ///
  /// `visit` sees each scored row's logits, (1, V), while they are in memory.
  func headScore(
    visit: (_ row: Int, _ isGreedy: Bool, _ logits: Matrix<S>) -> Void = { _, _, _ in }
  ) throws(WeightError) -> [Prediction] {
    var predictions: [Prediction] = []
    for chunk in chunks {
      let parts = HeadLanes(engine.head, chunk: chunk, tangents: false)
      try headForward(chunk, lanes: .primal, parts: parts)
      var nll = [Double](repeating: 0, count: chunk.count)
      var correct = [UInt8](repeating: 0, count: chunk.count)
      CrossEntropy.forward(
        logits: parts.logits.primal, targets: UnsafePointer(targets + chunk.lowerBound), nll: &nll,
        correct: &correct)
      for row in 0..<chunk.count {
        let prediction = Prediction(
          negativeLogLikelihood: nll[row], isGreedy: correct[row] != 0)
        visit(
          chunk.lowerBound + row, prediction.isGreedy, parts.logits.primal.rows(row..<row + 1))
        predictions.append(prediction)
      }
    }
    return predictions
  }

  /// Writes the final norm of the scored rows, (n, D): what the head reads.
  public func finalNorm(into target: Matrix<S>) {
    for chunk in chunks {
      let parts = HeadLanes(engine.head, chunk: chunk, tangents: false)
      headNorm(chunk, lanes: .primal, parts: parts)
      target.rows(chunk).copy(from: parts.normed.primal)
    }
  }

  /// The ranges of scored rows whose logits are in memory together.
  var chunks: [Range<Int>] {
    let total = batch.lossRows.count
    let size = engine.limits.logitRows
    return stride(from: 0, to: total, by: size).map { $0..<min($0 + size, total) }
  }

  /// Final norm and logits of the scored rows of `chunk`.
  func headForward(
    _ chunk: Range<Int>, lanes: Lanes, parts: HeadLanes<S>
  ) throws(WeightError) {
    headNorm(chunk, lanes: lanes, parts: parts)
    try baseForward([(engine.weights.head, parts.logits)], input: parts.normed, lanes: lanes)
    let updates = parameters.head.map { $0.shifted(by: -chunk.lowerBound) }
    let directions = (direction?.head ?? []).map { $0.shifted(by: -chunk.lowerBound) }
    if updates.isEmpty && directions.isEmpty { return }
    workers.split(chunk.count) { part, worker in
      updateForward(
        updates, directions, input: parts.normed, output: parts.logits, lanes: lanes, chunk: part,
        worker: worker)
    }
  }

  private func headNorm(_ chunk: Range<Int>, lanes: Lanes, parts: HeadLanes<S>) {
    workers.split(chunk.count) { part, _ in
      let global = chunk.lowerBound + part.lowerBound..<chunk.lowerBound + part.upperBound
      gather(global, offset: chunk.lowerBound, into: parts.input, lanes: lanes)
      norms.each(2 * layers, in: global) { range, norm in
        let local = range.lowerBound - chunk.lowerBound..<range.upperBound - chunk.lowerBound
        let x = parts.input.primal.rows(local)
        RMSNorm.forward(
          x: x, weight: norm.weight, epsilon: engine.epsilon, y: parts.normed.primal.rows(local))
        if lanes.contains(.tangent), let xTangent = parts.input.tangent,
          let yTangent = parts.normed.tangent
        {
          RMSNorm.forwardTangent(
            x: x, xTangent: xTangent.rows(local), weight: norm.weight, weightTangent: norm.tangent,
            epsilon: engine.epsilon, yTangent: yTangent.rows(local))
        }
      }
    }
  }

  /// Turns the logits of `chunk` into gradients, and their tangents too. Returns Σ weight · loss.
  private func lossBackward(
    _ chunk: Range<Int>, lanes: Lanes, parts: HeadLanes<S>
  ) throws(WeightError) -> Double {
    let teacherLogits = try teacherLogits(chunk)
    let rowLosses = UnsafeMutablePointer<Double>.allocate(capacity: chunk.count)
    defer { rowLosses.deallocate() }
    nonisolated(unsafe) let results = rowLosses
    workers.split(chunk.count) { part, _ in
      for row in part {
        let logits = parts.logits.primal.rows(row..<row + 1)
        let target = UnsafePointer(targets + chunk.lowerBound + row)
        let weight = UnsafePointer(weights + chunk.lowerBound + row)
        if let teacherLogits {
          results[row] = Divergence.forwardBackward(
            logits: logits, teacherLogits: teacherLogits.rows(row..<row + 1), weights: weight)
        } else if lanes == .tangent, let tangent = parts.logits.tangent {
          CrossEntropy.tangent(
            gradient: logits, logitsTangent: tangent.rows(row..<row + 1), targets: target,
            weights: weight)
          results[row] = 0
        } else if lanes.contains(.tangent), let tangent = parts.logits.tangent {
          CrossEntropy.backwardTangent(
            logits: logits, logitsTangent: tangent.rows(row..<row + 1), targets: target,
            weights: weight)
          results[row] = 0
        } else {
          results[row] = CrossEntropy.forwardBackward(
            logits: logits, targets: target, weights: weight)
        }
      }
    }
    var total = 0.0
    if !lanes.contains(.tangent) {
      for row in 0..<chunk.count {
        losses[chunk.lowerBound + row] = rowLosses[row]
        total += rowLosses[row]
      }
    }
    return total
  }

  /// The teacher's logits of `chunk`, in the lane that tangents would have.
  private func teacherLogits(_ chunk: Range<Int>) throws(WeightError) -> Matrix<S>? {
    guard let teacher else { return nil }
    let logits = engine.head.logits.rows(engine.head.rows..<engine.head.rows + chunk.count)
    try engine.linear.forward(
      [.init(teacher.head, logits)], input: teacher.normed.rows(chunk))
    return logits
  }

  private func finalNormBackward(
    _ global: Range<Int>, offset: Int, lanes: Lanes, parts: HeadLanes<S>
  ) {
    norms.each(2 * layers, in: global) { range, norm in
      let local = range.lowerBound - offset..<range.upperBound - offset
      let x = parts.input.primal.rows(local)
      let dy = parts.normedDelta.primal.rows(local)
      let dx = parts.inputDelta.primal.rows(local)
      dx.fill(0)
      RMSNorm.backward(
        x: x, weight: norm.weight, epsilon: engine.epsilon, dy: dy, dx: dx, weightGradient: nil)
      guard lanes.contains(.tangent), let xTangent = parts.input.tangent,
        let dyTangent = parts.normedDelta.tangent, let dxTangent = parts.inputDelta.tangent
      else { return }
      dxTangent.rows(local).fill(0)
      RMSNorm.backwardTangent(
        x: x, xTangent: xTangent.rows(local), weight: norm.weight, weightTangent: norm.tangent,
        epsilon: engine.epsilon, dy: dy, dyTangent: dyTangent.rows(local),
        dxTangent: dxTangent.rows(local), weightGradientTangent: nil)
    }
  }

  private func gather(
    _ scored: Range<Int>, offset: Int, into target: Lane<Matrix<S>>, lanes: Lanes
  ) {
    for index in scored {
      let row = Int(batch.lossRows[index])
      let local = index - offset..<index - offset + 1
      target.primal.rows(local).copy(from: residuals[layers].rows(row..<row + 1))
      if lanes.contains(.tangent), let tangent = target.tangent {
        tangent.rows(local).copy(from: residualTangents[layers].rows(row..<row + 1))
      }
    }
  }

  private func scatter(
    _ scored: Range<Int>, offset: Int, from source: Lane<Matrix<S>>, into target: Lane<Matrix<S>>
  ) {
    for index in scored {
      let row = Int(batch.lossRows[index])
      let local = index - offset..<index - offset + 1
      target.primal.rows(row..<row + 1).copy(from: source.primal.rows(local))
      if let source = source.tangent, let target = target.tangent {
        target.rows(row..<row + 1).copy(from: source.rows(local))
      }
    }
  }
}

/// The buffers of a chunk of scored rows, cut to its size.
struct HeadLanes<S: Kernel>: Sendable {
  let input: Lane<Matrix<S>>
  let normed: Lane<Matrix<S>>
  let logits: Lane<Matrix<S>>
  let normedDelta: Lane<Matrix<S>>
  let inputDelta: Lane<Matrix<S>>

  /// The rows for `chunk`, whose gradients of logits and norm are in `kept` where these are kept.
  init(
    _ buffers: HeadBuffers<S>, chunk: Range<Int>, tangents: Bool,
    kept: (logits: Matrix<S>, normedDelta: Matrix<S>)? = nil
  ) {
    func lane(_ buffer: Matrix<S>, kept: Matrix<S>? = nil) -> Lane<Matrix<S>> {
      let lane = buffers.lane(buffer, count: chunk.count, tangents: tangents)
      guard let kept else { return lane }
      return Lane(kept.rows(chunk), tangent: lane.tangent)
    }
    input = lane(buffers.input)
    normed = lane(buffers.normed)
    logits = lane(buffers.logits, kept: kept?.logits)
    normedDelta = lane(buffers.normedDelta, kept: kept?.normedDelta)
    inputDelta = lane(buffers.inputDelta)
  }
}
