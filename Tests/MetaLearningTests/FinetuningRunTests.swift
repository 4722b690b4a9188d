import Foundation
import Llama
import LoRA
import MetaLearning
import Operations
import Optimizers
import Storage
import TestSupport
import Testing

/// Runs of plain fine-tuning by the trainer.
@Suite struct FinetuningRunTests {
  static func trainer(
    _ plain: FinetuningConfiguration = .init(), dropout: Double = 0.2, tasks: Bool = true,
    lm: Double = 0.3, steps: Int = 6, together: Int = 2, seed: UInt64 = 4,
    outer: OuterStep = .lora
  ) throws -> Trainer {
    let groups = tasks ? try FinetuningTests.triplets().map { TaskGroup([$0]) } : []
    let texts: [[Int32]] = [[1, 2, 3, 4, 5, 6], [9, 8, 7, 6], [5, 4, 3]]
    var configuration = TrainingConfiguration(
      adapter: .init(rank: 3, alpha: 6, dropout: dropout),
      meta: FinetuningConfiguration.method(training: outer),
      schedule: .init(peak: 0.01, warmupSteps: 2, totalSteps: steps, decay: .cosine), batchSize: 2,
      lmWeight: lm, lmBatchSize: 2, seed: seed)
    configuration.finetuning = plain
    let weights: LlamaWeights<Float> = try TinyModel.weights()
    let layout = AdapterLayout(configuration.adapter, architecture: TinyModel.architecture)
    let sizes =
      groups.flatMap(\.triplets).flatMap { task in
        plain.forms.map { LossExample(task, $0, weight: 1).size }
      } + texts.map { LossExample(text: $0, weight: 1).size }
    let planner = MemoryPlanner(
      weights: weights, layout: layout, configuration: configuration.meta, sequences: sizes,
      workers: Workers(count: 2))
    return try Trainer(
      weights: weights, configuration: configuration, groups: groups, texts: texts,
      plan: planner.plan(together: together, keep: KeepPolicy(activations: 1), logitRows: 8),
      workers: Workers(count: 2), arena: Arena())
  }

  @Test func lossesFallOnTheTinyModel() throws {
    let trainer = try Self.trainer(dropout: 0.05, steps: 40)
    let metrics = try (0..<40).map { _ in try trainer.advance() }
    let (first, last) = (metrics.prefix(6), metrics.suffix(6))
    func fell(_ loss: (StepMetrics) -> Double?) -> Bool {
      last.compactMap(loss).reduce(0, +) < 0.8 * first.compactMap(loss).reduce(0, +)
    }
    #expect(fell(\.promptLoss) && fell(\.ncLoss) && fell(\.lmLoss) && fell(\.outerLoss))
    #expect(metrics.allSatisfy { $0.innerLoss == nil })
  }

  /// The step's loss is the weighted sum of what is reported beside it: f32 losses, 1e-5.
  @Test func theLossIsTheWeightedSum() throws {
    let metrics = try Self.trainer(.init(promptShare: 0.7, ncShare: 0.3)).advance()
    let (prompt, nc, lm) = (
      try #require(metrics.promptLoss), try #require(metrics.ncLoss), try #require(metrics.lmLoss)
    )
    #expect(abs(metrics.outerLoss - (0.7 * prompt + 0.3 * nc + 0.3 * lm)) < 1e-5)
    let alone = try Self.trainer(
      .init(promptShare: 0, ncShare: 0), tasks: false, lm: 1
    ).advance()
    #expect(alone.promptLoss == nil && alone.ncLoss == nil)
    #expect(abs(alone.outerLoss - (try #require(alone.lmLoss))) < 1e-5)
  }

  /// A drawn form has the whole weight of its task, so that the expected loss stays; over many
  /// draws both forms come up with their shares. 120 draws of 0.75: five standard deviations are 0.2.
  @Test func mixedFormsAreDrawnWithTheirShares() throws {
    let trainer = try Self.trainer(
      .init(promptShare: 0.75, ncShare: 0.25, mixesForms: true), dropout: 0, lm: 0, steps: 60)
    var prompts = 0.0
    for _ in 0..<60 {
      let metrics = try trainer.advance()
      switch (metrics.promptLoss, metrics.ncLoss) {
      case (let prompt?, nil):
        prompts += 2
        #expect(abs(metrics.outerLoss - prompt) < 1e-5)
      case (let prompt?, let nc?):
        prompts += 1
        #expect(abs(metrics.outerLoss - (prompt + nc) / 2) < 1e-5)
      case (nil, let nc?): #expect(abs(metrics.outerLoss - nc) < 1e-5)
      case (nil, nil): Issue.record("no form was drawn")
      }
    }
    #expect(abs(prompts / 120 - 0.75) < 0.2)
  }

