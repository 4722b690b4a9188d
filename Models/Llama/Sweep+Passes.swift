import LoRA
import Operations
import Storage
public import Weights

/// The passes over the blocks, and where each finds its activations and gradients.
extension Sweep {
  /// The first sweep: keeps each block's input. The loss is computed by ``backward(into:)`` or
  /// ``score()``.
  public func forward() throws(WeightError) {
    try embed(lanes: .primal)
    for layer in 0..<layers {
      try forwardBlock(
        layer, lanes: .primal, activations: activationLane(layer, tangents: false),
        output: Lane(residuals[layer + 1].rows(0..<rows)), outputLanes: .primal)
      if keptActivations.count <= layer { engine.holder = (ObjectIdentifier(self), layer) }
    }
  }

  /// The same where the batch's segments continue what their sequences have in `cache`.
  package func forward(in cache: KeyValueCache<S>?) throws(WeightError) {
    self.cache = cache
    defer { self.cache = nil }
    try forward()
  }

  /// The second sweep: computes the loss and adds what `collector` asks for of its gradient.
  public func backward(into collector: GradientCollector<S>) throws(WeightError) {
    loss = try headBackward(
      lanes: .primal, output: outputDeltaLane(layers, tangents: false), collector: collector)
    for layer in (0..<layers).reversed() {
      let activations = activationLane(layer, tangents: false)
      try restore(layer, lanes: .primal, activations: activations)
      let deltas = deltaLane(layer, tangents: false)
      let output = outputDeltaLane(layer + 1, tangents: false)
      try backwardBlock(
        layer, lanes: .primal, activations: activations, deltas: deltas,
        outputDelta: output, inputDelta: outputDeltaLane(layer, tangents: false))
      collector.collect(
        layer: layer, rows: rows, activations: activations, deltas: deltas, outputDelta: output,
        engine: engine, norms: norms, residuals: Lane(residuals[layer].rows(0..<rows)))
    }
    collector.collectEmbedding(ids: batch.ids, delta: outputDeltaLane(0, tangents: false))
  }

  /// The Hessian product: tangents of the forward and the backward pass along `direction`.
  ///
  /// Needs the batch's ``forward()`` and, where gradients are kept, its ``backward(into:)`` to have
  /// run under the same parameters.
  public func tangent(
    along direction: ParameterChange<S>, into collector: GradientCollector<S>
  ) throws(WeightError) {
    precondition(hasTangents && direction.maxRank <= engine.limits.updateRank)
    precondition(
      collector.adapters.allSatisfy { $0.dropout?.rate ?? 0 == 0 }, "dropout has no tangent")
    self.direction = direction
    norms = ResolvedNorms(
      weights: engine.weights, parameters: parameters, direction: direction, rows: batch.count,
      lossRows: batch.lossRows.count)
    try embed(lanes: .tangent)
    for layer in 0..<layers {
      let activations = activationLane(layer, tangents: true)
      let known = layer < keptActivations.count || holds(layer)
      try forwardBlock(
        layer, lanes: known ? .tangent : .both, activations: activations,
        output: Lane(
          residuals[layer + 1].rows(0..<rows), tangent: residualTangents[layer + 1].rows(0..<rows)),
        outputLanes: .tangent)
      if layer >= keptTangents.count || layer >= keptActivations.count {
        engine.holder = (ObjectIdentifier(self), layer)
      }
    }
    var heldTangent = layers - 1
    _ = try headBackward(
      lanes: keptHead == nil ? .both : .tangent, output: outputDeltaLane(layers, tangents: true),
      collector: collector)
    for layer in (0..<layers).reversed() {
      let activations = activationLane(layer, tangents: true)
      if layer != heldTangent {
        let primalKnown = layer < keptActivations.count
        let tangentKnown = layer < keptTangents.count
        var needed: Lanes = primalKnown ? [] : .primal
        if !tangentKnown { needed.insert(.tangent) }
        if !needed.isEmpty {
          try forwardBlock(
            layer, lanes: needed, activations: activations, output: nil, outputLanes: [])
          engine.holder = nil
        }
      }
      heldTangent = -1
      let deltas = deltaLane(layer, tangents: true)
      let output = outputDeltaLane(layer + 1, tangents: true)
      try backwardBlock(
        layer, lanes: layer < keptDeltas.count ? .tangent : .both, activations: activations,
        deltas: deltas, outputDelta: output,
        inputDelta: outputDeltaLane(layer, tangents: true))
      collector.collect(
        layer: layer, rows: rows, activations: activations, deltas: deltas, outputDelta: output,
        engine: engine, norms: norms,
        residuals: Lane(
          residuals[layer].rows(0..<rows), tangent: residualTangents[layer].rows(0..<rows)))
    }
    collector.collectEmbedding(ids: batch.ids, delta: outputDeltaLane(0, tangents: true))
  }

  /// Only the loss, for evaluation: −log P of each scored row and whether it is the likeliest.
  public func score() throws(WeightError) -> [Prediction] {
    try headScore()
  }

  private func holds(_ layer: Int) -> Bool {
    guard let holder = engine.holder else { return false }
    return holder.sweep == ObjectIdentifier(self) && holder.layer == layer
  }

  /// Computes a block's activations again where they are neither kept nor still there.
  private func restore(
    _ layer: Int, lanes: Lanes, activations: Lane<BlockActivations<S>>
  ) throws(WeightError) {
    if layer < keptActivations.count || holds(layer) { return }
    try forwardBlock(layer, lanes: lanes, activations: activations, output: nil, outputLanes: [])
    engine.holder = nil
  }

  /// Where a block's activations are: kept, or in the shared buffers.
  private func activationLane(_ layer: Int, tangents: Bool) -> Lane<BlockActivations<S>> {
    let shared = engine.sharedLane(engine.activations, rows: rows, tangents: tangents)
    if layer >= keptActivations.count && layer >= keptTangents.count { return shared }
    let primal = layer < keptActivations.count ? keptActivations[layer].rows(0..<rows) : nil
    let tangent = layer < keptTangents.count ? keptTangents[layer].rows(0..<rows) : nil
    return Lane(primal ?? shared.primal, tangent: tangents ? tangent ?? shared.tangent : nil)
  }

  private func deltaLane(_ layer: Int, tangents: Bool) -> Lane<BlockDeltas<S>> {
    let shared = engine.sharedLane(engine.deltas, rows: rows, tangents: tangents)
    guard layer < keptDeltas.count else { return shared }
    return Lane(keptDeltas[layer].rows(0..<rows), tangent: shared.tangent)
  }

  /// The gradient of the output of block `layer` − 1, that is of the input of block `layer`.
  private func outputDeltaLane(_ layer: Int, tangents: Bool) -> Lane<Matrix<S>> {
    let shared = engine.sharedLane(engine.carried[layer % 2], rows: rows, tangents: tangents)
    guard layer > 0, layer - 1 < keptOutputDeltas.count else { return shared }
    return Lane(keptOutputDeltas[layer - 1].rows(0..<rows), tangent: shared.tangent)
  }
}
