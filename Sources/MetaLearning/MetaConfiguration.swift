public import Llama

/// What the inner step moves.
public enum InnerStep: String, CaseIterable, Codable, Sendable {
  /// The adapter.
  case lora
  /// Every parameter, as a low-rank update that is never built.
  case full

  /// η where nothing else is said.
  public var defaultLearningRate: Double { self == .lora ? 0.1 : 0.01 }
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
  /// What the outer loop trains.
  public var outer: OuterStep
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
  /// How the factors of a full inner step are stored.
  public var factorStorage: FactorStorage
  /// Whether η is learned for every tensor, starting at ``innerLearningRate``.
  public var learnsInnerRates: Bool

  /// LoRA outer, LoRA inner, one exact step at its default rate, gold target.
  public init(
    outer: OuterStep = .lora, inner: InnerStep = .lora, innerParameters: InnerParameters = .all,
    innerLearningRate: Double? = nil, innerSteps: Int = 1, order: Order = .second,
    target: Target = .gold, factorStorage: FactorStorage = .f32, learnsInnerRates: Bool = false
  ) {
    precondition(outer == .lora || inner == .full, "without an adapter there is no LoRA inner step")
    self.outer = outer
    self.factorStorage = factorStorage
    self.learnsInnerRates = learnsInnerRates
    self.inner = inner
    self.innerParameters = innerParameters
    self.innerLearningRate = innerLearningRate ?? inner.defaultLearningRate
    self.innerSteps = innerSteps
    self.order = order
    self.target = target
  }

  /// Which Prompt forms a meta-gradient computes: those that the teacher reads.
  public var prompts: PromptForms { target == .teacher ? .allSharing : .none }
}
