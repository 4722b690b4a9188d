import Llama
import LoRA
import MetaLearning
import Operations
import Storage
import TestSupport
import Testing

/// Whole meta-gradients in f64 against differences of the outer loss itself.
///
/// The loss is of order 1 and smooth; with h = 1e-5 the difference's own error is about 1e-9, and
/// the slope of order 1: 1e-6 is a safe tolerance.
@Suite struct FiniteDifferenceTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var name: String
    var configuration: MetaConfiguration
    var contexts: Int
    var groups: Int
    var policy: KeepPolicy
    var bias = false
    var untied = false
    var sharesContext = false
    var testDescription: String { name }
  }

  static let cases: [Case] = [
    Case(
      name: "LoRA inner, K = 3", configuration: .init(), contexts: 3, groups: 1, policy: .lean),
    Case(
      name: "LoRA inner, two models in a sweep, K = 2", configuration: .init(), contexts: 2,
      groups: 2, policy: .all(layers: 2)),
    Case(
      name: "LoRA inner, 3 steps, lean",
      configuration: .init(innerLearningRate: 0.02, innerSteps: 3), contexts: 1,
      groups: 2, policy: .lean),
    Case(
      name: "LoRA inner, 2 steps, kept",
      configuration: .init(innerLearningRate: 0.02, innerSteps: 2), contexts: 2,
      groups: 1, policy: .all(layers: 2)),
    Case(
      name: "LoRA inner, teacher, K = 2", configuration: .init(target: .teacher), contexts: 2,
      groups: 2, policy: .lean),
    Case(
      name: "full inner, linears, K = 3",
      configuration: .init(inner: .full, innerParameters: .linear, innerLearningRate: 0.05),
      contexts: 3, groups: 1, policy: .lean),
    Case(
      name: "full inner, all, two models in a sweep, K = 2",
      configuration: .init(inner: .full, innerLearningRate: 0.02), contexts: 2, groups: 2,
      policy: .all(layers: 2)),
    Case(
      name: "full inner, all, teacher",
      configuration: .init(inner: .full, innerLearningRate: 0.02, target: .teacher), contexts: 1,
      groups: 2, policy: .lean),
    Case(
      name: "full inner, all, biases",
      configuration: .init(inner: .full, innerLearningRate: 0.02), contexts: 2, groups: 2,
      policy: .lean, bias: true),
    Case(
      name: "LoRA inner, biases", configuration: .init(), contexts: 1, groups: 1, policy: .lean,
      bias: true),
    Case(
      name: "full inner, all, untied head",
      configuration: .init(inner: .full, innerLearningRate: 0.02), contexts: 2, groups: 1,
      policy: .lean, untied: true),
    Case(
      name: "LoRA inner, teacher, tasks that share a context",
      configuration: .init(target: .teacher), contexts: 3, groups: 1, policy: .lean,
      sharesContext: true),
    Case(
      name: "full inner, all, tasks that share a context",
      configuration: .init(inner: .full, innerLearningRate: 0.02), contexts: 3, groups: 2,
      policy: .all(layers: 2), sharesContext: true),
  ]

  @Test(arguments: cases) func slope(_ test: Case) throws {
    let arena = Arena()
    let adapter: AdapterTensors<Double> = try TinyModel.adapter("lora_r3", arena: arena)
    let meta = MetaGradient(
      weights: try TinyModel.variant(bias: test.bias, untied: test.untied), adapter: adapter,
      configuration: test.configuration,
      limits: MetaLimits(
        groups: test.groups, innerRows: 64, outerRows: 96, scoredRows: 32, sequence: 32,
        logitRows: 7, cachedTokens: test.sharesContext ? 128 : 0),
      policy: test.policy, workers: Workers(count: 2), arena: arena)
    let golden = try Golden(path: TinyModel.folder + "/golden.json")
    let triplets = ["t0", "t1", "t2"].compactMap { golden.group($0)?.triplets.first }
    let groups = (0..<test.groups).map { group in
      TaskGroup(
        (0..<test.contexts).map {
          var task = triplets[(group + $0) % triplets.count]
          if test.sharesContext, $0 > 0 {
            task.context = triplets[(group + 1) % triplets.count].context
          }
          return task
        })
    }
    let gradient = AdapterTensors<Double>(layout: adapter.layout, arena: arena, for: .gradient)
    let weight = 1 / Double(test.groups)
    _ = try meta.accumulate(groups, weight: weight, into: gradient)
    let start = adapter.flat.elements
    var random = SplitMix64(seed: 3)
    let direction = start.map { _ in random.uniform() * 2 - 1 }
    let waste = AdapterTensors<Double>(layout: adapter.layout, arena: arena, for: .gradient)
    func loss(_ t: Double) throws -> Double {
      for index in start.indices {
        adapter.flat.pointer[index] = start[index] + t * direction[index]
      }
      return try meta.accumulate(groups, weight: weight, into: waste)
        .reduce(0) { $0 + $1.outerLoss * weight }
    }
    let h = 1e-5
    let expected = (try loss(h) - loss(-h)) / (2 * h)
    let slope = zip(gradient.flat.elements, direction).reduce(0) { $0 + $1.0 * $1.1 }
    #expect(abs(slope - expected) < 1e-6 * (1 + abs(expected)), "\(slope) against \(expected)")
  }

  /// Several models in a sweep, and several contexts in a pass, change nothing but the order of
  /// sums: 1e-10 in f64.
  @Test(arguments: [InnerStep.lora, .full]) func sweepsAreSums(_ inner: InnerStep) throws {
    let arena = Arena()
    let adapter: AdapterTensors<Double> = try TinyModel.adapter("lora_r3", arena: arena)
    let meta = MetaGradient(
      weights: try TinyModel.weights(), adapter: adapter,
      configuration: .init(inner: inner, innerLearningRate: 0.03),
      limits: MetaLimits(
        groups: 3, innerRows: 64, outerRows: 64, scoredRows: 32, sequence: 32, logitRows: 64),
      policy: .lean, workers: Workers(count: 2), arena: arena)
    let golden = try Golden(path: TinyModel.folder + "/golden.json")
    let groups = ["t0", "t1", "t2"].compactMap { golden.group($0) }
    let together = AdapterTensors<Double>(layout: adapter.layout, arena: arena, for: .gradient)
    let alone = AdapterTensors<Double>(layout: adapter.layout, arena: arena, for: .gradient)
    let all = try meta.accumulate(groups, weight: 1 / 3, into: together)
    for (group, result) in zip(groups, all) {
      let one = try meta.accumulate([group], weight: 1 / 3, into: alone)[0]
      #expect(abs(one.outerLoss - result.outerLoss) < 1e-10)
    }
    #expect(relativeDifference(together.flat.elements, alone.flat.elements) < 1e-10)
  }

  /// Losses of θ: the gradient of a batch's loss under the unadapted parameters.
  @Test func plainLoss() throws {
    let arena = Arena()
    let adapter: AdapterTensors<Double> = try TinyModel.adapter("lora_r3", arena: arena)
    let meta = MetaGradient(
      weights: try TinyModel.weights(), adapter: adapter, configuration: .init(),
      limits: MetaLimits(
        groups: 1, innerRows: 16, outerRows: 32, scoredRows: 16, sequence: 32, logitRows: 5),
      policy: .lean, workers: Workers(count: 2), arena: arena)
    var batch = TokenBatch()
    batch.append([1, 5, 9, 30, 7], predicted: 4, weight: 0.7)
    batch.append([2, 66, 13], predicted: 1, weight: 0.3)
    let gradient = AdapterTensors<Double>(layout: adapter.layout, arena: arena, for: .gradient)
    let waste = AdapterTensors<Double>(layout: adapter.layout, arena: arena, for: .gradient)
    _ = try meta.accumulate(loss: batch, into: gradient)
    let start = adapter.flat.elements
    var random = SplitMix64(seed: 5)
    let direction = start.map { _ in random.uniform() * 2 - 1 }
    func loss(_ t: Double) throws -> Double {
      for index in start.indices {
        adapter.flat.pointer[index] = start[index] + t * direction[index]
      }
      return try meta.accumulate(loss: batch, into: waste)
    }
    let expected = (try loss(1e-5) - loss(-1e-5)) / 2e-5
    let slope = zip(gradient.flat.elements, direction).reduce(0) { $0 + $1.0 * $1.1 }
    #expect(abs(slope - expected) < 1e-7 * (1 + abs(expected)))
  }

  /// First order is the gradient at θ′ alone: another vector, and the same loss.
  @Test func firstOrderLeavesOutTheHessian() throws {
    let golden = try Golden(path: TinyModel.folder + "/golden.json")
    let group = try #require(golden.group("t0"))
    let arena = Arena()
    let adapter: AdapterTensors<Double> = try TinyModel.adapter("lora_r3", arena: arena)
    let gradients = try [Order.first, .second].map { order -> (Double, [Double]) in
      let meta = MetaGradient(
        weights: try TinyModel.weights(), adapter: adapter, configuration: .init(order: order),
        limits: MetaLimits(
          groups: 1, innerRows: 16, outerRows: 32, scoredRows: 16, sequence: 32, logitRows: 5),
        policy: .lean, workers: Workers(count: 2), arena: arena)
      let gradient = AdapterTensors<Double>(layout: adapter.layout, arena: arena, for: .gradient)
      let loss = try meta.accumulate([group], weight: 1, into: gradient)[0].outerLoss
      return (loss, gradient.flat.elements)
    }
    #expect(abs(gradients[0].0 - gradients[1].0) < 1e-12)
    #expect(relativeDifference(gradients[0].1, gradients[1].1) > 1e-3)
  }
}
