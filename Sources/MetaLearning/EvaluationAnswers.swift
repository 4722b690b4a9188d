public import Llama
public import Text

/// Reads greedy answers: where they end, and how well they match what is accepted.
public struct AnswerReader: Sendable {
  /// Where an answer ends.
  public let end: AnswerEnd
  private let tokenizer: Tokenizer

  /// A reader of answers.
  ///
  /// An answer ends before an id of `stops`, after `maximum` tokens (or as many as the response has),
  /// and at its first line feed unless an answer that its task accepts has one inside.
  public init(tokenizer: Tokenizer, stops: Set<Int32>, maximum: Int) {
    self.tokenizer = tokenizer
    end = AnswerEnd(stops: stops, closing: tokenizer.lineFeeds, maximum: maximum)
  }

  /// How well the answer `ids` matches what `task` accepts.
  func score(_ ids: [Int32], _ task: TaskGroup.Triplet) -> AnswerScore {
    let text = tokenizer.decode(ids, skipSpecialTokens: true)
    let answer = hasLines(task) ? text : String(text.prefix { !$0.isNewline })
    return AnswerScore(answer, accepted: accepted(task))
  }

  /// Whether an answer that `task` accepts has a line feed inside.
  func hasLines(_ task: TaskGroup.Triplet) -> Bool {
    accepted(task).contains { $0.trimmingLineFeeds.contains("\n") }
  }

  private func accepted(_ task: TaskGroup.Triplet) -> [String] {
    task.answers.isEmpty
      ? [tokenizer.decode(task.response, skipSpecialTokens: true)] : task.answers
  }
}

extension TaskGroup.Triplet {
  /// The query, behind the context where `prompted`, and the response that is looked for.
  func question(prompted: Bool, staysOpen: Bool = false) -> Question {
    prompted
      ? Question(
        prompt: context + separator + query, response: response, context: context.count,
        staysOpen: staysOpen)
      : Question(prompt: start + query, response: response, staysOpen: staysOpen)
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