  @Test(arguments: [
    FinetuningConfiguration(),
    .init(promptShare: 0.6, ncShare: 0.4, mixesForms: true, masksPrompt: false),
  ])
  func aResumedRunGivesTheSameBits(_ plain: FinetuningConfiguration) throws {
    let folder = try TemporaryFolder()
    let run = RunFolder(path: folder.path)
    let straight = try Self.trainer(plain)
    for _ in 0..<6 { _ = try straight.advance() }
    let first = try Self.trainer(plain)
    for _ in 0..<3 { _ = try first.advance() }
    try run.checkpoint(first, run: CheckpointTests.description(first))
    let checkpoint = try #require(try run.latestCheckpoint())
    let second = try Self.trainer(plain)
    try second.restore(checkpoint)
    while second.step < 6 { _ = try second.advance() }
    #expect(second.adapter.flat.elements == straight.adapter.flat.elements)
    #expect(second.optimizer.adam.second.elements == straight.optimizer.adam.second.elements)
    let other = try Self.trainer(plain, seed: 5)
    try other.restore(checkpoint)
    while other.step < 6 { _ = try other.advance() }
    #expect(other.adapter.flat.elements != straight.adapter.flat.elements)
  }

  /// What is planned is what is allocated, with dropout and without; no tangents are.
  @Test(arguments: [0, 0.1]) func thePlanIsWhatIsAllocated(_ dropout: Double) throws {
    let weights: LlamaWeights<Float> = try TinyModel.weights()
    let layout = AdapterLayout(
      .init(rank: 3, alpha: 6, dropout: dropout), architecture: TinyModel.architecture)
    let planner = MemoryPlanner(
      weights: weights, layout: layout, configuration: FinetuningConfiguration.method(),
      sequences: [5, 20, 9, 14].map { SequenceSize(rows: $0, scored: 2) },
      workers: Workers(count: 2))
    let plan = planner.plan(together: 3, keep: .all(layers: 2), logitRows: 8)
    #expect(plan.limits.outerRows == 36 && plan.limits.innerRows == 0)
    #expect(plan.limits.dropout == (dropout > 0) && plan.limits.sequence == 21)
    let arena = Arena()
    var configuration = TrainingConfiguration(
      adapter: layout.configuration, meta: FinetuningConfiguration.method(),
      schedule: .init(peak: 1, warmupSteps: 0, totalSteps: 1, decay: .constant))
    configuration.finetuning = .init(promptShare: 0, ncShare: 0)
    _ = try Trainer(
      weights: weights, configuration: configuration, groups: [], texts: [[1, 2]], plan: plan,
      workers: Workers(count: 2), arena: arena)
    #expect(plan.ledger == arena.ledger)
    let best = planner.best(budget: 1 << 30, batchSize: 16)
    #expect(best.fits && best.plan.limits.outerRows == 48 && best.plan.keep.activations == 2)
    let lean = planner.plan(together: 1, keep: .lean, logitRows: 16)
    #expect(!planner.best(budget: lean.total - 1, batchSize: 16).fits)
  }

  /// Every parameter is trained by the same losses, and resumes as exactly.
  @Test func aWholeModelIsTrainedToo() throws {
    let folder = try TemporaryFolder()
    let run = RunFolder(path: folder.path)
    let straight = try Self.trainer(dropout: 0, steps: 20, outer: .full)
    let metrics = try (0..<20).map { _ in try straight.advance() }
    let (first, last) = (metrics.prefix(4), metrics.suffix(4))
    #expect(last.reduce(0) { $0 + $1.outerLoss } < 0.7 * first.reduce(0) { $0 + $1.outerLoss })
    let other = try Self.trainer(dropout: 0, steps: 20, outer: .full)
    for _ in 0..<9 { _ = try other.advance() }
    try run.checkpoint(other, run: CheckpointTests.description(other))
    let resumed = try Self.trainer(dropout: 0, steps: 20, outer: .full)
    try resumed.restore(try #require(try run.latestCheckpoint()))
    while resumed.step < 20 { _ = try resumed.advance() }
    #expect(resumed.parameters.flat.elements == straight.parameters.flat.elements)
  }

  /// An adapter that was fine-tuned with dropout goes on in a meta-training run.
  @Test func aFinetunedAdapterIsAStartForMetaTraining() throws {
    let folder = try TemporaryFolder()
    let plain = try Self.trainer()
    _ = try plain.advance()
    try AdapterFile.writeFolder(plain.adapter, to: folder.path, base: "tiny")
    let file = try AdapterFile(path: folder.path)
    #expect(file.configuration.dropout == 0.2)
    let meta = try TrainerTests.trainer()
    try file.read(into: meta.adapter)
    #expect(meta.adapter.flat.elements == plain.adapter.flat.elements)
    _ = try meta.advance()
  }
}
