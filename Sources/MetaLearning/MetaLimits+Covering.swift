public import Text

extension MetaLimits {
  /// Limits that hold for any `together` of `groups` in one sweep, with their Prompt forms where
  /// `prompts`, and other texts of up to `textRows` rows.
  public init(
    covering groups: [TaskGroup], together: Int, prompts: Bool, logitRows: Int, textRows: Int = 0
  ) {
    func most(_ count: (TaskGroup) -> Int) -> Int {
      groups.map(count).sorted(by: >).prefix(together).reduce(0, +)
    }
    let longest =
      groups.flatMap(\.triplets).map {
        max($0.context.count, prompts ? $0.prompted.count : $0.unprompted.count)
      }.max() ?? 1
    let inner = most(\.innerRows)
    let outer = max(most(\.outerRows), prompts ? most(\.promptedRows) : 0, textRows)
    self.init(
      groups: together, innerRows: inner, outerRows: max(outer, prompts ? inner : 0),
      scoredRows: most(\.responseTokens), sequence: max(longest, textRows + 1),
      logitRows: min(logitRows, max(inner, outer)))
  }
}

extension TaskGroup.Triplet {
  /// A task of a file.
  public init(_ task: TokenizedTask) {
    self.init(
      context: task.context, query: task.query, response: task.response,
      separator: task.separator)
  }
}
