import Llama
import LoRA
import MetaLearning
import Operations
import Storage
import TestSupport
import Testing

/// Inner rates that are learned, and factors that are stored in other ways.
@Suite struct InnerRatesTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var name: String
    var configuration: MetaConfiguration
    var contexts = 1
    var groups = 1
    var rows: Int?
    var testDescription: String { name }
  }

  static let cases: [Case] = [
    Case(
      name: "LoRA, K = 2, two models in a sweep",
      configuration: .init(learnsInnerRates: true), contexts: 2, groups: 2),
    Case(
      name: "LoRA, 3 steps",
      configuration: .init(innerLearningRate: 0.03, innerSteps: 3, learnsInnerRates: true)),
    Case(
      name: "full, all, factors, K = 2",
      configuration: .init(inner: .full, innerLearningRate: 0.02, learnsInnerRates: true),
      contexts: 2, groups: 2),
    Case(
      name: "full, all, dense sums",
      configuration: .init(inner: .full, innerLearningRate: 0.02, learnsInnerRates: true),
      rows: 64),
    Case(
      name: "full, linears, teacher",
      configuration: .init(
        inner: .full, innerParameters: .linear, innerLearningRate: 0.02, target: .teacher,
        learnsInnerRates: true)),
  ]

  /// With rates that differ from tensor to tensor, the slopes in the adapter and in log η against
  /// differences: as in FiniteDifferenceTests, 1e-6.
  @Test(arguments: cases) func slopes(_ test: Case) throws {
    let groups = try DenseOuterTests.groups(test.groups, contexts: test.contexts)
    let weight = 1 / Double(test.groups)
    let arena = Arena()
    let adapter: AdapterTensors<Double> = try TinyModel.adapter("lora_r3", arena: arena)
    var limits = DenseOuterTests.limits(groups)
    if let rows = test.rows {
      limits.innerRows = rows
      limits.outerRows = rows
    }
    let meta = MetaGradient(
      weights: try TinyModel.weights(), adapter: adapter, configuration: test.configuration,
      limits: limits, policy: .lean, workers: Workers(count: 2), arena: arena)
    let logs = try #require(meta.rates.logs)
    #expect(logs.count == meta.rates.names.count)
    var random = SplitMix64(seed: 6)
    for index in 0..<logs.count { logs[0, index] += random.uniform() - 0.5 }
    let gradient = OuterGradient<Double>(
      adapter: AdapterTensors(layout: adapter.layout, arena: arena, for: .gradient),
      rates: arena.matrix(1, logs.count, for: .gradient))
    _ = try meta.accumulate(groups, weight: weight, into: gradient)
    let waste = OuterGradient<Double>(
      adapter: AdapterTensors(layout: adapter.layout, arena: arena, for: .gradient))
    for (values, slopes) in [
      (logs, try #require(gradient.rates)), (adapter.flat, try #require(gradient.adapter).flat),
    ] {
      let start = values.elements
      let direction = start.map { _ in random.uniform() * 2 - 1 }
      func loss(_ t: Double) throws -> Double {
        for index in start.indices { values.pointer[index] = start[index] + t * direction[index] }
        return try meta.accumulate(groups, weight: weight, into: waste)
          .reduce(0) { $0 + $1.outerLoss * weight }
      }
      let expected = (try loss(1e-5) - loss(-1e-5)) / 2e-5
      for index in start.indices { values.pointer[index] = start[index] }
      let slope = zip(slopes.elements, direction).reduce(0) { $0 + $1.0 * $1.1 }
      #expect(abs(slope - expected) < 1e-6 * (1 + abs(expected)), "\(slope) against \(expected)")
      #expect(abs(expected) > 1e-4)
    }
  }

  /// Rates that are all the same give what one rate gives; 1e-10 in f64.
  @Test(arguments: [InnerStep.lora, .full]) func equalRatesAreOneRate(_ inner: InnerStep) throws {
    let groups = try DenseOuterTests.groups(2, contexts: 1)
    let results = try [false, true].map { learns -> [Double] in
      let arena = Arena()
      let adapter: AdapterTensors<Double> = try TinyModel.adapter("lora_r3", arena: arena)
      let meta = MetaGradient(
        weights: try TinyModel.weights(), adapter: adapter,
        configuration: .init(inner: inner, innerLearningRate: 0.02, learnsInnerRates: learns),
        limits: DenseOuterTests.limits(groups), policy: .lean, workers: Workers(count: 2),
        arena: arena)
      let gradient = AdapterTensors<Double>(layout: adapter.layout, arena: arena, for: .gradient)
      _ = try meta.accumulate(groups, weight: 1, into: gradient)
      return gradient.flat.elements
    }
    #expect(relativeDifference(results[0], results[1]) < 1e-10)
  }

  /// The sum of factors is what the factors are: 1e-10 in f64. Factors of 8 significant bits give
  /// the gradient within 2 %, and not exactly.
  @Test(arguments: [InnerParameters.linear, .all]) func factorsInEveryForm(
    _ parameters: InnerParameters
  ) throws {
    let groups = try DenseOuterTests.groups(1, contexts: 1)
    func gradient(_ storage: FactorStorage, rows: Int?) throws -> [Double] {
      let arena = Arena()
      let adapter: AdapterTensors<Double> = try TinyModel.adapter("lora_r3", arena: arena)
      var limits = DenseOuterTests.limits(groups)
      if let rows {
        limits.innerRows = rows
        limits.outerRows = rows
      }
      let meta = MetaGradient(
        weights: try TinyModel.weights(), adapter: adapter,
        configuration: .init(
          inner: .full, innerParameters: parameters, innerLearningRate: 0.02,
          factorStorage: storage),
        limits: limits, policy: .lean, workers: Workers(count: 2), arena: arena)
      let gradient = AdapterTensors<Double>(layout: adapter.layout, arena: arena, for: .gradient)
      _ = try meta.accumulate(groups, weight: 1, into: gradient)
      return gradient.flat.elements
    }
    let exact = try gradient(.f32, rows: nil)
    #expect(relativeDifference(try gradient(.f32, rows: 64), exact) < 1e-10)
    let rounded = relativeDifference(try gradient(.bf16, rows: nil), exact)
    #expect(rounded < 0.02 && rounded > 1e-6, "\(rounded)")
  }

  @Test func ratesAreSetByName() throws {
    let groups = try DenseOuterTests.groups(1, contexts: 1)
    let arena = Arena()
    let adapter: AdapterTensors<Float> = try TinyModel.adapter("lora_r3", arena: arena)
    let meta = MetaGradient(
      weights: try TinyModel.weights(), adapter: adapter,
      configuration: .init(innerLearningRate: 0.25, learnsInnerRates: true),
      limits: DenseOuterTests.limits(groups), policy: .lean, workers: Workers(count: 1),
      arena: arena)
    var rates = meta.rates.byName
    #expect(rates.count == 28)
    #expect(rates.values.allSatisfy { abs($0 - 0.25) < 1e-6 })
    let name = "layers.1.mlp.up_proj.lora_B"
    rates[name] = 0.5
    #expect(meta.rates.set(rates) == nil)
    #expect(abs((meta.rates.byName[name] ?? 0) - 0.5) < 1e-6)
    rates[name] = -1
    #expect(meta.rates.set(rates) == name)
    rates[name] = nil
    #expect(meta.rates.set(rates) == name)
    rates["other"] = 1
    #expect(meta.rates.set(rates) == "other")
  }
}
