extension MetaLimits {
  /// Limits for sweeps of up to `together` of `groups` that ``pack(_:prompts:)`` puts together:
  /// room for as many groups of mean size, and at least for the largest group.
  public init(
    packing groups: [TaskGroup], together: Int, prompts: PromptForms, logitRows: Int,
    textRows: Int = 0
  ) {
    let whole = MetaLimits(
      covering: groups, together: together, prompts: prompts, logitRows: logitRows,
      textRows: textRows)
    func room(_ count: (TaskGroup) -> Int) -> Int {
      let sizes = groups.map(count)
      let mean = Double(sizes.reduce(0, +)) / Double(max(sizes.count, 1))
      return max(sizes.max() ?? 0, Int((mean * Double(together)).rounded(.up)))
    }
    let inner = room(\.innerRows)
    let outer = max(room(\.outerRows), room { $0.promptedRows(prompts) }, textRows)
    self.init(
      groups: together, innerRows: inner, outerRows: outer, scoredRows: room(\.responseTokens),
      sequence: whole.sequence, logitRows: min(logitRows, max(inner, outer)),
      cachedTokens: groups.shareContexts(prompts) ? room(\.promptedTokens) : 0)
  }

  /// `forms` as these limits have room for: without a cache no context is shared.
  private func held(_ forms: PromptForms) -> PromptForms {
    forms == .allSharing && cachedTokens == 0 ? .all : forms
  }

  /// Whether any `count` of `groups`, one of them several times even, are one sweep.
  func hold(_ count: Int, of groups: [TaskGroup], prompts: PromptForms) -> Bool {
    let prompts = held(prompts)
    func most(_ rows: (TaskGroup) -> Int) -> Int { count * (groups.map(rows).max() ?? 0) }
    return count <= self.groups && most(\.innerRows) <= innerRows
      && max(most(\.outerRows), most { $0.promptedRows(prompts) }) <= outerRows
      && most(\.responseTokens) <= scoredRows
      && (cachedTokens == 0 || most(\.promptedTokens) <= cachedTokens)
  }

  /// Cuts `groups`, in their order, into sweeps that fit, with Prompt forms as `prompts` says.
  public func pack(_ groups: [TaskGroup], prompts: PromptForms) -> [[TaskGroup]] {
    let prompts = held(prompts)
    var result: [[TaskGroup]] = []
    var rows = (inner: 0, outer: 0, prompted: 0, scored: 0, tokens: 0)
    for group in groups {
      rows.inner += group.innerRows
      rows.outer += group.outerRows
      rows.prompted += group.promptedRows(prompts)
      rows.scored += group.responseTokens
      rows.tokens += group.promptedTokens
      let fits =
        rows.inner <= innerRows && max(rows.outer, rows.prompted) <= outerRows
        && rows.scored <= scoredRows && (cachedTokens == 0 || rows.tokens <= cachedTokens)
        && (result.last?.count ?? self.groups) < self.groups
      if fits {
        result[result.count - 1].append(group)
      } else {
        result.append([group])
        rows = (
          group.innerRows, group.outerRows, group.promptedRows(prompts), group.responseTokens,
          group.promptedTokens
        )
      }
    }
    return result
  }

  /// Limits of plain fine-tuning for sweeps of about `together` of `sequences`: room for as many of
  /// mean size, and at least for the longest.
  public init(
    packing sequences: [SequenceSize], together: Int, logitRows: Int, dropout: Bool = false
  ) {
    let longest = sequences.map(\.rows).max() ?? 1
    let mean =
      Double(sequences.reduce(0) { $0 + $1.rows }) / Double(max(sequences.count, 1))
    let rows = max(longest, Int((mean * Double(together)).rounded(.up)))
    self.init(
      groups: 0, innerRows: 0, outerRows: rows, scoredRows: 0, sequence: longest + 1,
      logitRows: min(logitRows, rows), dropout: dropout)
  }
}
