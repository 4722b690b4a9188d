import Foundation
import Llama
import LoRA
import MetaLearning
import Operations
import Optimizers
import Storage
import TestSupport
import Testing

@Suite struct TrainerTests {
  static func trainer(
    steps: Int = 6, together: Int = 2, keep: Int = 1, lm: Double = 0.2,
    learnsInnerRates: Bool = false, maxGradNorm: Double? = 1
  ) throws -> Trainer {
    let golden = try Golden(path: TinyModel.folder + "/golden.json")
    let groups = ["t0", "t1", "t2"].compactMap { golden.group($0) }
    let configuration = TrainingConfiguration(
      adapter: .init(rank: 3, alpha: 6), meta: .init(learnsInnerRates: learnsInnerRates),
      schedule: .init(peak: 0.01, warmupSteps: 2, totalSteps: steps, decay: .cosine), batchSize: 2,
      promptWeight: 0.3, lmWeight: lm, lmBatchSize: 1, maxGradNorm: maxGradNorm, seed: 4)
    let texts: [[Int32]] = [[1, 2, 3, 4, 5, 6], [9, 8, 7, 6]]
    let plan = MemoryPlan(
      together: together, keep: KeepPolicy(activations: keep, deltas: keep, tangents: keep),
      logitRows: 8,
      limits: MetaLimits(
        covering: groups, together: together, prompts: .all, logitRows: 8, textRows: 6))
    return try Trainer(
      weights: try TinyModel.weights(), configuration: configuration, groups: groups,
      texts: texts, plan: plan, workers: Workers(count: 2), arena: Arena())
  }

  @Test func lossFallsOnTheTinyModel() throws {
    let trainer = try Self.trainer(steps: 40, lm: 0)
    let losses = try (0..<40).map { _ in try trainer.advance().outerLoss }
    let (first, last) = (losses.prefix(6).reduce(0, +), losses.suffix(6).reduce(0, +))
    #expect(last < 0.8 * first, "\(first / 6) to \(last / 6)")
  }

