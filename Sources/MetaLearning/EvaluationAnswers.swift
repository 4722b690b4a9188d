public import Llama
public import Text

/// Reads greedy answers: where they end, and how well they match what is accepted.
public struct AnswerReader: Sendable {
  /// Where an answer ends.
  public let end: AnswerEnd
  private let tokenizer: Tokenizer
  private let endsAtLineFeed: Bool

  /// A reader of answers to the queries of `groups`.
  ///
  /// An answer ends before an id of `stops`, after `maximum` tokens (or as many as the response has),
  /// and at its first line feed unless an accepted answer has one inside.
  public init(tokenizer: Tokenizer, stops: Set<Int32>, maximum: Int, groups: [TaskGroup]) {
    self.tokenizer = tokenizer
    let triplets = groups.flatMap(\.triplets)
    endsAtLineFeed = !triplets.contains { task in
      Self.accepted(task, tokenizer).contains { $0.trimmingLineFeeds.contains("\n") }
    }
    end = AnswerEnd(
      stops: stops, closing: endsAtLineFeed ? tokenizer.lineFeeds : [],
      maximum: maximum)
  }

  /// How well the answer `ids` matches what `task` accepts.
  func score(_ ids: [Int32], _ task: TaskGroup.Triplet) -> AnswerScore {
    AnswerScore(text(ids), accepted: Self.accepted(task, tokenizer))
  }

  /// The words of an answer.
  func text(_ ids: [Int32]) -> String {
    let text = tokenizer.decode(ids, skipSpecialTokens: true)
    return endsAtLineFeed ? String(text.prefix { !$0.isNewline }) : text
  }

  private static func accepted(_ task: TaskGroup.Triplet, _ tokenizer: Tokenizer) -> [String] {
    task.answers.isEmpty
      ? [tokenizer.decode(task.response, skipSpecialTokens: true)] : task.answers
  }
}

extension TaskGroup.Triplet {
  /// The query, behind the context where `prompted`, and the response that is looked for.
  func question(prompted: Bool) -> Question {
    prompted
      ? Question(
        prompt: context + separator + query, response: response, context: context.count)
      : Question(prompt: start + query, response: response)
  }
}

extension String {
  fileprivate var trimmingLineFeeds: Substring {
    var text = self[...]
    while text.first?.isNewline == true { text.removeFirst() }
    while text.last?.isNewline == true { text.removeLast() }
    return text
  }
}
