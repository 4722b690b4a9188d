public import MetaLearning

/// Which ``TrainingCase``s a benchmark of memory against rank runs.
public struct MemoryRankGrid: Sendable {
  /// Ranks of the adapter.
  public var ranks: [Int]
  /// What is trained and what the inner step moves.
  public var variants: [(outer: OuterStep, inner: InnerStep)]
  /// Tokens of a context.
  public var contexts: [Int]
  /// Contexts that share one inner step.
  public var contextsPerUpdate: [Int]
  /// Tokens of query and response.
  public var queryTokens: Int
  /// Budgets of the sweep of time against memory, in bytes.
  public var budgets: [Int]
  /// Rank, context and batch of that sweep.
  public var sweep: (rank: Int, context: Int, batch: Int)

  /// All choices.
  public init(
    ranks: [Int], variants: [(outer: OuterStep, inner: InnerStep)], contexts: [Int],
    contextsPerUpdate: [Int], queryTokens: Int, budgets: [Int],
    sweep: (rank: Int, context: Int, batch: Int)
  ) {
    self.ranks = ranks
    self.variants = variants
    self.contexts = contexts
    self.contextsPerUpdate = contextsPerUpdate
    self.queryTokens = queryTokens
    self.budgets = budgets
    self.sweep = sweep
  }

  /// The cases, each once: the leanest plan for every combination, then the sweep over budgets.
  ///
  /// A dense outer loop has no rank: it takes the place of an adapter once per context and K.
  public var cases: [TrainingCase] {
    var cases: [TrainingCase] = []
    for variant in variants {
      for context in contexts {
        for together in contextsPerUpdate {
          for rank in variant.outer == .full ? [0] : ranks {
            cases.append(
              TrainingCase(
                outer: variant.outer, inner: variant.inner, rank: rank, contextTokens: context,
                queryTokens: queryTokens, contextsPerUpdate: together))
          }
        }
      }
    }
    for variant in variants where variant.outer == .lora {
      for budget in budgets {
        cases.append(
          TrainingCase(
            inner: variant.inner, rank: sweep.rank, contextTokens: sweep.context,
            queryTokens: queryTokens, batch: sweep.batch, budget: budget))
      }
    }
    var seen: Set<TrainingCase> = []
    return cases.filter { seen.insert($0).inserted }
  }
}
