public import Llama

/// What the inner step moves.
public enum InnerStep: String, CaseIterable, Codable, Sendable {
  /// The adapter.
  case lora
  /// Every parameter, as a low-rank update that is never built.
  case full
}

/// What the outer loop trains.
public enum OuterStep: String, CaseIterable, Codable, Sendable {
  /// An adapter.
  case lora
  /// Every parameter.
  case full
}

/// What the adapted model should say.
public enum Target: String, CaseIterable, Codable, Sendable {
  /// The given response (paper: gold, Eq. 9).
  case gold
  /// What the frozen base says with the context in its prompt (paper: teacher, Eq. 8).
  case teacher
}

/// Whether the outer gradient follows the inner step.
public enum Order: String, CaseIterable, Codable, Sendable {
  /// v: the gradient at the adapted parameters, as if they were the parameters.
  case first
  /// v − η H v: exact.
  case second
}

/// The method's choices for one meta-gradient.
public struct MetaConfiguration: Codable, Equatable, Sendable {
  /// What the inner step moves.
  public var inner: InnerStep
  /// Which parameters a full inner step moves.
  public var innerParameters: InnerParameters
  /// η of the inner step.
  public var innerLearningRate: Double
  /// How many inner steps.
  public var innerSteps: Int
  /// First or second order.
  public var order: Order
  /// The outer loss.
  public var target: Target

  /// LoRA inner, one exact step, gold target.
  public init(
    inner: InnerStep = .lora, innerParameters: InnerParameters = .all,
    innerLearningRate: Double = 0.1, innerSteps: Int = 1, order: Order = .second,
    target: Target = .gold
  ) {
    self.inner = inner
    self.innerParameters = innerParameters
    self.innerLearningRate = innerLearningRate
    self.innerSteps = innerSteps
    self.order = order
    self.target = target
  }
}