  /// After one step Adam's second moment is (1 − β₂) g²: what it sums to shows the gradient's norm;
  /// 1e-3 for sums and squares in f32.
  @Test(arguments: [nil, 1e-4]) func ratesAreClippedOnTheirOwn(_ bound: Double?) throws {
    let trainer = try Self.trainer(learnsInnerRates: true, maxGradNorm: bound)
    _ = try trainer.advance()
    func norm(_ adam: AdamW<Float>) -> Double {
      let sum = adam.second.elements.reduce(0) { $0 + Double($1) }
      return (sum / (1 - adam.configuration.beta2)).squareRoot()
    }
    let rates = norm(try #require(trainer.optimizer.rateAdam))
    let adapter = norm(trainer.optimizer.adam)
    if let bound {
      #expect(abs(rates / bound - 1) < 1e-3 && abs(adapter / bound - 1) < 1e-3)
    } else {
      #expect(rates > 1e-3 && adapter > 1e-3, "the bound clips neither: \(rates), \(adapter)")
    }
  }

  @Test func theSameSeedGivesTheSameBits() throws {
    let runs = try (0..<2).map { _ -> [Float] in
      let trainer = try Self.trainer()
      for _ in 0..<4 { _ = try trainer.advance() }
      return trainer.adapter.flat.elements
    }
    #expect(runs[0] == runs[1])
  }

  @Test func theAdapterIsWrittenAsPEFTHasIt() throws {
    let folder = try TemporaryFolder()
    let trainer = try Self.trainer()
    _ = try trainer.advance()
    try AdapterFile.writeFolder(trainer.adapter, to: folder.path, base: "tiny")
    let file = try AdapterFile(path: folder.path)
    #expect(file.configuration == AdapterConfiguration(rank: 3, alpha: 6))
    let arena = Arena()
    let back = AdapterTensors<Float>(
      layout: AdapterLayout(file.configuration, architecture: TinyModel.architecture),
      arena: arena, for: .adapter)
    try file.read(into: back)
    #expect(back.flat.elements == trainer.adapter.flat.elements)
  }

  /// What is planned is what is allocated, component by component.
  @Test(arguments: [InnerStep.lora, .full]) func thePlanIsWhatIsAllocated(_ inner: InnerStep) throws
  {
    let golden = try Golden(path: TinyModel.folder + "/golden.json")
    let groups = ["t0", "t1", "t2"].compactMap { golden.group($0) }
    let weights: LlamaWeights<Float> = try TinyModel.weights()
    let layout = AdapterLayout(.init(rank: 3, alpha: 6), architecture: TinyModel.architecture)
    let planner = MemoryPlanner(
      weights: weights, layout: layout, configuration: .init(inner: inner), groups: groups,
      textRows: 0, prompts: .all, workers: Workers(count: 2), trains: false)
    let keep = KeepPolicy(activations: 1, deltas: 1, tangents: 2, head: true)
    let plan = planner.plan(together: 2, keep: keep, logitRows: 8)
    let arena = Arena()
    let adapter = AdapterTensors<Float>(layout: layout, arena: arena, for: .adapter)
    _ = MetaGradient(
      weights: weights, adapter: adapter, configuration: .init(inner: inner), limits: plan.limits,
      policy: keep, workers: Workers(count: 2), arena: arena)
    #expect(plan.ledger == arena.ledger)
    let lean = planner.plan(together: 1, keep: .lean, logitRows: 16)
    #expect(!planner.best(budget: lean.total - 1, batchSize: 2).fits)
    let tight = planner.best(budget: lean.total, batchSize: 2)
    #expect(tight.fits && tight.plan.total <= lean.total)
    let best = planner.best(budget: 1 << 30, batchSize: 2)
    #expect(best.fits && best.plan.together == 2 && best.plan.keep == .all(layers: 2))
  }

  /// More memory is never slower by the planner's own estimate, and no plan is above its budget.
  @Test func budgetsAreKept() throws {
    let golden = try Golden(path: TinyModel.folder + "/golden.json")
    let groups = ["t0", "t1", "t2", "t1", "t0", "t0"].compactMap { golden.group($0) }
    let layout = AdapterLayout(.init(rank: 3, alpha: 6), architecture: TinyModel.architecture)
    let planner = MemoryPlanner(
      weights: try TinyModel.weights(), layout: layout, configuration: .init(), groups: groups,
      textRows: 0, prompts: .all, workers: Workers(count: 2), trains: true, floor: 0)
    let lean = planner.plan(together: 1, keep: .lean, logitRows: 16).total
    let most = planner.best(budget: .max / 2, batchSize: 4).plan.total
    #expect(most > lean)
    for budget in stride(from: lean, through: most, by: (most - lean) / 40 + 1) {
      let best = planner.best(budget: budget, batchSize: 4)
      #expect(best.fits && best.plan.total <= budget)
    }
  }

  /// Sweeps that are packed hold every group once, in order, within the limits.
  @Test func sweepsArePacked() throws {
    let golden = try Golden(path: TinyModel.folder + "/golden.json")
    let groups = ["t0", "t1", "t2", "t1", "t0", "t2", "t2"].compactMap { golden.group($0) }
    for together in 1...5 {
      let limits = MetaLimits(packing: groups, together: together, prompts: .all, logitRows: 8)
      let parts = limits.pack(groups, prompts: .all)
      #expect(parts.joined().map(\.innerRows) == groups.map(\.innerRows))
      for part in parts {
        #expect(part.count <= together)
        #expect(part.reduce(0) { $0 + $1.innerRows } <= limits.innerRows)
        #expect(part.reduce(0) { $0 + $1.promptedRows(.all) } <= limits.outerRows)
        #expect(part.reduce(0) { $0 + $1.responseTokens } <= limits.scoredRows)
      }
      if together == 1 { #expect(parts.count == groups.count) }
    }
  }

  @Test func schedulesRiseAndFall() {
    let cosine = LearningRateSchedule(peak: 1, warmupSteps: 4, totalSteps: 14, decay: .cosine)
    #expect(cosine.rate(at: 0) == 0.25 && cosine.rate(at: 3) == 1 && cosine.rate(at: 4) == 1)
    #expect(abs(cosine.rate(at: 9) - 0.5) < 1e-12 && abs(cosine.rate(at: 14)) < 1e-12)
    let linear = LearningRateSchedule(peak: 2, warmupSteps: 0, totalSteps: 4, decay: .linear)
    #expect(linear.rate(at: 1) == 1.5)
  }

  /// AdamW's first steps by hand, in f64: 1e-12.
  @Test func adamFollowsItsFormula() {
    let arena = Arena()
    let adam = AdamW<Double>(
      count: 2, configuration: .init(weightDecay: 0.1), workers: Workers(count: 1), arena: arena)
    let (x, g): (Matrix<Double>, Matrix<Double>) = (
      arena.matrix(1, 2, for: .adapter), arena.matrix(1, 2, for: .gradient)
    )
    x[0, 0] = 1
    var (value, m, v) = (1.0, 0.0, 0.0)
    for step in 1...3 {
      let gradient = Double(step) * 0.5
      g[0, 0] = gradient
      adam.step(parameters: x, gradient: g, learningRate: 0.01)
      m = 0.9 * m + 0.1 * gradient
      v = 0.999 * v + 0.001 * gradient * gradient
      let (mHat, vHat) = (m / (1 - pow(0.9, Double(step))), v / (1 - pow(0.999, Double(step))))
      value = value * (1 - 0.01 * 0.1) - 0.01 * mHat / (vHat.squareRoot() + 1e-8)
      #expect(abs(x[0, 0] - value) < 1e-12)
    }
    #expect(x[0, 1] == 0)
  }
}
