import Llama
import LoRA
import MetaLearning
import Operations
import Storage
import TestSupport
import Testing

/// The inner step on a document.
@Suite struct AdaptTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var name: String
    var configuration: MetaConfiguration
    var testDescription: String { name }
  }

  static let cases: [Case] = [
    Case(name: "LoRA", configuration: .init(innerLearningRate: 0.3, order: .first)),
    Case(
      name: "LoRA, 3 steps",
      configuration: .init(innerLearningRate: 0.1, innerSteps: 3, order: .first)),
    Case(
      name: "full",
      configuration: .init(
        inner: .full, innerParameters: .linear, innerLearningRate: 0.02, order: .first)),
  ]

  static let group = TaskGroup(
    EvaluationTests.groups(4).flatMap(\.triplets))
  static var contexts: [[Int32]] { group.triplets.map(\.context) }

  private func meta<S: Kernel>(
    _ configuration: MetaConfiguration, rows: Int, of type: S.Type, arena: Arena
  ) throws -> MetaGradient<S> {
    MetaGradient(
      weights: try TinyModel.weights(), adapter: try TinyModel.adapter("lora_r3", arena: arena),
      configuration: configuration,
      limits: MetaLimits(
        groups: 1, innerRows: rows, outerRows: 1, scoredRows: 1, sequence: 8, logitRows: 5,
        factorRows: Self.contexts.reduce(0) { $0 + $1.count - 1 }),
      policy: .lean, workers: Workers(count: 2), arena: arena)
  }

  /// In any number of sweeps it is the step that evaluation takes on the same contexts: the same
  /// sums in f64, 1e-10.
  @Test(arguments: cases, [7, 14, 64]) func sweepsAreOneUpdate(_ test: Case, rows: Int) throws {
    let arena = Arena()
    let adapter: AdapterTensors<Double> = try TinyModel.adapter("lora_r3", arena: arena)
    let expected = try EvaluationTests.meta(
      try TinyModel.weights(), adapter, test.configuration, [Self.group], arena: arena
    ).evaluate([Self.group])[0]
    var calls = 0
    let losses = try meta(test.configuration, rows: rows, of: Double.self, arena: arena)
      .adapt(to: Self.contexts) { done, total in
        calls += 1
        #expect(done <= total)
      }
    #expect(abs(losses.before - expected.innerLoss) < 1e-10)
    #expect(abs(losses.after - expected.innerLossAfter) < 1e-10)
    #expect(losses.after < losses.before && calls > 1)
  }

  private func maker(
    _ configuration: MetaConfiguration, budget: Int = 1 << 30, arena: Arena
  ) throws -> DocumentAdapter {
    var maker = DocumentAdapter(
      weights: try TinyModel.weights(), adapter: try TinyModel.adapter("lora_r3", arena: arena),
      configuration: configuration, workers: Workers(count: 2), budget: budget)
    maker.floor = 0
    return maker
  }

  /// The mean loss of the contexts under an adapter alone.
  private func loss(_ adapter: AdapterTensors<Float>, arena: Arena) throws -> Double {
    let engine = LlamaEngine<Float>(
      weights: try TinyModel.weights(), workers: Workers(count: 2),
      limits: EngineLimits(
        rows: 32, tangentRows: 0, sequence: 8, updateRank: 0, adapterRank: adapter.layout.maxRank,
        logitRows: 16),
      arena: arena)
    let sweep = Sweep(
      engine: engine, capacity: 32, hasTangents: false, policy: .lean, arena: arena)
    var batch = TokenBatch()
    for context in Self.contexts { batch.append(context, predicted: context.count - 1) }
    var change = ParameterChange<Float>(layers: 2)
    change.add(adapter, rows: 0..<batch.count)
    sweep.begin(batch, parameters: change)
    try sweep.forward()
    let losses = try sweep.score().map(\.negativeLogLikelihood)
    let means = batch.lossRanges.map { losses[$0].reduce(0, +) / Double($0.count) }
    return means.reduce(0, +) / Double(means.count)
  }

  /// What is written is θ′: the adapter alone gives the loss that the step ended with; 1e-5 for
  /// other orders of f32 sums.
  @Test(arguments: cases, [FactorStorage.f32, .bf16])
  func theAdapterIsTheAdaptedModel(_ test: Case, storage: FactorStorage) throws {
    let arena = Arena()
    var configuration = test.configuration
    configuration.factorStorage = storage
    let maker = try maker(configuration, arena: arena)
    let exact = try maker.run(Self.contexts)
    #expect(exact.truncation == nil && exact.lossAfter < exact.lossBefore)
    #expect(abs(try loss(exact.adapter, arena: arena) - exact.lossAfter) < 1e-5)
    if configuration.inner == .lora { #expect(exact.adapter.layout.maxRank == 3) }

    let whole = try maker.run(Self.contexts, rank: 64)
    #expect(try #require(whole.truncation).relativeError < 1e-6)
    #expect(abs(try loss(whole.adapter, arena: arena) - exact.lossAfter) < 1e-5)
    let cut = try maker.run(Self.contexts, rank: 2)
    #expect(cut.adapter.layout.entries.allSatisfy { $0.rank == 2 })
    #expect((0.01..<1).contains(try #require(cut.truncation).relativeError))
  }

  /// A budget that holds one context at a time gives the same adapter; 1e-5 of its norm.
  @Test(arguments: cases) func aSmallBudgetChangesNothing(_ test: Case) throws {
    let arena = Arena()
    let wide = try maker(test.configuration, arena: arena).run(Self.contexts)
    var needed = 0
    do {
      _ = try maker(test.configuration, budget: 1, arena: arena).run(Self.contexts)
    } catch DocumentAdapter.Failure.memory(let bytes) {
      needed = bytes
    }
    #expect(needed > 0)
    let lean = try maker(test.configuration, budget: needed, arena: arena).run(Self.contexts)
    #expect(
      relativeDifference(lean.adapter.flat.elements, wide.adapter.flat.elements) < 1e-5)
  }

  /// Rates by tensor: all alike they are the one rate (their logarithm is f32: 1e-6), and each
  /// counts for its own tensor.
  @Test func learnedRates() throws {
    let arena = Arena()
    var configuration = Self.cases[0].configuration
    let plain = try maker(configuration, arena: arena).run(Self.contexts).adapter
    configuration.learnsInnerRates = true
    var maker = try maker(configuration, arena: arena)
    for entry in plain.layout.entries {
      maker.rates[entry.downName] = 0.3
      maker.rates[entry.upName] = 0.3
    }
    let same = try maker.run(Self.contexts).adapter
    #expect(relativeDifference(same.flat.elements, plain.flat.elements) < 1e-6)
    maker.rates["layers.1.mlp.down_proj.lora_B"] = 1e-12
    let other = try maker.run(Self.contexts).adapter
    let entry = try #require(other.layout.entry(layer: 1, kind: .down))
    #expect(
      relativeDifference(other.up(entry).elements, maker.adapter.up(entry).elements) < 1e-6)
    #expect(other.down(entry).elements == same.down(entry).elements)
    maker.rates["layers.0.mlp.down_proj.lora_B"] = nil
    #expect(throws: DocumentAdapter.Failure.rate("layers.0.mlp.down_proj.lora_B")) {
      _ = try maker.run(Self.contexts)
    }
  }

  /// A full step that moved every parameter leaves out what no adapter holds, and its rates.
  @Test func whatIsLeftOutIsSaid() throws {
    let arena = Arena()
    var configuration = Self.cases[2].configuration
    let linears = try maker(configuration, arena: arena)
    #expect(!linears.leavesOutParameters)
    configuration.innerParameters = .all
    configuration.learnsInnerRates = true
    var all = try maker(configuration, arena: arena)
    #expect(all.leavesOutParameters)
    for key in ParameterKey.all(in: TinyModel.architecture) { all.rates[key.name] = 0.02 }
    let (a, b) = (try all.run(Self.contexts), try linears.run(Self.contexts))
    #expect(relativeDifference(a.adapter.flat.elements, b.adapter.flat.elements) < 1e-6)
  }

  @Test func aRateThatIsTooLargeIsSaid() throws {
    let arena = Arena()
    var configuration = Self.cases[2].configuration
    configuration.innerLearningRate = 1e30
    #expect(throws: DocumentAdapter.Failure.notFinite) {
      _ = try maker(configuration, arena: arena).run(Self.contexts)
    }
  }
}
