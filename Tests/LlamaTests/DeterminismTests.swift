import Llama
import LoRA
import Operations
import Storage
import TestSupport
import Testing

@Suite struct DeterminismTests {
  /// The same number of threads gives the same bits; another number, sums in another order.
  @Test func bitsFollowTheThreadCount() throws {
    func gradient(_ threads: Int) throws -> [Float] {
      let arena = Arena()
      let adapter: AdapterTensors<Float> = try TinyModel.adapter("lora_r3", arena: arena)
      let engine = LlamaEngine<Float>(
        weights: try TinyModel.weights(), workers: Workers(count: threads),
        limits: EngineLimits(
          rows: 32, tangentRows: 0, sequence: 32, updateRank: 0, adapterRank: 3, logitRows: 8),
        arena: arena)
      let sweep = Sweep(
        engine: engine, capacity: 32, hasTangents: false, policy: .lean, arena: arena)
      let result = AdapterTensors<Float>(layout: adapter.layout, arena: arena, for: .gradient)
      var batch = TokenBatch()
      batch.append((0..<30).map { Int32($0 * 7 % 67) }, predicted: 29)
      var change = ParameterChange<Float>(layers: 2)
      change.add(adapter, rows: 0..<batch.count)
      sweep.begin(batch, parameters: change)
      try sweep.forward()
      try sweep.backward(
        into: GradientCollector(adapters: [
          AdapterSink(rows: 0..<batch.count, gradient: result, scale: .all(1))
        ]))
      return result.flat.elements
    }
    for threads in [1, 2, 5] {
      let first = try gradient(threads)
      #expect(try gradient(threads) == first)
      #expect(relativeDifference(first, try gradient(1)) < 1e-5)
    }
  }
}
