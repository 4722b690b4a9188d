/// Plain fine-tuning of θ: no inner step, first-order losses of tasks and plain text alone.
public struct FinetuningConfiguration: Codable, Equatable, Sendable {
  /// The share of the tasks' loss that the Prompt form has.
  public var promptShare: Double
  /// The share of the NC form.
  public var ncShare: Double
  /// Whether each task takes one form, drawn with these shares, instead of both: the same expected
  /// loss for the work of one form.
  public var mixesForms: Bool
  /// Whether only responses are scored, or every token of a task.
  public var masksPrompt: Bool

  /// Both forms alike, responses scored.
  public init(
    promptShare: Double = 0.5, ncShare: Double = 0.5, mixesForms: Bool = false,
    masksPrompt: Bool = true
  ) {
    self.promptShare = promptShare
    self.ncShare = ncShare
    self.mixesForms = mixesForms
    self.masksPrompt = masksPrompt
  }

  /// The method's choices that leave a step with no inner step, for what `outer` trains.
  public static func method(training outer: OuterStep = .lora) -> MetaConfiguration {
    MetaConfiguration(outer: outer, inner: outer == .full ? .full : .lora, order: .first)
  }

  /// The share of a form.
  public func share(_ form: TaskForm) -> Double { form == .prompt ? promptShare : ncShare }

  /// The forms that are trained at all.
  public var forms: [TaskForm] { TaskForm.allCases.filter { share($0) > 0 } }

  /// Sequences of a task in a step.
  public var formsPerTask: Int { mixesForms ? 1 : forms.count }
}
