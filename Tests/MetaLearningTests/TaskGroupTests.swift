import Llama
import LoRA
import MetaLearning
import Optimizers
import Storage
import TestSupport
import Testing
import Weights

/// Tasks that share a context.
@Suite struct TaskGroupTests {
  private func task(_ number: Int, context: Int32, query: Int = 1) -> TaskGroup.Triplet {
    .init(
      context: [context, 2, 3], query: [Int32](repeating: 4, count: query),
      response: [Int32(5 + number)], separator: [1], number: number)
  }

  /// Contexts 7, 8 and 9 with four, two and one task.
  private var tasks: [TaskGroup.Triplet] {
    zip(1..., [7, 8, 7, 7, 9, 8, 7] as [Int32]).map { task($0, context: $1) }
  }

  @Test(arguments: [
    (1, 1, [[1], [2], [3], [4], [5], [6], [7]]), (2, 1, [[1, 2], [3, 4], [5, 6]]),
    (1, 2, [[1, 3], [4, 7], [2, 6], [5]]), (1, 3, [[1, 3, 4], [7], [2, 6], [5]]),
    (1, 9, [[1, 3, 4, 7], [2, 6], [5]]), (2, 9, [[1, 3, 4, 7, 2, 6]]), (4, 9, []),
  ])
  func tasksAreGroupedByContext(_ contexts: Int, _ queries: Int, _ expected: [[Int]]) {
    let groups = tasks.grouped(contexts: contexts, queries: queries)
    #expect(groups.map { $0.triplets.compactMap(\.number) } == expected)
  }

  /// A shared context has rows once, queries as many as they are, the Prompt form as is asked.
  @Test func rows() {
    let group = TaskGroup([
      task(1, context: 7), task(2, context: 8), task(3, context: 7, query: 4),
    ])
    #expect(group.contexts == [[0, 2], [1]])
    #expect(group.innerRows == 2 + 2 && group.outerRows == 1 + 1 + 4)
    #expect(group.promptedRows(.none) == 0)
    #expect(group.promptedRows(.all) == 5 + 5 + 8 && group.promptedRows(.onePerContext) == 8 + 5)
    #expect(group.promptedRows(.allSharing) == 5 + 5 + 8 - 3)
  }

  private func trainer(
    _ groups: [TaskGroup], promptWeight: Double, poisoned: Int? = nil
  ) throws -> Trainer {
    try Trainer(
      weights: try TinyModel.variant(bias: false, untied: true) { name, values in
        guard let poisoned, name == "model.embed_tokens.weight" else { return values }
        return values.enumerated().map { $0.offset / 32 == poisoned ? .nan : $0.element }
      },
      configuration: TrainingConfiguration(
        adapter: .init(rank: 2), meta: .init(),
        // Nothing moves, so that losses are those of the start.
        schedule: .init(peak: 1e-30, warmupSteps: 0, totalSteps: 100, decay: .constant),
        batchSize: groups.count, promptWeight: promptWeight, seed: 4),
      groups: groups, texts: [],
      plan: MemoryPlan(
        together: 1, keep: KeepPolicy(activations: 1), logitRows: 8,
        limits: MetaLimits(
          packing: groups, together: 1, prompts: .onePerContext, logitRows: 8, textRows: 0)),
      workers: Workers(count: 1), arena: Arena())
  }

  /// The loss in Prompt form is that of one task of a context, and of each now and then.
  @Test func onePromptOfAContextIsDrawn() throws {
    let tasks = (1...3).map { task($0, context: 7) }
    let alone = try tasks.map {
      try #require(try trainer([TaskGroup([$0])], promptWeight: 0.3).advance().promptLoss)
    }
    let together = try trainer([TaskGroup(tasks)], promptWeight: 0.3)
    var met: [Int] = []
    for _ in 0..<40 {
      let loss = try #require(try together.advance().promptLoss)
      // The same sweep in the same arithmetic.
      met.append(try #require(alone.firstIndex(of: loss), "\(loss) is none of \(alone)"))
    }
    #expect(Set(met) == [0, 1, 2])
  }

  /// Which tasks are to blame is said by their numbers in the file.
  @Test func tasksThatShareAContextAreNamed() throws {
    var tasks = [task(2, context: 7), task(5, context: 7), task(9, context: 7)]
    tasks[1].query = [66]
    let trainer = try trainer([TaskGroup(tasks)], promptWeight: 0, poisoned: 66)
    trainer.maxSkippedSteps = 0
    let error = #expect(throws: WeightError.self) { _ = try trainer.advance() }
    #expect(error?.problem == "the loss or its gradient is not finite for tasks 2, 5, 9")
  }
}
