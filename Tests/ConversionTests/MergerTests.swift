import Conversion
import Llama
import LoRA
import Operations
import Storage
import TestSupport
import Testing
import Weights

@Suite struct MergerTests {
  /// The merged model says what the base with its adapter says: 1e-5 in f32 (another order of
  /// roundings), 3 % for bf16's 8 bits through two blocks.
  @Test(arguments: [(WeightType.f32, 1e-5), (.f16, 2e-3), (.bf16, 3e-2)])
  func theMergedModelSaysTheSame(_ type: WeightType, _ tolerance: Double) throws {
    let folder = try TemporaryFolder()
    let base = folder.file("base.imprint")
    _ = try Converter(output: base).convert(AnyModelSource.open(TinyModel.folder))
    let file = try WeightFile(path: base)
    let arena = Arena()
    let adapter: AdapterTensors<Float> = try TinyModel.adapter("lora_r3", arena: arena)
    let output = folder.file("merged.imprint")
    _ = try Merger(type: type).merge(file, adapter, to: output)
    let merged = try WeightFile(path: output)
    try merged.verify()
    #expect(merged.tensors.count == file.tensors.count)

    func losses(_ file: WeightFile, _ adapter: AdapterTensors<Float>?) throws -> [Double] {
      let engine = LlamaEngine<Float>(
        weights: try LlamaWeights(file: file), workers: Workers(count: 2),
        limits: EngineLimits(
          rows: 16, tangentRows: 0, sequence: 16, updateRank: 0, adapterRank: 3, logitRows: 16),
        arena: arena)
      let sweep = Sweep(
        engine: engine, capacity: 16, hasTangents: false, policy: .lean, arena: arena)
      var batch = TokenBatch()
      batch.append([3, 9, 1, 66, 20, 8, 41, 5], predicted: 7)
      var change = ParameterChange<Float>(layers: 2)
      if let adapter { change.add(adapter, rows: 0..<batch.count) }
      sweep.begin(batch, parameters: change)
      try sweep.forward()
      return try sweep.score().map(\.negativeLogLikelihood)
    }
    let expected = try losses(file, adapter)
    let found = try losses(merged, nil)
    #expect(relativeDifference(found, expected) < tolerance)
    #expect(relativeDifference(try losses(file, nil), expected) > 0.05)
  }
}
