import Foundation
import Llama
import LoRA
import MetaLearning
import Operations
import Storage
import TestSupport
import Testing
import Weights

@Suite struct EvaluationTests {
  static func groups(_ count: Int) -> [TaskGroup] {
    var random = SplitMix64(seed: 3)
    func ids(_ count: Int) -> [Int32] { (0..<count).map { _ in Int32(random.next() % 67) } }
    return (0..<count).map { index in
      TaskGroup([
        .init(
          context: ids(5 + index % 4), query: ids(1 + index % 3), response: ids(1 + index % 2),
          separator: [1])
      ])
    }
  }

  static func meta(
    _ weights: LlamaWeights<Double>, _ adapter: AdapterTensors<Double>,
    _ configuration: MetaConfiguration, _ groups: [TaskGroup], prompts: PromptForms = .all,
    arena: Arena
  ) -> MetaGradient<Double> {
    MetaGradient(
      weights: weights, adapter: adapter, configuration: configuration,
      limits: MetaLimits(covering: groups, together: groups.count, prompts: prompts, logitRows: 7),
      policy: .lean, workers: Workers(count: 2), arena: arena)
  }

  // MARK: Controls

  @Test func everyTaskMeetsAnotherContext() throws {
    var groups = Self.groups(40)
    // Contexts that come several times, as SQuAD's do.
    func give(_ context: [Int32], to index: Int) {
      var task = groups[index].triplets[0]
      task.context = context
      groups[index] = TaskGroup([task])
    }
    for index in 0..<20 { give([Int32(index % 3), 2], to: index) }
    for seed in UInt64(0)..<8 {
      let others = try #require(groups.withOtherContexts(seed: seed))
      for (own, other) in zip(groups, others) {
        #expect(own.triplets[0].context != other.triplets[0].context)
      }
      // Tasks of one context meet the same other one, and every context is met by those of one other.
      let pairs = Set(
        zip(groups, others).map { "\($0.triplets[0].context) \($1.triplets[0].context)" })
      #expect(pairs.count == 23)
      #expect(Set(others.map(\.triplets[0].context)).count == 23)
      let again = try #require(groups.withOtherContexts(seed: seed))
      #expect(again.map(\.triplets[0].context) == others.map(\.triplets[0].context))
    }
    for index in 0..<40 { give([1, 2], to: index) }
    #expect(groups.withOtherContexts(seed: 0) == nil)
    #expect(Self.groups(1).withOtherContexts(seed: 0) == nil)
    give([1, 3], to: 39)
    #expect(groups.withOtherContexts(seed: 0) != nil)

    // Groups of several: none of their contexts, in whichever order.
    func group(_ contexts: Int32...) -> TaskGroup {
      TaskGroup(contexts.map { .init(context: [$0, 0], query: [1], response: [2], separator: []) })
    }
    let several = [group(1, 2), group(2, 1), group(2, 3), group(4, 5), group(1, 6), group(4, 6)]
    for seed in UInt64(0)..<8 {
      let others = try #require(several.withOtherContexts(seed: seed))
      for (own, other) in zip(several, others) {
        let contexts = Set(own.triplets.map(\.context))
        #expect(contexts.isDisjoint(with: other.triplets.map(\.context)))
      }
    }
    #expect([group(1, 2), group(2, 1), group(2, 3)].withOtherContexts(seed: 0) == nil)
  }

  // MARK: Reports

