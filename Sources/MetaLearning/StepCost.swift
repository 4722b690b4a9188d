import Llama
import LoRA
import Operations
import Weights

/// An estimate of the arithmetic of a meta-step, to compare plans.
///
/// The unit is one multiplication and addition of a product. Every use of a weight counts as that of
/// 28 more rows: decoding it takes about as long as 20, and what a product does besides (packing,
/// the barrier at its end) as 8.
struct StepCost {
  private static let overhead = 28.0

  let architecture: Architecture
  let order: Order
  /// Rows of all inner passes of a step, and of all outer passes.
  let innerRows: Double
  let outerRows: Double
  /// Scored rows of all outer passes of a step.
  let scoredRows: Double

  private var block: Double {
    Double(
      LinearKind.allCases.reduce(0) {
        let shape = $1.shape(in: architecture)
        return $0 + shape.input * shape.output
      })
  }

  private var head: Double { Double(architecture.vocabSize * architecture.hiddenSize) }

  /// What a step costs that takes `sweeps` sweeps.
  func cost(of plan: MemoryPlan, sweeps: Double) -> Double {
    let layers = architecture.numHiddenLayers
    var total = 0.0
    for layer in 0..<layers {
      let passes = self.passes(
        activations: layer < plan.keep.activations, deltas: layer < plan.keep.deltas,
        tangents: layer < plan.keep.tangents)
      total +=
        block
        * (passes.inner * innerRows + passes.outer * outerRows
          + (passes.innerUses + passes.outer) * sweeps * Self.overhead)
    }
    let headPasses = order == .first ? 2.0 : plan.keep.head ? 4 : 6
    let chunks =
      (innerRows / Double(plan.logitRows) * (order == .first ? 2 : 4)
      + scoredRows / Double(plan.logitRows) * 2).rounded(.up) + 2 * sweeps
    return total + head * (headPasses * innerRows + 2 * scoredRows + chunks * Self.overhead)
  }

  /// How often a block's products are computed for each inner and outer row, and how often its
  /// weights are used in the inner passes of a sweep.
  private func passes(
    activations: Bool, deltas: Bool, tangents: Bool
  ) -> (inner: Double, innerUses: Double, outer: Double) {
    let again = activations ? 0.0 : 1
    let outer = 2 + again
    if order == .first { return (2 + again, 2 + again, outer) }
    var inner = 4 + 2 * again
    var uses = 4 + again
    switch (activations, tangents) {
    case (true, true): break
    case (true, false), (false, true):
      inner += 1
      uses += 1
    case (false, false):
      inner += 2
      uses += 1
    }
    if !deltas { inner += 1 }
    return (inner, uses, outer)
  }
}
