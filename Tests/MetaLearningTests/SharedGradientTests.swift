import Llama
import LoRA
import MetaLearning
import Operations
import Optimizers
import Storage
import TestSupport
import Testing

/// Steps of one sweep, whose gradient has its place in common with φ′: the same bits.
@Suite struct SharedGradientTests {
  @Test(arguments: [1, 2], [1, 3]) func theMetaGradientIsTheSame(
    _ count: Int, _ innerSteps: Int
  ) throws {
    let groups = try DenseOuterTests.groups(count, contexts: 1)
    let results = try [false, true].map { shares -> [[Double]] in
      let arena = Arena()
      let adapter: AdapterTensors<Double> = try TinyModel.adapter("lora_r3", arena: arena)
      var limits = DenseOuterTests.limits(groups)
      limits.sharesGradient = shares
      let meta = MetaGradient(
        weights: try TinyModel.weights(), adapter: adapter,
        configuration: .init(
          innerLearningRate: 0.03, innerSteps: innerSteps, learnsInnerRates: true),
        limits: limits, policy: .lean, workers: Workers(count: 2), arena: arena)
      #expect((meta.sharedGradient != nil) == shares)
      let rates = try #require(meta.rates.logs)
      let gradient = OuterGradient<Double>(
        adapter: meta.sharedGradient
          ?? AdapterTensors(layout: adapter.layout, arena: arena, for: .gradient),
        rates: arena.matrix(1, rates.count, for: .gradient))
      // What lies there is lost; what comes later is added.
      if shares { gradient.adapter?.flat.fill(7) }
      _ = try meta.accumulate(groups, weight: 0.5, into: gradient)
      let sum = try #require(gradient.adapter).flat.elements
      let example = LossExample(try #require(groups.first?.triplets.first), .prompt, weight: 0.3)
      _ = try meta.accumulate([example], into: gradient)
      return [sum, try #require(gradient.adapter).flat.elements, gradient.rates?.elements ?? []]
    }
    #expect(results[0] == results[1])
    #expect(results[0][0] != results[0][1])
  }

  /// The planner shares where every step is one sweep, and the trained adapter has the same bits.
  @Test func trainingIsTheSameWithLess() throws {
    let golden = try Golden(path: TinyModel.folder + "/golden.json")
    let groups = ["t0", "t1", "t2"].compactMap { golden.group($0) }
    let configuration = TrainingConfiguration(
      adapter: .init(rank: 3, alpha: 6), meta: .init(),
      schedule: .init(peak: 0.01, warmupSteps: 0, totalSteps: 5, decay: .constant), batchSize: 1,
      promptWeight: 0.3, lmWeight: 0.2, lmBatchSize: 1, seed: 4)
    let layout = AdapterLayout(configuration.adapter, architecture: TinyModel.architecture)
    let workers = Workers(count: 2)
    let planner = MemoryPlanner(
      weights: try TinyModel.weights(), layout: layout, configuration: configuration.meta,
      groups: groups, textRows: 6, prompts: .all, workers: workers, trains: true, floor: 0)
    func plan(_ together: Int, batchSize: Int) -> MemoryPlan {
      planner.plan(together: together, keep: .lean, logitRows: 16, batchSize: batchSize)
    }
    let (shared, apart) = (plan(1, batchSize: 1), plan(1, batchSize: 2))
    #expect(shared.limits.sharesGradient && !apart.limits.sharesGradient)
    #expect(apart.total - shared.total >= 4 * layout.count && shared.ledger[.innerStep] == nil)
    // Room for two tasks of mean size is none for the largest twice.
    #expect(!plan(2, batchSize: 2).limits.sharesGradient)
    #expect(plan(3, batchSize: 2).limits.sharesGradient)
    #expect(planner.best(budget: shared.total, batchSize: 1).fits)
    let runs = try [shared, apart].map { plan -> [Float] in
      let trainer = try Trainer(
        weights: try TinyModel.weights(), configuration: configuration, groups: groups,
        texts: [[1, 2, 3, 4, 5, 6]], plan: plan, workers: workers, arena: Arena())
      for _ in 0..<4 { _ = try trainer.advance() }
      _ = try trainer.evaluate(groups)
      _ = try trainer.advance()
      return trainer.adapter.flat.elements
    }
    #expect(runs[0] == runs[1])
  }
}
