import Foundation
import Llama
import LoRA
import MetaLearning
import Operations
import Optimizers
import Storage
import TestSupport
import Testing

/// Plain fine-tuning: gradients of losses of θ, dropout, and runs.
@Suite struct FinetuningTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var forms: [TaskForm] = []
    var masksPrompt = true
    var texts = false
    var dropout = 0.0
    var rows = 96
    var policy = KeepPolicy.lean
    var ranks: [String: Int] = [:]
  }

  static let cases: [Case] = [
    Case(testDescription: "Prompt form", forms: [.prompt]),
    Case(testDescription: "NC form, kept", forms: [.nc], policy: .all(layers: 2)),
    Case(testDescription: "both forms and text", forms: [.prompt, .nc], texts: true),
    Case(testDescription: "every token", forms: [.prompt, .nc], masksPrompt: false),
    Case(
      testDescription: "dropout, lean, one sequence a sweep", forms: [.prompt, .nc], texts: true,
      dropout: 0.3, rows: 24),
    Case(
      testDescription: "dropout, kept, other ranks", forms: [.prompt, .nc], dropout: 0.5,
      policy: KeepPolicy(activations: 1),
      ranks: ["q_proj": 5, "layers.1.mlp.down_proj": 1]),
  ]

  static func triplets() throws -> [TaskGroup.Triplet] {
    let golden = try Golden(path: TinyModel.folder + "/golden.json")
    return ["t0", "t1", "t2"].compactMap { golden.group($0)?.triplets.first }
  }

  static func examples(_ test: Case) throws -> [LossExample] {
    var examples: [LossExample] = []
    for (index, form) in test.forms.enumerated() {
      examples += try triplets().map {
        LossExample($0, form, weight: 0.2 + 0.3 * Double(index), masksPrompt: test.masksPrompt)
      }
    }
    if test.texts {
      examples += [[1, 5, 9, 30, 7, 2, 8], [2, 66, 13]].map { LossExample(text: $0, weight: 0.4) }
    }
    return examples
  }

  /// An adapter whose A and B are both away from zero.
  static func adapter<S: Kernel>(_ ranks: [String: Int], arena: Arena) -> AdapterTensors<S> {
    let adapter = AdapterTensors<S>(
      layout: AdapterLayout(
        .init(rank: 3, alpha: 6, rankPattern: ranks), architecture: TinyModel.architecture),
      arena: arena, for: .adapter)
    var random = SplitMix64(seed: 12)
    for index in 0..<adapter.layout.count {
      adapter.flat.pointer[index] = S((random.uniform() * 2 - 1) * 0.2)
    }
    return adapter
  }

  static func meta<S: Kernel>(
    _ adapter: AdapterTensors<S>, rows: Int, policy: KeepPolicy, arena: Arena
  ) throws -> MetaGradient<S> {
    MetaGradient(
      weights: try TinyModel.weights(), adapter: adapter,
      configuration: FinetuningConfiguration.method(),
      limits: MetaLimits(
        groups: 0, innerRows: 0, outerRows: rows, scoredRows: 0, sequence: 32, logitRows: 5,
        dropout: true),
      policy: policy, workers: Workers(count: 2), arena: arena)
  }

  /// The mask stays the same while the adapter moves, so the loss is smooth; tolerances as in
  /// ``FiniteDifferenceTests``.
  @Test(arguments: cases) func slope(_ test: Case) throws {
    let arena = Arena()
    let adapter: AdapterTensors<Double> = Self.adapter(test.ranks, arena: arena)
    let meta = try Self.meta(adapter, rows: test.rows, policy: test.policy, arena: arena)
    let examples = try Self.examples(test)
    let dropout =
      test.dropout > 0 ? AdapterDropout(rate: test.dropout, seed: 8, step: 3) : nil
    let gradient = AdapterTensors<Double>(layout: adapter.layout, arena: arena, for: .gradient)
    let waste = AdapterTensors<Double>(layout: adapter.layout, arena: arena, for: .gradient)
    _ = try meta.accumulate(examples, dropout: dropout, into: OuterGradient(adapter: gradient))
    let start = adapter.flat.elements
    var random = SplitMix64(seed: 3)
    let direction = start.map { _ in random.uniform() * 2 - 1 }
    func loss(_ t: Double) throws -> Double {
      for index in start.indices {
        adapter.flat.pointer[index] = start[index] + t * direction[index]
      }
      let losses = try meta.accumulate(
        examples, dropout: dropout, into: OuterGradient(adapter: waste))
      return zip(examples, losses).reduce(0) { $0 + $1.0.weight * $1.1 }
    }
    let expected = (try loss(1e-5) - loss(-1e-5)) / 2e-5
    let slope = zip(gradient.flat.elements, direction).reduce(0) { $0 + $1.0 * $1.1 }
    #expect(abs(slope - expected) < 1e-6 * (1 + abs(expected)), "\(slope) against \(expected)")
  }

  /// How many sequences share a sweep, what is kept, and the number of threads change the order of
  /// sums alone, with dropout too: 1e-10 in f64.
  @Test func sweepsDoNotChangeMasks() throws {
    let arena = Arena()
    let adapter: AdapterTensors<Double> = Self.adapter([:], arena: arena)
    let examples = try Self.examples(
      Case(testDescription: "", forms: [.prompt, .nc], texts: true))
    let results = try [(24, KeepPolicy.lean), (40, .all(layers: 2)), (200, .lean)].map {
      let meta = try Self.meta(adapter, rows: $0.0, policy: $0.1, arena: arena)
      let gradient = AdapterTensors<Double>(layout: adapter.layout, arena: arena, for: .gradient)
      let losses = try meta.accumulate(
        examples, dropout: AdapterDropout(rate: 0.3, seed: 8, step: 3),
        into: OuterGradient(adapter: gradient))
      return (losses, gradient.flat.elements)
    }
    for result in results.dropFirst() {
      #expect(relativeDifference(result.0, results[0].0) < 1e-10)
      #expect(relativeDifference(result.1, results[0].1) < 1e-10)
    }
  }

  /// Another seed or step is another mask; no dropout, and evaluation, leave nothing out.
  @Test func seedsAndStepsDecideAndEvaluationIsWithout() throws {
    let arena = Arena()
    let adapter: AdapterTensors<Double> = Self.adapter([:], arena: arena)
    let meta = try Self.meta(adapter, rows: 96, policy: .lean, arena: arena)
    let texts: [[Int32]] = [[1, 5, 9, 30, 7, 2, 8], [2, 66, 13]]
    let examples = texts.map { LossExample(text: $0, weight: 1) }
    let waste = AdapterTensors<Double>(layout: adapter.layout, arena: arena, for: .gradient)
    func losses(_ dropout: AdapterDropout?) throws -> [Double] {
      try meta.accumulate(examples, dropout: dropout, into: OuterGradient(adapter: waste))
    }
    let first = try losses(AdapterDropout(rate: 0.3, seed: 8, step: 3))
    #expect(try losses(AdapterDropout(rate: 0.3, seed: 8, step: 3)) == first)
    #expect(try losses(AdapterDropout(rate: 0.3, seed: 8, step: 4)) != first)
    #expect(try losses(AdapterDropout(rate: 0.3, seed: 9, step: 3)) != first)
    let without = try losses(nil)
    #expect(without != first)
    #expect(try losses(AdapterDropout(rate: 0, seed: 8, step: 3)) == without)
    let scored = try meta.score(texts: texts).map { row in
      row.reduce(0) { $0 + $1.negativeLogLikelihood } / Double(row.count)
    }
    #expect(relativeDifference(scored, without) < 1e-12)
  }

  /// The mean over masks of an update is the update itself: inverted scaling. With 400 masks of a
  /// rate of 0.2 on small B, a loss near linear in them is within 1 % of that without.
  @Test func dropoutKeepsTheMean() throws {
    let arena = Arena()
    let adapter: AdapterTensors<Double> = Self.adapter([:], arena: arena)
    Elementwise.scale(adapter.flat, by: 0.3)
    let meta = try Self.meta(adapter, rows: 96, policy: .lean, arena: arena)
    let examples = [LossExample(text: [1, 5, 9, 30, 7, 2, 8], weight: 1)]
    let waste = AdapterTensors<Double>(layout: adapter.layout, arena: arena, for: .gradient)
    let mean =
      try (0..<400).reduce(0) {
        $0
          + (try meta.accumulate(
            examples, dropout: AdapterDropout(rate: 0.2, seed: 1, step: $1),
            into: OuterGradient(adapter: waste))[0])
      } / 400
    let without = try meta.accumulate(examples, into: OuterGradient(adapter: waste))[0]
    #expect(abs(mean / without - 1) < 0.01, "\(mean) against \(without)")
  }
}
