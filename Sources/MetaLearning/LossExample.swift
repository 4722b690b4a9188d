/// What stands before a task's response where the response is trained (Zhang et al. 2025, §4.3).
public enum TaskForm: String, CaseIterable, Codable, Sendable {
  /// Prompt: c ⊕ separator ⊕ q ⊕ a.
  case prompt
  /// NC, no context: q ⊕ a.
  case nc
}

/// A sequence whose tokens θ itself, not θ′, should predict, and its weight in the loss.
public struct LossExample: Sendable {
  /// The sequence, two tokens or more.
  public let tokens: [Int32]
  /// How many of its last tokens are scored; their mean −log P is the example's loss.
  public let predicted: Int
  /// The weight of that mean.
  public let weight: Double

  /// All values. Needs 1 ≤ predicted < tokens.count and a positive weight.
  public init(tokens: [Int32], predicted: Int, weight: Double) {
    precondition(predicted >= 1 && predicted < tokens.count && weight > 0)
    self.tokens = tokens
    self.predicted = predicted
    self.weight = weight
  }

  /// A task in `form`: scored on its response or, without `masksPrompt`, on every token but the
  /// first.
  public init(_ task: TaskGroup.Triplet, _ form: TaskForm, weight: Double, masksPrompt: Bool = true)
  {
    let tokens = form == .prompt ? task.prompted : task.unprompted
    self.init(
      tokens: tokens, predicted: masksPrompt ? task.response.count : tokens.count - 1,
      weight: weight)
  }

  /// Plain text, scored on every token but the first.
  public init(text: [Int32], weight: Double) {
    self.init(tokens: text, predicted: text.count - 1, weight: weight)
  }

  /// Rows in a sweep: tokens that predict another.
  public var rows: Int { tokens.count - 1 }
  /// What it takes of a sweep.
  public var size: SequenceSize { SequenceSize(rows: rows, scored: predicted) }
}

/// What a sequence takes of a sweep.
public struct SequenceSize: Sendable {
  /// Its rows.
  public var rows: Int
  /// Those that are scored.
  public var scored: Int

  /// Both.
  public init(rows: Int, scored: Int) {
    self.rows = rows
    self.scored = scored
  }
}
