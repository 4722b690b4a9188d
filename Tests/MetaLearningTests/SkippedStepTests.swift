import Foundation
import Llama
import LoRA
import MetaLearning
import Optimizers
import Storage
import TestSupport
import Testing
import Weights

/// Losses and gradients that are not finite.
@Suite struct SkippedStepTests {
  /// Task 5 has an id whose embedding is not a number.
  private func trainer(
    batchSize: Int = 1, tasksInGroup: Int = 1, promptWeight: Double = 0, rate: Double = 0.01,
    innerRate: Double = 0.1, poisoned: Int? = 66, maxGradNorm: Double? = 1
  ) throws -> Trainer {
    let triplets = (0..<8).map { index -> TaskGroup.Triplet in
      let start = Int32(index) * 5
      return .init(
        context: index == 4 ? [1, 66, 3] : [start + 1, start + 2, start + 3],
        query: [start + 2], response: [start + 4], separator: [0])
    }
    let groups = stride(from: 0, to: 8, by: tasksInGroup).map {
      TaskGroup(Array(triplets[$0..<$0 + tasksInGroup]))
    }
    let configuration = TrainingConfiguration(
      adapter: .init(rank: 2), meta: .init(innerLearningRate: innerRate),
      schedule: .init(peak: rate, warmupSteps: 0, totalSteps: 100, decay: .constant),
      batchSize: batchSize, contextsPerUpdate: tasksInGroup, promptWeight: promptWeight,
      maxGradNorm: maxGradNorm, seed: 4)
    return try Trainer(
      weights: try TinyModel.variant(bias: false, untied: true) { name, values in
        guard let poisoned, name == "model.embed_tokens.weight" else { return values }
        return values.enumerated().map { $0.offset / 32 == poisoned ? .nan : $0.element }
      },
      configuration: configuration, groups: groups, texts: [],
      plan: MemoryPlan(
        together: batchSize, keep: KeepPolicy(activations: 1), logitRows: 8,
        limits: MetaLimits(
          packing: groups, together: batchSize, prompts: .all, logitRows: 8, textRows: 0)),
      workers: Workers(count: 1), arena: Arena())
  }

  @Test func aStepThatIsNotFiniteChangesNothing() throws {
    let trainer = try trainer()
    let folder = try TemporaryFolder()
    let run = RunFolder(path: folder.path)
    var skipped = 0
    // Two passes over the eight tasks meet the fifth twice.
    for step in 1...16 {
      let before = trainer.state.map(\.values.elements)
      let steps = trainer.optimizer.adam.steps
      let metrics = try trainer.advance()
      try run.append(metrics)
      #expect(metrics.step == step && trainer.step == step)
      if metrics.skippedSteps > skipped {
        skipped += 1
        #expect(trainer.state.map(\.values.elements) == before)
        #expect(trainer.optimizer.adam.steps == steps && !metrics.outerLoss.isFinite)
      } else {
        #expect(trainer.optimizer.adam.steps == steps + 1 && metrics.outerLoss.isFinite)
      }
    }
    #expect(skipped == 2 && trainer.skippedSteps == 2)
    #expect(trainer.state.allSatisfy { $0.values.elements.allSatisfy(\.isFinite) })
    try run.checkpoint(trainer, run: CheckpointTests.description(trainer))
    let second = try self.trainer()
    try second.restore(try #require(try run.latestCheckpoint()))
    #expect(second.step == 16 && second.skippedSteps == 2 && second.optimizer.adam.steps == 14)
    // JSON has no such numbers: they are strings.
    let lines = try String(contentsOfFile: folder.file("metrics.jsonl"), encoding: .utf8)
    #expect(lines.split(separator: "\n").count == 16)
    #expect(lines.contains("\"outer_loss\":\"NaN\"") && lines.contains("\"skipped_steps\":2"))
  }

  @Test(arguments: [(1, 1, 0.0, "task 5"), (4, 1, 0.3, "task 5"), (2, 2, 0, "tasks 5 to 6")])
  func theTaskIsNamed(
    _ batchSize: Int, _ tasksInGroup: Int, _ promptWeight: Double, _ name: String
  ) throws {
    let trainer = try trainer(
      batchSize: batchSize, tasksInGroup: tasksInGroup, promptWeight: promptWeight)
    trainer.maxSkippedSteps = 1
    let error = #expect(throws: WeightError.self) {
      while true { _ = try trainer.advance() }
    }
    #expect(trainer.skippedSteps == 1)
    #expect(error?.path == "step \(trainer.step + 1)")
    #expect(
      error?.problem
        == "the loss or its gradient is not finite for \(name), after 1 skipped steps"
    )
  }

  /// Without clipping, a gradient whose square is no f32 would stay in the second moment for ever.
  @Test func aGradientThatIsTooLarge() throws {
    let trainer = try trainer(promptWeight: 1e25, poisoned: nil, maxGradNorm: nil)
    trainer.maxSkippedSteps = 3
    #expect(throws: WeightError.self) { for _ in 0..<40 { _ = try trainer.advance() } }
    #expect(trainer.state.allSatisfy { $0.values.elements.allSatisfy(\.isFinite) })
  }

  @Test func aLearningRateThatMakesTheAdapterInfinite() throws {
    let trainer = try trainer(rate: 1e38, poisoned: nil)
    let folder = try TemporaryFolder()
    let run = RunFolder(path: folder.path)
    let error = #expect(throws: WeightError.self) {
      for _ in 0..<100 { _ = try trainer.advance() }
    }
    #expect(error?.problem.contains("not finite") == true)
    if !trainer.state.allSatisfy({ $0.values.elements.allSatisfy(\.isFinite) }) {
      #expect(throws: WeightError.self) {
        try run.checkpoint(trainer, run: CheckpointTests.description(trainer))
      }
      #expect(folder.names.isEmpty)
    }
  }
}
