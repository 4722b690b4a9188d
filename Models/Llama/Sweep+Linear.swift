import LoRA
import Operations
import Storage
import Weights

/// Products of one linear, or of several that share their input: the base weight's part tile by
/// tile, then the low-rank updates row by row.
extension Sweep {
  /// Says which block comes next, and makes what the updates of `layer` read readable.
  func enter(_ layer: Int, next: Int) {
    let blocks = engine.weights.blocks
    if blocks.indices.contains(next) { blocks[next].linears.forEach { $0.readAhead() } }
    parameters.load(layer, workers: workers)
    direction?.load(layer, workers: workers)
  }

  /// output = input Wᵀ for each linear, in the lanes asked for. Base weights only.
  func baseForward(
    _ items: [(kind: LinearKind, output: Lane<Matrix<S>>)], layer: Int, input: Lane<Matrix<S>>,
    lanes: Lanes
  ) throws(WeightError) {
    let weights = engine.weights.blocks[layer].linears
    try baseForward(
      items.map { (weights[$0.kind.index], $0.output) }, input: input, lanes: lanes)
  }

  func baseForward(
    _ items: [(weight: any WeightMatrix, output: Lane<Matrix<S>>)], input: Lane<Matrix<S>>,
    lanes: Lanes
  ) throws(WeightError) {
    let stacked = items.compactMap { item in
      item.output.stacked.map { TiledLinear<S>.Item(item.weight, $0) }
    }
    if lanes == .both, let both = input.stacked, stacked.count == items.count {
      try engine.linear.forward(stacked, input: both)
      return
    }
    if lanes.contains(.primal) {
      try engine.linear.forward(
        items.map { .init($0.weight, $0.output.primal) }, input: input.primal)
    }
    if lanes.contains(.tangent), let tangent = input.tangent {
      try engine.linear.forward(
        items.compactMap { item in item.output.tangent.map { .init(item.weight, $0) } },
        input: tangent)
    }
  }

  /// inputDelta = Σ outputDelta W over the linears, in the lanes asked for. Base weights only.
  func baseBackward(
    _ items: [(kind: LinearKind, outputDelta: Lane<Matrix<S>>)], layer: Int,
    inputDelta: Lane<Matrix<S>>, lanes: Lanes
  ) throws(WeightError) {
    let weights = engine.weights.blocks[layer].linears
    try baseBackward(
      items.map { (weights[$0.kind.index], $0.outputDelta) }, inputDelta: inputDelta, lanes: lanes)
  }

  func baseBackward(
    _ items: [(weight: any WeightMatrix, outputDelta: Lane<Matrix<S>>)],
    inputDelta: Lane<Matrix<S>>, lanes: Lanes
  ) throws(WeightError) {
    let stacked = items.compactMap { item in
      item.outputDelta.stacked.map { TiledLinear<S>.Item(item.weight, $0) }
    }
    if lanes == .both, let both = inputDelta.stacked, stacked.count == items.count {
      try engine.linear.backward(stacked, inputGradient: both)
      return
    }
    if lanes.contains(.primal) {
      try engine.linear.backward(
        items.map { .init($0.weight, $0.outputDelta.primal) }, inputGradient: inputDelta.primal)
    }
    if lanes.contains(.tangent), let tangent = inputDelta.tangent {
      try engine.linear.backward(
        items.compactMap { item in item.outputDelta.tangent.map { .init(item.weight, $0) } },
        inputGradient: tangent)
    }
  }

  /// Adds what the updates, and in the tangent the direction, do to a linear's output:
  /// y += ΔW x, ẏ += ΔW ẋ + V x; biases too.
  func updateForward(
    _ kind: LinearKind, layer: Int, input: Lane<Matrix<S>>,
    activations: Lane<BlockActivations<S>>, output: Lane<Matrix<S>>, lanes: Lanes,
    chunk: Range<Int>, worker: Int
  ) {
    reduceForward(
      kind, layer: layer, input: input, activations: activations, lanes: lanes, chunk: chunk,
      worker: worker)
    expandForward(
      kind, layer: layer, input: input, activations: activations, output: output, lanes: lanes,
      chunk: chunk, worker: worker)
  }

  /// The first half of an adapter: what its A makes of a linear's input, into `activations`.
  func reduceForward(
    _ kind: LinearKind, layer: Int, input: Lane<Matrix<S>>,
    activations: Lane<BlockActivations<S>>, lanes: Lanes, chunk: Range<Int>, worker: Int
  ) {
    let index = kind.place(in: layer)
    for adapter in parameters.adapters[index] {
      let reduced = activations.map { $0.reduced(at: kind, rank: adapter.rank) }
      if lanes.contains(.primal) {
        adapter.reduce(
          input.primal, into: reduced.primal, chunk: chunk, scratch: engine.updateScratch[worker])
      }
      if lanes.contains(.tangent), let source = input.tangent, let target = reduced.tangent {
        adapter.reduceTangent(
          input.primal, source, moves: direction?.moves[index] ?? [], into: target, chunk: chunk)
      }
    }
  }

