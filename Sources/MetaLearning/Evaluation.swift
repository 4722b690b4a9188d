public import Llama
public import LoRA
public import Operations
public import Storage
import Weights

/// What is evaluated beside NC, Prompt and FT.
public struct EvaluationOptions: Sendable {
  /// Whether FT is repeated on another task's context (Zhang et al. 2025, Table 5).
  public var irrelevantContext: Bool
  /// Numbers of contexts whose retention is measured (Table 2).
  public var retention: [Int]
  /// Decides which other context a task meets, and the groups of retention.
  public var seed: UInt64
  /// Decodes and reads greedy answers; nil for none.
  public var reader: AnswerReader?

  /// Nothing unless said otherwise.
  public init(
    irrelevantContext: Bool = false, retention: [Int] = [], seed: UInt64 = 0,
    reader: AnswerReader? = nil
  ) {
    self.irrelevantContext = irrelevantContext
    self.retention = retention
    self.seed = seed
    self.reader = reader
  }
}

/// Why an evaluation cannot be done.
public enum EvaluationError: Error, CustomStringConvertible, Equatable {
  /// The budget is too small; this many bytes are needed.
  case memory(needed: Int)
  /// There are fewer tasks of different contexts than a group of retention has.
  case retention(contexts: Int, tasks: Int)
  /// Not every task has others whose contexts differ from its own.
  case noOtherContext

  /// One line.
  public var description: String {
    switch self {
    case .memory(let needed):
      "--memory: at least \((needed + (1 << 20) - 1) >> 20) MiB are needed"
    case .retention(let contexts, let tasks):
      "--retention \(contexts): \(tasks) tasks do not make a group of \(contexts) different contexts"
    case .noOtherContext:
      "--irrelevant-context: not every task has another one with another context"
    }
  }
}

/// Evaluates an adapter on tasks, several in one sweep over the weights, within a memory budget.
///
/// Typical flow:
///
///     let evaluator = Evaluator(weights: weights, adapter: adapter, …)
///     let report = try evaluator.run(groups, options: .init(irrelevantContext: true))
public struct Evaluator {
  /// The base weights.
  public let weights: LlamaWeights<Float>
  /// The adapter, φ.
  public let adapter: AdapterTensors<Float>
  /// The inner step.
  public let configuration: MetaConfiguration
  /// Threads.
  public let workers: Workers
  /// The memory to use, bytes.
  public let budget: Int
  /// What the process takes besides, bytes; nil to measure it.
  public var floor: Int?
  /// Sets up inner rates that were learned.
  public var readRates: (InnerRates<Float>) throws -> Void = { _ in }

  /// An evaluator of `adapter` whose inner steps are those of `configuration`.
  public init(
    weights: LlamaWeights<Float>, adapter: AdapterTensors<Float>, configuration: MetaConfiguration,
    workers: Workers, budget: Int
  ) {
    var configuration = configuration
    // No outer gradient is taken.
    configuration.outer = .lora
    configuration.order = .first
    configuration.target = .gold
    self.weights = weights
    self.adapter = adapter
    self.configuration = configuration
    self.workers = workers
    self.budget = budget
  }

  /// The report of `groups`, and of plain `texts` where there are any.
  ///
  /// `progress` is called with what is being done, and how much of it is done, of all, and `each` with
  /// every group and what its forms gave, in their order, before retention is measured. Throws what
  /// `each` does, ``EvaluationError`` where the options cannot be met, ``WeightError`` where a base
  /// weight cannot be read.
  public func run(
    _ groups: [TaskGroup], texts: [[Int32]] = [], options: EvaluationOptions = .init(),
    each: (TaskGroup, GroupScores) throws -> Void = { _, _ in },
    progress: (_ what: String, _ done: Int, _ total: Int) -> Void = { _, _, _ in }
  ) throws -> EvaluationReport {
    let tasks = groups.reduce(0) { $0 + $1.triplets.count }
    let rounds = try options.retention.map { size -> (groups: [TaskGroup], plan: MemoryPlan)? in
      // One context in a model is what FT is already.
      if size == 1, groups.first?.triplets.count == 1 { return nil }
      let round = groups.regrouped(into: size, seed: options.seed)
      if round.isEmpty { throw EvaluationError.retention(contexts: size, tasks: tasks) }
      let (plan, fits) = plan(round, textRows: 0, prompts: .none, options.reader)
      guard fits else { throw EvaluationError.memory(needed: plan.total) }
      return (round, plan)
    }
    var report = try forms(groups, texts, options, each, progress)
    if rounds.isEmpty { return report }
    report.retention = try zip(options.retention, rounds).map { size, round in
      guard let round else {
        return Retention(
          contexts: 1, groups: groups.count, batched: report.ft, sequential: report.ft)
      }
      return try retention(of: round.groups, contexts: size, round.plan, options.reader, progress)
    }
    return report
  }