  /// A report does not depend on how many tasks share a sweep, and goes through JSON.
  @Test(arguments: [InnerStep.lora, .full]) func theReport(_ inner: InnerStep) throws {
    let arena = Arena()
    let groups = Self.groups(9)
    let weights: LlamaWeights<Float> = try TinyModel.weights()
    let adapter: AdapterTensors<Float> = try TinyModel.adapter("lora_r3", arena: arena)
    let configuration = MetaConfiguration(inner: inner, innerLearningRate: 0.02)
    let options = EvaluationOptions(irrelevantContext: true, retention: [1, 4], seed: 2)
    func report(_ budget: Int) throws -> EvaluationReport {
      var evaluator = Evaluator(
        weights: weights, adapter: adapter, configuration: configuration,
        workers: Workers(count: 2), budget: budget)
      evaluator.floor = 0
      return try evaluator.run(groups, texts: [[1, 2, 3, 4], [9, 8, 7]], options: options)
    }
    let wide = try report(1 << 30)
    // What a refusal asks for is enough for that part of the evaluation.
    var budget = 1 << 16
    var refusals = 0
    var narrow: EvaluationReport?
    while narrow == nil, refusals < 4 {
      do {
        narrow = try report(budget)
      } catch EvaluationError.memory(let needed) {
        #expect(needed > budget)
        budget = needed
        refusals += 1
      }
    }
    #expect(refusals > 0)
    let lean = try #require(narrow)
    #expect(abs(lean.ft.nll.mean - wide.ft.nll.mean) < 1e-5)
    for (a, b) in zip(lean.retention ?? [], wide.retention ?? []) {
      #expect(abs(a.sequential.nll.mean - b.sequential.nll.mean) < 1e-5)
      #expect(abs(a.batched.nll.mean - b.batched.nll.mean) < 1e-5)
    }
    #expect(wide.retention?.map(\.groups) == [9, 2] && wide.plainText != nil)
    #expect(wide.irrelevant != nil && wide.irrelevant?.nll.mean != wide.ft.nll.mean)
    let parts = wide.breakdown
    let sum = [parts.neither, parts.both, parts.onlyWithout, parts.onlyWith].reduce(0) {
      $0 + $1.mean
    }
    #expect(abs(sum - 1) < 1e-12 && parts.criterion == .exactMatch)
    let data = try JSONEncoder().encode(wide)
    #expect(try JSONDecoder().decode(EvaluationReport.self, from: data) == wide)
    let keys = try #require(JSONSerialization.jsonObject(with: data) as? [String: Any]).keys
    #expect(
      keys.sorted() == [
        "breakdown", "contexts_per_update", "ft", "ft_irrelevant", "ft_to_prompt",
        "gap_recovered", "groups", "inner_loss", "inner_loss_after", "nc", "plain_text_nll",
        "prompt", "retention",
      ])
    let table = EvaluationTable(wide)
    #expect(table.text.contains("FT, other context") && table.text.contains("in turn"))
    #expect(table.markdown.contains("| NC | "))
  }

  /// Fourteen tasks with three contexts by turns, one of which has more queries than share a step.
  static var tasksOfThreeContexts: [TaskGroup] {
    groups(14).enumerated().map { index, group in
      var task = group.triplets[0]
      task.context = index % 7 == 3 ? [4, 9, 16] : index % 7 == 5 ? [25, 36, 49, 5] : [64, 8, 1]
      return TaskGroup([task])
    }
  }

  /// Tasks that share the inner step on their context have the scores that each has alone, in the order
  /// in which they were given. The same sums in f64: 1e-10.
  @Test(arguments: [InnerStep.lora, .full], [PromptForms.all, .allSharing])
  func sharedContexts(_ inner: InnerStep, _ prompts: PromptForms) throws {
    let arena = Arena()
    let tasks = Self.tasksOfThreeContexts
    let shared = SharedContexts(tasks, queries: 8)
    #expect(shared.groups.map(\.triplets.count) == [8, 2, 2, 2])
    #expect(shared.tasks(of: 2) == 10)
    let others = try #require(shared.groups.withOtherContexts(seed: 1))
    let weights: LlamaWeights<Double> = try TinyModel.weights()
    let adapter: AdapterTensors<Double> = try TinyModel.adapter("lora_r3", arena: arena)
    let meta = Self.meta(
      weights, adapter, .init(inner: inner, innerLearningRate: 0.02, order: .first),
      shared.groups + others, prompts: prompts, arena: arena)
    let scores = try shared.apart(meta.evaluate(shared.groups, contextsOf: others))
    #expect(scores.count == tasks.count)
    for (score, task) in zip(scores, tasks) {
      let alone = try meta.evaluate([task])[0]
      for part in [
        \GroupScores.unprompted.meanNLL, \.prompted.meanNLL, \.adapted.meanNLL, \.innerLoss,
      ] {
        #expect(abs(score[keyPath: part] - alone[keyPath: part]) < 1e-10)
      }
    }
    // The control's scores, task by task.
    for (group, other) in zip(shared.groups, others) {
      for task in group.triplets {
        let alone = try meta.evaluate([TaskGroup([task])], contextsOf: [other])[0]
        let place = try #require(
          tasks.firstIndex {
            $0.triplets[0].query == task.query && $0.triplets[0].context == task.context
              && $0.triplets[0].response == task.response
          })
        let given = try #require(scores[place].irrelevant)
        #expect(given.predictions.count == 1)
        #expect(abs(given.meanNLL - (alone.irrelevant?.meanNLL ?? .nan)) < 1e-10)
      }
    }
    // A step of no size leaves the loss of the contexts where it was, however often a group has each.
    let still = Self.meta(
      weights, adapter, .init(inner: inner, innerLearningRate: 0, order: .first),
      [TaskGroup(tasks[2..<6].flatMap(\.triplets))], prompts: prompts, arena: arena)
    let score = try still.evaluate([TaskGroup(tasks[2..<6].flatMap(\.triplets))])[0]
    #expect(abs(score.innerLoss - score.innerLossAfter) < 1e-10)
    // Groups of several contexts are left alone.
    let pairs = [
      TaskGroup(tasks[..<2].flatMap(\.triplets)), TaskGroup(tasks[2..<4].flatMap(\.triplets)),
    ]
    #expect(SharedContexts(pairs, queries: 8).groups.map(\.triplets.count) == [2, 2])
  }

  /// Where the memory holds one query at a time, the report is the same, whoever meets whose context.
  /// f32 sums in another order: 1e-5.
  @Test(arguments: 0..<4) func sharedContextsInLittleMemory(seed: UInt64) throws {
    let arena = Arena()
    let weights: LlamaWeights<Float> = try TinyModel.weights()
    let adapter: AdapterTensors<Float> = try TinyModel.adapter("lora_r3", arena: arena)
    func report(_ budget: Int) throws -> EvaluationReport {
      var evaluator = Evaluator(
        weights: weights, adapter: adapter, configuration: .init(innerLearningRate: 0.02),
        workers: Workers(count: 1), budget: budget)
      evaluator.floor = 0
      return try evaluator.run(
        Self.tasksOfThreeContexts, options: .init(irrelevantContext: true, seed: seed))
    }
    let wide = try report(1 << 30)
    let refusal = #expect(throws: EvaluationError.self) { try report(1 << 12) }
    guard case .memory(let needed)? = refusal else {
      Issue.record("no refusal for memory")
      return
    }
    let lean = try report(needed)
    #expect(wide.groups == 14 && lean.groups == 14)
    for part in [\EvaluationReport.ft.nll, \.nc.nll, \.prompt.nll, \.innerLossAfter] {
      let (a, b) = (lean[keyPath: part], wide[keyPath: part])
      #expect(abs(a.mean - b.mean) < 1e-5 && abs(a.standardError - b.standardError) < 1e-5)
    }
    let others = try [lean, wide].map { try #require($0.irrelevant).nll.mean }
    #expect(abs(others[0] - others[1]) < 1e-5)
  }

  /// A ratio of means with the standard error of Cochran's formula, by hand: parts 1 0 1 0, wholes
  /// 1 1 1 0, ratio 2/3, residuals 1/3 -2/3 1/3 0.
  @Test func ratios() throws {
    let ratio = try #require(Estimate(ratioOf: [1, 0, 1, 0], to: [1, 1, 1, 0]))
    #expect(abs(ratio.mean - 2.0 / 3) < 1e-12)
    let variance = (1.0 / 9 + 4.0 / 9 + 1.0 / 9) / 3 / 4
    #expect(abs(ratio.standardError - variance.squareRoot() / 0.75) < 1e-12)
    #expect(Estimate(ratioOf: [1, 0], to: [0, 0]) == nil)
    let share = Estimate([1, 1, 1, 0])
    #expect(abs(share.standardError - (0.75 * 0.25 / 3).squareRoot()) < 1e-12)
  }

  /// By hand: the clusters' sums of residuals are 1 and −1, so that the square is 2/1 · 2 / 4².
  @Test func clusters() {
    #expect(Estimate([1, 1, 0, 0], clusters: [[0, 1], [2, 3]]).standardError == 0.5)
    let alone = Estimate([3, 1, 0, 2], clusters: [[0], [1], [2], [3]])
    #expect(alone == Estimate([3, 1, 0, 2]))
    // One cluster says nothing of how clusters differ.
    let single = Estimate([1, 0], clusters: [[0, 1]])
    #expect(single.mean == 0.5 && single.standardError.isNaN)
    #expect(single.percent == "50.0 ± – %" && single.number == "0.500 ± –")
  }

  /// Asking the same questions twice tells nothing new; 1e-6 for sums in f32.
  @Test func tasksOfOneContextAreACluster() throws {
    let groups = Self.groups(3)
    let arena = Arena()
    let evaluator = Evaluator(
      weights: try TinyModel.weights(), adapter: try TinyModel.adapter("lora_r3", arena: arena),
      configuration: .init(), workers: Workers(count: 1), budget: 1 << 30)
    let once = try evaluator.run(groups)
    let twice = try evaluator.run(groups + groups)
    #expect(twice.groups == 6)
    for value in [\EvaluationReport.ft.nll, \.prompt.nll, \.innerLoss, \.ft.tokenAccuracy] {
      let (a, b) = (once[keyPath: value], twice[keyPath: value])
      #expect(abs(a.standardError - b.standardError) < 1e-6 * (1 + a.standardError))
    }
    #expect(once.ft.nll.standardError > 0)
  }

  @Test func numbersThatAreNotFiniteAreNull() throws {
    let data = try JSONEncoder().encode(Estimate([.nan, 1]))
    #expect(String(decoding: data, as: UTF8.self).contains("null"))
    #expect(try JSONDecoder().decode(Estimate.self, from: data).mean.isNaN)
  }

  @Test func tablesAlign() {
    let table = ReportTable(head: ["", "a"], rows: [["long name", "1"], ["x", "22 | 3"]])
    #expect(table.text == "           a\nlong name  1\nx          22 | 3")
    #expect(table.markdown.hasSuffix("| x | 22 \\| 3 |"))
    #expect((-0.04).rounded(to: 1) == "0.0" && (12.345).rounded(to: 2) == "12.35")
    #expect((-1.5).rounded(to: 0) == "-2" && Double.nan.rounded(to: 1) == "nan")
    #expect((-Double.nan).rounded(to: 1) == "nan" && (-Double.infinity).rounded(to: 1) == "-inf")
  }
}
