import Llama
public import Text

extension MetaLimits {
  /// Limits that hold for any `together` of `groups` in one sweep, with their Prompt forms as
  /// `prompts` says, other texts of up to `textRows` rows, and greedy answers of up to `answerTokens`; and
  /// for inner steps on the contexts of any `together` of `others`.
  public init(
    covering groups: [TaskGroup], others: [TaskGroup] = [], together: Int, prompts: PromptForms,
    logitRows: Int, textRows: Int = 0, answerTokens: Int = 0
  ) {
    func most(_ groups: [TaskGroup], _ count: (TaskGroup) -> Int) -> Int {
      groups.map(count).sorted(by: >).prefix(together).reduce(0, +)
    }
    let triplets = groups.flatMap(\.triplets)
    let longest =
      (triplets + others.flatMap(\.triplets)).map(\.context.count)
      + triplets.map { prompts == .none ? $0.unprompted.count : $0.prompted.count }
    let inner = max(most(groups, \.innerRows), most(others, \.innerRows))
    let sharesContexts = groups.shareContexts(prompts)
    // NC, Prompt and FT are decoded together, a row each.
    let decoded =
      answerTokens == 0 ? 0 : most(groups, \.triplets.count) * (prompts == .none ? 1 : 3)
    let outer = max(
      most(groups, \.outerRows), most(groups) { $0.promptedRows(prompts) }, textRows, decoded)
    self.init(
      groups: together, innerRows: inner, outerRows: max(outer, prompts == .none ? 0 : inner),
      scoredRows: most(groups, \.responseTokens),
      sequence: max((longest.max() ?? 1) + answerTokens, textRows + 1),
      logitRows: min(logitRows, max(inner, outer)),
      cachedTokens: answerTokens == 0 && !sharesContexts
        ? 0
        : most(groups) { $0.cachedTokens(prompts: prompts != .none, maximum: answerTokens) },
      answerTokens: answerTokens)
  }
}

extension [TaskGroup] {
  /// Whether Prompt forms in `forms` read a context once for several queries.
  func shareContexts(_ forms: PromptForms) -> Bool {
    forms == .allSharing && contains { $0.contexts.count < $0.triplets.count }
  }
}

extension TaskGroup {
  /// Tokens of all queries in Prompt form.
  var promptedTokens: Int { triplets.reduce(0) { $0 + $1.prompted.count } }

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
