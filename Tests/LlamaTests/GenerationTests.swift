import Llama
import LoRA
import Operations
import Storage
import TestSupport
import Testing

@Suite struct GenerationTests {
  /// Greedy continuation with the cache is the argmax of whole passes, token after token.
  @Test func theCacheChangesNothing() throws {
    let arena = Arena()
    let weights: LlamaWeights<Double> = try TinyModel.weights()
    let adapter: AdapterTensors<Double> = try TinyModel.adapter("lora_r3", arena: arena)
    let engine = LlamaEngine(
      weights: weights, workers: Workers(count: 2),
      limits: EngineLimits(
        rows: 40, tangentRows: 0, sequence: 40, updateRank: 0, adapterRank: 3, logitRows: 3),
      arena: arena)
    let sweep = Sweep(
      engine: engine, capacity: 40, hasTangents: false, policy: .lean, arena: arena)
    let cache = KeyValueCache<Double>(
      architecture: weights.architecture, sequences: 2, capacity: 40, arena: arena)
    func parameters(_ rows: Int) -> ParameterChange<Double> {
      var change = ParameterChange<Double>(layers: 2)
      change.add(adapter, rows: 0..<rows)
      return change
    }
    let prompts: [[Int32]] = [[5, 9, 30, 2, 61], [7, 1]]
    let results = try sweep.generate(
      prompts, maximum: 12, stops: [], cache: cache, parameters: parameters)
    for (prompt, result) in zip(prompts, results) {
      #expect(result.count == 12)
      var text = prompt
      for id in result {
        // The likeliest next id is the one whose prediction is greedy.
        var batch = TokenBatch()
        batch.append(text + [id], predicted: 1)
        sweep.begin(batch, parameters: parameters(batch.count))
        try sweep.forward()
        #expect(try sweep.score()[0].isGreedy)
        text.append(id)
      }
    }
    let stopped = try sweep.generate(
      [prompts[0]], maximum: 12, stops: [results[0][3]], cache: cache, parameters: parameters)
    let first = results[0].firstIndex(of: results[0][3]) ?? 3
    #expect(stopped[0] == Array(results[0].prefix(first)))
  }

  @Test func drawsFollowTheSeed() throws {
    let arena = Arena()
    let weights: LlamaWeights<Float> = try TinyModel.weights()
    let engine = LlamaEngine(
      weights: weights, workers: Workers(count: 1),
      limits: EngineLimits(
        rows: 4, tangentRows: 0, sequence: 40, updateRank: 0, adapterRank: 0, logitRows: 1),
      arena: arena)
    let sweep = Sweep(engine: engine, capacity: 4, hasTangents: false, policy: .lean, arena: arena)
    let cache = KeyValueCache<Float>(
      architecture: weights.architecture, sequences: 1, capacity: 40, arena: arena)
    func draw(_ sampling: Sampling) throws -> [Int32] {
      try sweep.generate(
        [[5, 9]], maximum: 20, stops: [], sampling: sampling, cache: cache
      ) { _ in ParameterChange(layers: 2) }[0]
    }
    let first = try draw(.init(temperature: 2, seed: 1))
    #expect(try draw(.init(temperature: 2, seed: 1)) == first)
    #expect(try draw(.init(temperature: 2, seed: 2)) != first)
    // A nucleus of almost nothing is greedy.
    #expect(try draw(.init(temperature: 2, topP: 1e-9, seed: 3)) == draw(.init()))
  }
}