  /// NC, Prompt and FT; the buffers are returned before others are planned.
  private func forms(
    _ groups: [TaskGroup], _ texts: [[Int32]], _ options: EvaluationOptions,
    _ each: (TaskGroup, GroupScores) throws -> Void, _ progress: (String, Int, Int) -> Void
  ) throws -> EvaluationReport {
    let arena = Arena()
    let (shared, others, plan) = try sharing(
      groups, textRows: texts.map(\.count).max() ?? 0, options)
    let meta = try meta(plan, arena)
    var scores: [GroupScores] = []
    for range in shared.groups.indices.cut(into: plan.together) {
      scores += try meta.evaluate(
        Array(shared.groups[range]), reader: options.reader,
        contextsOf: others.map { Array($0[range]) })
      progress("evaluating", shared.tasks(of: scores.count), groups.count)
    }
    let apart = shared.apart(scores)
    for (group, scores) in zip(groups, apart) { try each(group, scores) }
    var report = EvaluationReport(
      apart, contextsPerUpdate: groups.first?.triplets.count ?? 1,
      clusters: groups.placesByContexts)
    report.plainText = try plainText(meta, texts, progress)
    return report
  }

  private func plainText(
    _ meta: MetaGradient<Float>, _ texts: [[Int32]], _ progress: (String, Int, Int) -> Void
  ) throws -> Estimate? {
    var losses: [Double] = []
    for text in texts {
      let row = try meta.score(texts: [text])[0].map(\.negativeLogLikelihood)
      losses.append(row.reduce(0, +) / Double(row.count))
      progress("plain text", losses.count, texts.count)
    }
    return losses.isEmpty ? nil : Estimate(losses)
  }

  private func retention(
    of groups: [TaskGroup], contexts: Int, _ plan: MemoryPlan, _ reader: AnswerReader?,
    _ progress: (String, Int, Int) -> Void
  ) throws -> Retention {
    let arena = Arena()
    let meta = try meta(plan, arena)
    let ways = contexts == 1 ? [false] : [false, true]
    var scores = ways.map { _ in [ResponseScore]() }
    for range in groups.indices.cut(into: plan.together) {
      for (way, oneByOne) in ways.enumerated() {
        scores[way] += try meta.evaluateRetention(
          Array(groups[range]), oneByOne: oneByOne, reader: reader)
      }
      progress("retention of \(contexts)", range.upperBound, groups.count)
    }
    let clusters = groups.placesByContexts
    let batched = FormReport(scores[0], clusters: clusters)
    return Retention(
      contexts: contexts, groups: groups.count, batched: batched,
      sequential: ways.count == 1 ? batched : FormReport(scores[1], clusters: clusters))
  }

  /// `tasks` with as many queries of one context together as the memory holds, whose contexts they meet
  /// where the control is asked for, and a plan for both.
  private func sharing(
    _ tasks: [TaskGroup], textRows: Int, _ options: EvaluationOptions
  ) throws -> (shared: SharedContexts, others: [TaskGroup]?, plan: MemoryPlan) {
    var needed = 0
    for queries in [8, 4, 2, 1] {
      let shared = SharedContexts(tasks, queries: queries)
      let others =
        options.irrelevantContext ? shared.groups.withOtherContexts(seed: options.seed) : nil
      if options.irrelevantContext, others == nil { throw EvaluationError.noOtherContext }
      let (plan, fits) = plan(
        shared.groups, others: others ?? [], textRows: textRows, prompts: .allSharing,
        options.reader)
      if fits { return (shared, others, plan) }
      needed = plan.total
    }
    throw EvaluationError.memory(needed: needed)
  }

  private func plan(
    _ groups: [TaskGroup], others: [TaskGroup] = [], textRows: Int, prompts: PromptForms,
    _ reader: AnswerReader?
  ) -> (plan: MemoryPlan, fits: Bool) {
    MemoryPlanner(
      weights: weights, layout: adapter.layout, configuration: configuration, groups: groups,
      others: others, textRows: textRows, prompts: prompts, workers: workers, trains: false,
      floor: floor, answerTokens: reader?.end.maximum ?? 0
    ).best(budget: budget, batchSize: 32)
  }

  private func meta(_ plan: MemoryPlan, _ arena: Arena) throws -> MetaGradient<Float> {
    let meta = MetaGradient(
      weights: weights, adapter: adapter, configuration: configuration,
      limits: plan.limits, policy: plan.keep, workers: workers, arena: arena)
    try readRates(meta.rates)
    return meta
  }
}

extension Range<Int> {
  /// Parts of at most `size`, in order.
  fileprivate func cut(into size: Int) -> [Range<Int>] {
    stride(from: lowerBound, to: upperBound, by: size).map {
      $0..<Swift.min($0 + size, upperBound)
    }
  }
}
