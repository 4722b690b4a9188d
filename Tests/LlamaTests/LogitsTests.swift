import Foundation
import Llama
import Operations
import Storage
import TestSupport
import Testing
import Weights

@Suite struct LogitsTests {
  /// The distribution over all ids at every position of a context, against the reference's logits:
  /// 1e-9 in f64, 1e-4 in f32.
  @Test(arguments: ["t0", "t1", "t2"]) func contextLogitsAreTheReferences(_ name: String) throws {
    try check(name, Double.self, 1e-9)
    try check(name, Float.self, 1e-4)
  }

  private func check<S: Kernel>(_ name: String, _ type: S.Type, _ tolerance: Double) throws {
    let golden = try Golden(path: TinyModel.folder + "/golden.json")
    let context = try #require(golden.triplets[name]).context
    let file = try SafetensorsFile(path: "\(TinyModel.folder)/\(name).context_logits.safetensors")
    let logits = try file.doubles("logits")
    let arena = Arena()
    let weights: LlamaWeights<S> = try TinyModel.weights()
    let vocabulary = weights.architecture.vocabSize
    let rows = vocabulary * context.count
    let engine = LlamaEngine(
      weights: weights, workers: Workers(count: 2),
      limits: EngineLimits(
        rows: rows, tangentRows: 0, sequence: context.count, updateRank: 0, adapterRank: 0,
        logitRows: 64),
      arena: arena)
    let sweep = Sweep(
      engine: engine, capacity: rows, hasTangents: false, policy: .lean, arena: arena)
    for position in context.indices {
      // −log P of every id after the same prefix.
      var batch = TokenBatch()
      for id in 0..<vocabulary {
        batch.append(Array(context[...position]) + [Int32(id)], predicted: 1)
      }
      sweep.begin(batch, parameters: ParameterChange(layers: 2))
      try sweep.forward()
      let found = try sweep.score().map(\.negativeLogLikelihood)
      let row = logits[position * vocabulary..<(position + 1) * vocabulary]
      let top = row.max() ?? 0
      let normalizer = top + log(row.reduce(0) { $0 + exp($1 - top) })
      for (value, logit) in zip(found, row) {
        #expect(abs(value - (normalizer - logit)) < tolerance)
      }
    }
  }
}
