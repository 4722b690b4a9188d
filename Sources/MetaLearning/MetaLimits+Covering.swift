import Llama
public import Text

extension MetaLimits {
  /// Limits that hold for any `together` of `groups` in one sweep, with their Prompt forms as
  /// `prompts` says, other texts of up to `textRows` rows, and greedy answers of up to `answerTokens`.
  public init(
    covering groups: [TaskGroup], together: Int, prompts: PromptForms, logitRows: Int,
    textRows: Int = 0, answerTokens: Int = 0
  ) {
    func most(_ count: (TaskGroup) -> Int) -> Int {
      groups.map(count).sorted(by: >).prefix(together).reduce(0, +)
    }
    let longest =
      groups.flatMap(\.triplets).map {
        max($0.context.count, prompts == .none ? $0.unprompted.count : $0.prompted.count)
      }.max() ?? 1
    let inner = most(\.innerRows)
    let sharesContexts =
      prompts == .allSharing && groups.contains { $0.contexts.count < $0.triplets.count }
    let outer = max(most(\.outerRows), most { $0.promptedRows(prompts) }, textRows)
    self.init(
      groups: together, innerRows: inner, outerRows: max(outer, prompts == .none ? 0 : inner),
      scoredRows: most(\.responseTokens), sequence: max(longest + answerTokens, textRows + 1),
      logitRows: min(logitRows, max(inner, outer)),
      cachedTokens: answerTokens == 0 && !sharesContexts
        ? 0 : most { $0.cachedTokens(prompts: prompts == .allSharing, maximum: answerTokens) })
  }
}

extension TaskGroup {
  /// Tokens that a key-value cache holds of the queries with answers of at most `maximum` tokens: in
  /// FT, and where `prompts` also in NC and in Prompt form.
  func cachedTokens(prompts: Bool, maximum: Int) -> Int {
    triplets.reduce(0) {
      let bare = $1.question(prompted: false).cachedTokens(maximum: maximum)
      return $0 + bare
        + (prompts ? bare + $1.question(prompted: true).cachedTokens(maximum: maximum) : 0)
    }
  }
}

extension TaskGroup.Triplet {
  /// A task of a file, `number` counted from 1.
  public init(_ task: TokenizedTask, number: Int? = nil) {
    self.init(
      context: task.context, query: task.query, response: task.response,
      separator: task.separator, start: task.start, answers: task.answers, number: number)
  }
}
