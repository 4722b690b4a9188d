import Conversion
import Foundation
import LoRA
import Storage
import TestSupport
import Testing
import Weights

/// Models as Hugging Face folders.
@Suite struct FolderExporterTests {
  let test: ConversionCase

  init() throws { test = try ConversionCase() }

  private func base(_ model: SmallModel) throws -> WeightFile {
    try model.write(to: test.folder)
    return try test.convert()
  }

  private func adapter(_ file: WeightFile) -> AdapterTensors<Float> {
    let tensors = AdapterTensors<Float>(
      layout: AdapterLayout(
        .init(rank: 3, alpha: 6, targetModules: [.query, .down]), architecture: file.architecture),
      arena: Arena(), for: .adapter)
    var random = SplitMix64(seed: 2)
    for index in 0..<tensors.flat.count {
      tensors.flat.pointer[index] = Float(random.uniform() - 0.5)
    }
    return tensors
  }

  /// Out and in again it is the same model: tensors bit for bit, the shape field by field.
  @Test(arguments: ["llama", "qwen2"], [true, false])
  func roundTrip(modelType: String, tied: Bool) throws {
    let model = SmallModel(modelType: modelType, tied: tied)
    let file = try base(model)
    for (shardBytes, shards) in [(1, model.tensors.count), (40_000, nil), (1 << 30, 1)] {
      let folder = test.output.file("exported \(shardBytes)")
      let bytes = try FolderExporter(shardBytes: shardBytes).export(file, to: folder)
      #expect(bytes == model.tensors.values.reduce(0) { $0 + 4 * $1.values.count })
      let found = try FileManager.default.contentsOfDirectory(atPath: folder)
        .filter { $0.hasSuffix(".safetensors") }
      if let shards { #expect(found.count == shards) } else { #expect(found.count > 1) }
      let back = test.output.file("back.imprint")
      _ = try Converter(output: back).convert(AnyModelSource.open(folder))
      let other = try WeightFile(path: back)
      #expect(other.architecture == file.architecture)
      try test.expectSame(other, model)
    }
  }

  @Test func ropeScalingAndEndsStay() throws {
    var model = SmallModel()
    model.config["rope_scaling"] = """
      {"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, \
      "original_max_position_embeddings": 8192}
      """
    model.config["eos_token_id"] = "[2, 5]"
    let file = try base(model)
    let folder = test.output.file("exported")
    _ = try FolderExporter(type: .bf16).export(file, to: folder)
    let back = test.output.file("back.imprint")
    _ = try Converter(output: back).convert(AnyModelSource.open(folder))
    let architecture = try WeightFile(path: back).architecture
    #expect(architecture == file.architecture)
    #expect(architecture.eosTokenIds == [2, 5] && architecture.ropeScaling?.factor == 32)
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == [
        "config.json", "generation_config.json", "model.safetensors",
      ])
  }

  /// The folder holds what the merged weight file holds.
  @Test(arguments: [WeightType.f32, .f16, .bf16]) func merged(_ type: WeightType) throws {
    let file = try base(SmallModel())
    let adapter = adapter(file)
    let folder = test.output.file("exported")
    _ = try FolderExporter(type: type).export(file, adapter, to: folder)
    let merged = test.output.file("merged.imprint")
    _ = try Merger(type: type).merge(file, adapter, to: merged)
    let expected = try WeightFile(path: merged)
    let tensors = try SafetensorsFile(path: folder + "/model.safetensors")
    for entry in adapter.layout.entries {
      let name = "model.layers.\(entry.layer).\(entry.kind.rawValue).weight"
      #expect(try tensors.floats(name) == expected.values(name))
      #expect(try tensors.floats(name) != file.values(name))
    }
  }

  @Test func theTokenizerMustBeTheModels() throws {
    let tokenizer = Fixtures.path("tokenizers/gpt2.json")
    try FileManager.default.copyItem(atPath: tokenizer, toPath: test.folder.file("tokenizer.json"))
    let file = try base(SmallModel())
    let folder = test.output.file("exported")
    let error = #expect(throws: WeightError.self) {
      _ = try FolderExporter().export(
        file, tokenizer: Fixtures.path("tokenizers/llama3.json"), to: folder)
    }
    #expect(error?.description.contains("is not the tokenizer of") == true)
    #expect(test.output.names == ["model.imprint"])
    _ = try FolderExporter().export(file, tokenizer: tokenizer, to: folder)
    #expect(
      FileManager.default.contentsEqual(atPath: tokenizer, andPath: folder + "/tokenizer.json"))
    #expect(test.output.names == ["exported", "model.imprint"])
    let again = #expect(throws: WeightError.self) {
      _ = try FolderExporter().export(file, to: folder)
    }
    #expect(again?.description.contains("exists") == true)
  }

  @Test(
    .enabled(
      if: Python.hasReaders,
      "Python's gguf, numpy and safetensors are not installed: make readers"))
  func thePythonPackageReadsWhatWeWrite() throws {
    let model = SmallModel()
    let file = try base(model)
    let folder = test.output.file("exported")
    _ = try FolderExporter(shardBytes: 40_000).export(file, to: folder)
    let script = """
      import sys, json, os, safetensors.numpy
      folder = sys.argv[1]
      index = json.load(open(os.path.join(folder, "model.safetensors.index.json")))
      shards = {}
      for name, shard in index["weight_map"].items():
          if shard not in shards:
              shards[shard] = safetensors.numpy.load_file(os.path.join(folder, shard))
          print(name, list(shards[shard][name].shape), float(shards[shard][name].flat[0]))
      assert sum(t.nbytes for s in shards.values() for t in s.values()) == index["metadata"]["total_size"]
      """
    let result = try #require(Python.run(script, folder))
    #expect(result.status == 0, "\(result.output)")
    for (name, tensor) in model.tensors {
      let shape = "[\(tensor.shape.map(String.init).joined(separator: ", "))]"
      #expect(result.output.contains("\(name) \(shape) \(Double(tensor.values[0]))"), "\(name)")
    }
  }
}
