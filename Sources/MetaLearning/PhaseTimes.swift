import Storage
import Weights

/// What the phases of meta-gradients have taken.
public struct PhaseTimes: Codable, Sendable {
  /// A part of a meta-gradient.
  public enum Phase: String, CaseIterable, Codable, Sendable {
    /// Forward pass over the contexts.
    case innerForward = "inner forward"
    /// Backward pass over the contexts.
    case innerBackward = "inner backward"
    /// The teacher's forward pass over the Prompt form.
    case teacher
    /// Forward pass over the queries.
    case outerForward = "outer forward"
    /// Backward pass over the queries.
    case outerBackward = "outer backward"
    /// Both tangent passes over the contexts.
    case tangent
  }

  /// Seconds and floating-point operations of f32 products.
  public struct Cost: Codable, Sendable {
    /// Seconds.
    public var seconds = 0.0
    /// Operations, 2 · m · n · k a product.
    public var operations = 0

    /// No time yet.
    public init() {}
  }

  /// By phase.
  public private(set) var costs: [Phase: Cost] = [:]

  mutating func add(_ phase: Phase, seconds: Double, operations: Int) {
    costs[phase, default: Cost()].seconds += seconds
    costs[phase, default: Cost()].operations += operations
  }
}

extension MetaGradient {
  /// Runs `body` and counts it as `phase`.
  func timed<Result>(
    _ phase: PhaseTimes.Phase, _ body: () throws(WeightError) -> Result
  ) throws(WeightError) -> Result {
    let start = ContinuousClock.now
    let before = BLAS.operationCount
    let result = try body()
    times.add(
      phase, seconds: (ContinuousClock.now - start).inSeconds,
      operations: BLAS.operationCount - before)
    return result
  }
}