  /// The second half of an adapter, and all other updates.
  func expandForward(
    _ kind: LinearKind, layer: Int, input: Lane<Matrix<S>>,
    activations: Lane<BlockActivations<S>>, output: Lane<Matrix<S>>, lanes: Lanes,
    chunk: Range<Int>, worker: Int
  ) {
    let index = kind.place(in: layer)
    for adapter in parameters.adapters[index] {
      let reduced = activations.map { $0.reduced(at: kind, rank: adapter.rank) }
      if lanes.contains(.primal) {
        adapter.expand(reduced.primal, into: output.primal, chunk: chunk)
      }
      if lanes.contains(.tangent), let source = reduced.tangent, let target = output.tangent {
        adapter.expandTangent(
          reduced.primal, source, moves: direction?.moves[index] ?? [], into: target, chunk: chunk)
      }
    }
    updateForward(
      parameters.linears[index], direction?.linears[index] ?? [], input: input, output: output,
      lanes: lanes, chunk: chunk, worker: worker)
    if lanes.contains(.primal) {
      if let bias = engine.weights.blocks[layer].biases[kind.index] {
        add(bias, scale: 1, to: output.primal.rows(chunk))
      }
      for change in parameters.biases[index] {
        add(
          change.values, scale: change.scale, to: output.primal.rows(chunk.clamped(to: change.rows))
        )
      }
    }
    if lanes.contains(.tangent), let tangent = output.tangent, let direction {
      for change in direction.biases[index] {
        add(change.values, scale: change.scale, to: tangent.rows(chunk.clamped(to: change.rows)))
      }
    }
  }

  /// What updates that are no adapters do.
  func updateForward(
    _ updates: [LowRankUpdate<S>], _ directions: [LowRankUpdate<S>], input: Lane<Matrix<S>>,
    output: Lane<Matrix<S>>, lanes: Lanes, chunk: Range<Int>, worker: Int
  ) {
    let scratch = engine.updateScratch[worker]
    for update in updates {
      if lanes.contains(.primal) {
        update.forward(
          source: input.primal, target: output.primal, chunk: chunk, scratch: scratch)
      }
      if lanes.contains(.tangent), let source = input.tangent, let target = output.tangent {
        update.forward(source: source, target: target, chunk: chunk, scratch: scratch)
      }
    }
    guard lanes.contains(.tangent), let target = output.tangent else { return }
    for direction in directions {
      direction.forward(source: input.primal, target: target, chunk: chunk, scratch: scratch)
    }
  }

  /// The same on the way back: dx += dy ΔW, dẋ += dẏ ΔW + dy V.
  func updateBackward(
    _ kind: LinearKind, layer: Int, outputDelta: Lane<Matrix<S>>, deltas: Lane<BlockDeltas<S>>,
    inputDelta: Lane<Matrix<S>>, lanes: Lanes, chunk: Range<Int>, worker: Int
  ) {
    let index = kind.place(in: layer)
    for adapter in parameters.adapters[index] {
      let reduced = deltas.map { $0.reduced(at: kind, rank: adapter.rank) }
      if lanes.contains(.primal) {
        adapter.project(outputDelta.primal, into: reduced.primal, chunk: chunk)
        adapter.spread(
          reduced.primal, into: inputDelta.primal, chunk: chunk,
          scratch: engine.updateScratch[worker])
      }
      if lanes.contains(.tangent), let source = outputDelta.tangent,
        let between = reduced.tangent, let target = inputDelta.tangent
      {
        let moves = direction?.moves[index] ?? []
        adapter.projectTangent(
          outputDelta.primal, source, moves: moves, into: between, chunk: chunk)
        adapter.spreadTangent(reduced.primal, between, moves: moves, into: target, chunk: chunk)
      }
    }
    updateBackward(
      parameters.linears[index], direction?.linears[index] ?? [], outputDelta: outputDelta,
      inputDelta: inputDelta, lanes: lanes, chunk: chunk, worker: worker)
  }

  /// What updates that are no adapters do.
  func updateBackward(
    _ updates: [LowRankUpdate<S>], _ directions: [LowRankUpdate<S>], outputDelta: Lane<Matrix<S>>,
    inputDelta: Lane<Matrix<S>>, lanes: Lanes, chunk: Range<Int>, worker: Int
  ) {
    let scratch = engine.updateScratch[worker]
    for update in updates {
      if lanes.contains(.primal) {
        update.backward(
          source: outputDelta.primal, target: inputDelta.primal, chunk: chunk, scratch: scratch)
      }
      if lanes.contains(.tangent), let source = outputDelta.tangent,
        let target = inputDelta.tangent
      {
        update.backward(source: source, target: target, chunk: chunk, scratch: scratch)
      }
    }
    guard lanes.contains(.tangent), let target = inputDelta.tangent else { return }
    for direction in directions {
      direction.backward(
        source: outputDelta.primal, target: target, chunk: chunk, scratch: scratch)
    }
  }

  private func add(_ vector: Matrix<S>, scale: S, to target: Matrix<S>) {
    for row in 0..<target.rows {
      Elementwise.addScaled(vector, scale: scale, into: target.rows(row..<row + 1))
    }
  }
}
