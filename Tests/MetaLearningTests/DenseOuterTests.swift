import Llama
import LoRA
import MetaLearning
import Operations
import Storage
import TestSupport
import Testing
import Weights

/// The outer gradient in every parameter.
@Suite struct DenseOuterTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var name: String
    var configuration: MetaConfiguration
    var contexts = 1
    var groups = 1
    var policy = KeepPolicy.lean
    var bias = false
    var untied = false
    var testDescription: String { name }
  }

  static let cases: [Case] = [
    Case(
      name: "gold, K = 2, two models in a sweep",
      configuration: .init(outer: .full, inner: .full, innerLearningRate: 0.02), contexts: 2,
      groups: 2),
    Case(
      name: "everything kept, linears only in the inner step",
      configuration: .init(
        outer: .full, inner: .full, innerParameters: .linear, innerLearningRate: 0.02),
      policy: .all(layers: 2)),
    Case(
      name: "teacher",
      configuration: .init(outer: .full, inner: .full, innerLearningRate: 0.02, target: .teacher),
      groups: 2),
    Case(
      name: "biases, untied head",
      configuration: .init(outer: .full, inner: .full, innerLearningRate: 0.02), bias: true,
      untied: true),
  ]

  static func groups(_ count: Int, contexts: Int) throws -> [TaskGroup] {
    let golden = try Golden(path: TinyModel.folder + "/golden.json")
    let triplets = ["t0", "t1", "t2"].compactMap { golden.group($0)?.triplets.first }
    return (0..<count).map { group in
      TaskGroup((0..<contexts).map { triplets[(group + $0) % triplets.count] })
    }
  }

  static func limits(_ groups: [TaskGroup]) -> MetaLimits {
    MetaLimits(covering: groups, together: groups.count, prompts: .all, logitRows: 7)
  }

  /// Every tensor along a random direction of its own. Weights are f32, the rest is f64: the step
  /// is what f32 made of ±4e-5, and differences of third order are about 1e-10. 1e-5 of the slope.
  @Test(arguments: cases) func slopes(_ test: Case) throws {
    let groups = try Self.groups(test.groups, contexts: test.contexts)
    let weight = 1 / Double(test.groups)
    let base: LlamaWeights<Double> = try TinyModel.variant(bias: test.bias, untied: test.untied)
    let layout = DenseLayout(base.architecture)
    func loss(_ weights: LlamaWeights<Double>, _ gradient: DenseTensors<Double>?) throws -> Double {
      let arena = Arena()
      let empty = AdapterTensors<Double>(
        layout: AdapterLayout(.init(targetModules: []), architecture: base.architecture),
        arena: arena, for: .adapter)
      let meta = MetaGradient(
        weights: weights, teacherWeights: base, adapter: empty, configuration: test.configuration,
        limits: Self.limits(groups), policy: test.policy, workers: Workers(count: 2), arena: arena)
      return try meta.accumulate(groups, weight: weight, into: OuterGradient(dense: gradient))
        .reduce(0) { $0 + $1.outerLoss * weight }
    }
    let gradient = DenseTensors<Double>(layout: layout, arena: Arena(), for: .gradient)
    _ = try loss(base, gradient)
    for key in layout.keys {
      let target = try #require(gradient[key])
      var random = SplitMix64(seed: 9)
      let direction = (0..<target.count).map { _ in Float(random.uniform() * 2 - 1) }
      var moved: [[Float]] = []
      var losses: [Double] = []
      for sign in [Float(1), -1] {
        let weights: LlamaWeights<Double> = try TinyModel.variant(
          bias: test.bias, untied: test.untied
        ) { name, values in
          guard name == key.name else { return values }
          moved.append(zip(values, direction).map { $0 + sign * 4e-5 * $1 })
          return moved[moved.count - 1]
        }
        losses.append(try loss(weights, nil))
      }
      let expected = losses[0] - losses[1]
      let slope = zip(target.elements, zip(moved[0], moved[1])).reduce(0.0) {
        $0 + $1.0 * (Double($1.1.0) - Double($1.1.1))
      }
      #expect(
        abs(slope - expected) < 1e-5 * abs(expected) + 1e-10,
        "\(key.name): \(slope) against \(expected)")
    }
  }

  /// An adapter sees a weight's gradient G through its factors: ∂/∂A = s Bᵀ G, ∂/∂B = s G Aᵀ. The
  /// two are computed by different code from the same passes: 1e-10 in f64.
  @Test func anAdapterSeesTheSameGradient() throws {
    let groups = try Self.groups(2, contexts: 2)
    let arena = Arena()
    let adapter: AdapterTensors<Double> = try TinyModel.adapter("lora_r3", arena: arena)
    let meta = MetaGradient(
      weights: try TinyModel.weights(), adapter: adapter,
      configuration: .init(inner: .full, innerLearningRate: 0.02), limits: Self.limits(groups),
      policy: .lean, workers: Workers(count: 2), arena: arena)
    let gradient = AdapterTensors<Double>(layout: adapter.layout, arena: arena, for: .gradient)
    let dense = DenseTensors<Double>(
      layout: DenseLayout(TinyModel.architecture), arena: arena, for: .gradient)
    _ = try meta.accumulate(
      groups, weight: 0.5, into: OuterGradient(adapter: gradient, dense: dense))
    let expected = AdapterTensors<Double>(layout: adapter.layout, arena: arena, for: .gradient)
    for entry in adapter.layout.entries {
      let whole = try #require(dense[.linear(layer: entry.layer, entry.kind)])
      multiply(
        adapter.up(entry), whole, .first, into: expected.down(entry), scale: entry.scale)
      multiply(
        whole, adapter.down(entry), .second, into: expected.up(entry), scale: entry.scale)
    }
    #expect(relativeDifference(gradient.flat.elements, expected.flat.elements) < 1e-10)
  }

  /// Losses of θ: along one direction in all parameters, as in ``slopes(_:)``.
  @Test func plainLoss() throws {
    var batch = TokenBatch()
    batch.append([1, 5, 9, 30, 7], predicted: 4, weight: 0.7)
    batch.append([2, 66, 13], predicted: 1, weight: 0.3)
    let base: LlamaWeights<Double> = try TinyModel.weights()
    let layout = DenseLayout(base.architecture)
    func loss(_ weights: LlamaWeights<Double>, _ gradient: DenseTensors<Double>) throws -> Double {
      let arena = Arena()
      let empty = AdapterTensors<Double>(
        layout: AdapterLayout(.init(targetModules: []), architecture: base.architecture),
        arena: arena, for: .adapter)
      let meta = MetaGradient(
        weights: weights, adapter: empty, configuration: .init(outer: .full, inner: .full),
        limits: MetaLimits(
          groups: 1, innerRows: 16, outerRows: 32, scoredRows: 16, sequence: 32, logitRows: 5),
        policy: .lean, workers: Workers(count: 2), arena: arena)
      return try meta.accumulate(loss: batch, into: OuterGradient(dense: gradient))
    }
    let gradient = DenseTensors<Double>(layout: layout, arena: Arena(), for: .gradient)
    _ = try loss(base, gradient)
    var slope = 0.0
    var losses: [Double] = []
    for sign in [Float(1), -1] {
      var random = SplitMix64(seed: 2)
      let weights: LlamaWeights<Double> = try TinyModel.variant(bias: false, untied: false) {
        name, values in
        let moved = values.map { $0 + sign * 4e-5 * Float(random.uniform() * 2 - 1) }
        if let key = layout.keys.first(where: { $0.name == name }), let part = gradient[key] {
          slope += zip(part.elements, moved).reduce(0.0) {
            $0 + Double(sign) * $1.0 * Double($1.1)
          }
        }
        return moved
      }
      losses.append(
        try loss(
          weights, DenseTensors<Double>(layout: layout, arena: Arena(), for: .gradient)))
    }
    let expected = losses[0] - losses[1]
    #expect(abs(slope - expected) < 1e-5 * abs(expected), "\(slope) against \(expected)")
  }
}
