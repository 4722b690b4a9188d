import Llama
import LoRA
import MetaLearning
import Operations
import Storage
import TestSupport
import Testing
import Weights

/// The tiny model's meta-gradients against an independent float64 implementation.
@Suite struct TinyGoldenTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var triplet: String
    var kind: String
    var adapter: String
    var policy: KeepPolicy
    var testDescription: String { "\(triplet) \(kind) \(adapter) \(policy)" }
  }

  static let cases: [Case] = ["t0", "t1", "t2"].flatMap { triplet in
    ["A", "B", "Ball", "C", "CB"].flatMap { kind in
      ["r3", "r3b0"].flatMap { adapter -> [Case] in
        if adapter == "r3b0" && (triplet != "t0" || kind == "Ball" || kind == "CB") { return [] }
        let policies: [KeepPolicy] = [
          .lean, .all(layers: 2), KeepPolicy(activations: 1),
          KeepPolicy(activations: 2, deltas: 1, tangents: 0),
          KeepPolicy(activations: 0, deltas: 2, tangents: 1),
          KeepPolicy(activations: 1, head: true),
        ]
        return policies.map {
          Case(triplet: triplet, kind: kind, adapter: adapter, policy: $0)
        }
      }
    }
  }

  /// In f64 only the order of sums differs: 1e-9. In f32, 1e-4 as `f32_floor.json` suggests.
  @Test(arguments: cases) func metaGradient(_ test: Case) throws {
    try check(test, of: Double.self, tolerance: 1e-9)
    try check(test, of: Float.self, tolerance: 1e-4)
  }

  private func check<S: Kernel>(_ test: Case, of type: S.Type, tolerance: Double) throws {
    let golden = try Golden(path: TinyModel.folder + "/golden.json")
    let expected = try #require(
      golden.triplets[test.triplet]?.kinds["\(test.kind)/\(test.adapter)"])
    let arena = Arena()
    let run = try TinyRun<S>(
      golden: golden, kind: test.kind, adapter: "lora_" + test.adapter, policy: test.policy,
      arena: arena)
    let (result, gradient) = try run.gradient(of: test.triplet)
    #expect(abs(result.innerLoss - expected.inner_loss) < max(tolerance, 1e-7) * 10)
    #expect(abs(result.outerLoss - expected.outer_loss) < tolerance * (1 + expected.outer_loss))
    let reference = AdapterTensors<S>(layout: gradient.layout, arena: arena, for: .gradient)
    try TinyModel.read(
      reference,
      from: "\(TinyModel.folder)/\(test.triplet).\(test.kind).\(test.adapter).grad.safetensors")
    let difference = relativeDifference(gradient.flat.elements, reference.flat.elements)
    #expect(difference < tolerance, "relative L2 \(difference)")
  }
}

/// A meta-gradient on the tiny model.
struct TinyRun<S: Kernel> {
  let golden: Golden
  let meta: MetaGradient<S>
  let gradient: AdapterTensors<S>

  init(
    golden: Golden, kind: String, adapter: String, policy: KeepPolicy, arena: Arena
  ) throws {
    self.golden = golden
    let parameters: AdapterTensors<S> = try TinyModel.adapter(adapter, arena: arena)
    let configuration = MetaConfiguration(
      inner: kind == "A" || kind == "C" ? .lora : .full,
      innerParameters: kind == "Ball" ? .all : .linear,
      innerLearningRate: golden.eta[kind] ?? .nan,
      target: kind.hasPrefix("C") ? .teacher : .gold)
    meta = try MetaGradient(
      weights: TinyModel.weights(), adapter: parameters, configuration: configuration,
      limits: MetaLimits(
        groups: 1, innerRows: 16, outerRows: 32, scoredRows: 16, sequence: 32, logitRows: 5),
      policy: policy, workers: Workers(count: 2), arena: arena)
    gradient = AdapterTensors(layout: parameters.layout, arena: arena, for: .gradient)
  }

  func gradient(of triplet: String) throws -> (
    MetaGradient<S>.GroupResult, AdapterTensors<S>
  ) {
    let group = try #require(golden.group(triplet))
    gradient.flat.fill(0)
    let results = try meta.accumulate([group], weight: 1, into: gradient)
    return (try #require(results.first), gradient)
  }
}
