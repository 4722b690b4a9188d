import Foundation
import Llama
import LoRA
import MetaLearning
import Operations
import Storage
import TestSupport
import Testing
import Weights

/// What the tests of the real model need.
enum RealModel {
  /// SmolLM2, where `make model` has been run.
  static let path: String? = {
    let path = Fixtures.root + ".cache/smollm2.imprint"
    return FileManager.default.fileExists(atPath: path) ? path : nil
  }()
  /// The adapter of the reference, beside the checkout.
  static let adapter: String? = {
    let path = Fixtures.root + "../shared/golden/lora_r8.safetensors"
    return FileManager.default.fileExists(atPath: path) ? path : nil
  }()
}

/// The real model against float64, wherever `make model` has been: tolerances of the project's
/// design, far above what is reached (A: 4e-6) and far below what an error would give.
@Suite(.serialized, .enabled(if: RealModel.path != nil, "make model has not been run"))
struct SmolLM2GoldenTests {
  struct Case: Sendable, CustomTestStringConvertible {
    var triplet: String
    var kind: String
    var adapter: String
    var tolerance: Double
    var testDescription: String { "\(triplet) \(kind) \(adapter)" }
  }

  static let cases: [Case] = ["character-1", "squad-1", "wikitext-1"].flatMap { triplet in
    [
      Case(triplet: triplet, kind: "A", adapter: "r8", tolerance: 5e-4),
      Case(triplet: triplet, kind: "A", adapter: "r8b0", tolerance: 5e-4),
      Case(triplet: triplet, kind: "B", adapter: "r8", tolerance: 1e-3),
      Case(triplet: triplet, kind: "Ball", adapter: "r8", tolerance: 1e-3),
      Case(triplet: triplet, kind: "C", adapter: "r8", tolerance: 1e-3),
      Case(
        triplet: triplet, kind: "CB", adapter: "r8",
        tolerance: triplet == "character-1" ? 2e-3 : 1e-3),
    ]
  }

  /// The gradients themselves are not in the repository: norms of every tensor, the first entries
  /// of eight of them, and losses are. Agreement of all of these bounds the relative L2 loosely;
  /// `imprint-bench gradient` measures it where the reference files are.
  @Test(
    .enabled(if: RealModel.adapter != nil, "the reference's adapter is not there"), arguments: cases
  )
  func gradient(_ test: Case) throws {
    let golden = try Golden(path: Fixtures.path("golden/golden.json"))
    let expected = try #require(
      golden.triplets[test.triplet]?.kinds["\(test.kind)/\(test.adapter)"])
    let group = try #require(golden.group(test.triplet))
    let file = try WeightFile(path: try #require(RealModel.path))
    let arena = Arena()
    let layout = AdapterLayout(.init(rank: 8, alpha: 16), architecture: file.architecture)
    let adapter = AdapterTensors<Float>(layout: layout, arena: arena, for: .adapter)
    try TinyModel.read(adapter, from: try #require(RealModel.adapter))
    if test.adapter == "r8b0" { for entry in layout.entries { adapter.up(entry).fill(0) } }
    let meta = MetaGradient(
      weights: try LlamaWeights<Float>(file: file), adapter: adapter,
      configuration: MetaConfiguration(
        inner: test.kind == "A" || test.kind == "C" ? .lora : .full,
        innerParameters: test.kind == "Ball" ? .all : .linear,
        innerLearningRate: golden.eta[test.kind] ?? .nan,
        target: test.kind.hasPrefix("C") ? .teacher : .gold),
      limits: MetaLimits(
        groups: 1, innerRows: 64, outerRows: 96, scoredRows: 8, sequence: 128, logitRows: 64),
      policy: .lean, workers: Workers(), arena: arena)
    let gradient = AdapterTensors<Float>(layout: layout, arena: arena, for: .gradient)
    let result = try meta.accumulate([group], weight: 1, into: gradient)[0]
    #expect(abs(result.innerLoss - expected.inner_loss) < 1e-4)
    #expect(abs(result.outerLoss - expected.outer_loss) < 1e-4 * max(1, expected.outer_loss))
    let norm = Elementwise.squaredNorm(gradient.flat).squareRoot()
    #expect(abs(norm - expected.norm) < test.tolerance * expected.norm)
    for entry in layout.entries {
      for (name, tensor) in [
        (entry.downName, gradient.down(entry)), (entry.upName, gradient.up(entry)),
      ] {
        let reference = try #require(expected.tensor_norms[name])
        guard reference > 1e-3 * expected.norm else { continue }
        let found = Elementwise.squaredNorm(tensor).squareRoot()
        #expect(abs(found - reference) < 2e-3 * reference, "\(name)")
        let scale = reference / Double(tensor.count).squareRoot()
        for (index, value) in (expected.head[name] ?? []).enumerated() {
          #expect(
            abs(Double(tensor.pointer[index]) - value) < 1e-2 * (scale + abs(value)), "\(name)")
        }
      }
    }
  }

  /// Losses without an adapter, and with the context in the prompt.
  @Test(arguments: ["character-1", "squad-1", "wikitext-1"]) func losses(_ name: String) throws {
    let golden = try Golden(path: Fixtures.path("golden/golden.json"))
    let expected = try #require(golden.triplets[name])
    let group = try #require(golden.group(name))
    let file = try WeightFile(path: try #require(RealModel.path))
    let arena = Arena()
    let layout = AdapterLayout(.init(rank: 1), architecture: file.architecture)
    let adapter = AdapterTensors<Float>(layout: layout, arena: arena, for: .adapter)
    let meta = MetaGradient(
      weights: try LlamaWeights<Float>(file: file), adapter: adapter, configuration: .init(),
      limits: MetaLimits(
        groups: 1, innerRows: 64, outerRows: 96, scoredRows: 8, sequence: 128, logitRows: 64),
      policy: .lean, workers: Workers(), arena: arena)
    let scores = try meta.evaluate([group])[0]
    #expect(abs(scores.innerLoss - expected.contextNLL) < 1e-4)
    #expect(abs(scores.unprompted.meanNLL - expected.nc) < 1e-4)
    #expect(abs(scores.prompted.meanNLL - expected.prompt) < 1e-4)
  }
}
