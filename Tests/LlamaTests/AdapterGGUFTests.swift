import Foundation
import Llama
import LoRA
import Operations
import Storage
import TestSupport
import Testing
import Weights

/// Adapters as llama.cpp has them.
@Suite struct AdapterGGUFTests {
  let folder: TemporaryFolder
  let arena = Arena()

  init() throws { folder = try TemporaryFolder() }

  private func adapter(
    _ configuration: AdapterConfiguration, _ architecture: Architecture = TinyModel.architecture
  ) -> AdapterTensors<Float> {
    let tensors = AdapterTensors<Float>(
      layout: AdapterLayout(configuration, architecture: architecture), arena: arena, for: .adapter)
    var random = SplitMix64(seed: 8)
    for index in 0..<tensors.flat.count {
      tensors.flat.pointer[index] = Float(random.uniform() - 0.5)
    }
    return tensors
  }

  private func read(_ path: String, _ architecture: Architecture = TinyModel.architecture) throws
    -> AdapterTensors<Float>
  {
    let file = try AdapterFile(path: path)
    let tensors = AdapterTensors<Float>(
      layout: AdapterLayout(file.configuration, architecture: architecture), arena: arena,
      for: .adapter)
    try file.read(into: tensors)
    return tensors
  }

  /// Whatever scales an adapter has, the file's one α and its B give the same products; bit for bit
  /// where one α is enough, else to two roundings of f32.
  @Test(arguments: [
    AdapterConfiguration(rank: 3, alpha: 6),
    AdapterConfiguration(rank: 4, alpha: 5, targetModules: [.key, .down], useRSLoRA: true),
    AdapterConfiguration(
      rank: 3, alpha: 6, rankPattern: ["k_proj": 5], alphaPattern: ["mlp.up_proj": 1.5]),
    AdapterConfiguration(rank: 3, alpha: 0),
  ])
  func roundTrip(_ configuration: AdapterConfiguration) throws {
    let tensors = adapter(configuration)
    let path = folder.file("adapter.anything")
    try AdapterFile.writeGGUF(tensors, to: path, name: "test")
    let back = try read(path)
    let isExact = Set(tensors.layout.entries.map { $0.scale * Double($0.rank) }) == [6]
    for (entry, other) in zip(tensors.layout.entries, back.layout.entries) {
      #expect(entry.downName == other.downName && entry.rank == other.rank)
      #expect(tensors.down(entry).elements == back.down(other).elements)
      let expected = tensors.up(entry).elements.map { Double($0) * entry.scale }
      let found = back.up(other).elements.map { Double($0) * other.scale }
      if isExact {
        #expect(found == expected)
      } else if configuration.alpha == 0 {
        #expect(found.allSatisfy { $0 == 0 })
      } else {
        #expect(zip(found, expected).allSatisfy { abs($0 - $1) <= 1.2e-7 * abs($1) })
      }
    }
    #expect(back.layout.entries.count == tensors.layout.entries.count)
  }

  /// Rows of B of queries and keys are where `reshape(heads, 2, d / 2).swapaxes(1, 2)` puts them in
  /// Llama models; no row of A, of another linear or of a Qwen2 model moves.
  @Test(arguments: ["llama", "qwen2"]) func rowsOfQueriesAndKeysAreInterleaved(
    modelType: String
  ) throws {
    var architecture = TinyModel.architecture
    architecture.modelType = modelType
    architecture.attentionBias = modelType == "qwen2"
    let tensors = adapter(.init(rank: 2, alpha: 2), architecture)
    let path = folder.file("adapter.gguf")
    try AdapterFile.writeGGUF(tensors, to: path, name: "test")
    let file = try GGUFFile(path: path)
    for entry in tensors.layout.entries {
      let base = "blk.\(entry.layer).\(entry.kind.ggufName).weight"
      let a = try #require(file.tensors.first { $0.name == base + ".lora_a" })
      let b = try #require(file.tensors.first { $0.name == base + ".lora_b" })
      #expect(a.shape == [2, entry.input] && b.shape == [entry.output, 2])
      #expect(try file.floats(a) == tensors.down(entry).elements)
      var rows = Array(0..<entry.output)
      if modelType == "llama", [.query, .key].contains(entry.kind) {
        let dim = architecture.headDim
        rows = (0..<entry.output / dim).flatMap { head in
          (0..<dim / 2).flatMap { pair in (0..<2).map { head * dim + $0 * dim / 2 + pair } }
        }
        #expect(rows != Array(0..<entry.output))
      }
      let up = tensors.up(entry).elements
      #expect(try file.floats(b) == rows.flatMap { up[2 * $0..<2 * $0 + 2] }, "\(base)")
    }
    let back = try read(path, architecture)
    #expect(back.flat.elements == tensors.flat.elements)
    // A model of the other kind is refused.
    var other = architecture
    other.modelType = modelType == "llama" ? "qwen2" : "llama"
    #expect {
      _ = try read(path, other)
    } throws: { "\($0)".contains("general.architecture: expected \(other.modelType)") }
  }

  @Test func halvesAreRounded() throws {
    let tensors = adapter(.init(rank: 3, alpha: 6))
    let path = folder.file("adapter.gguf")
    try AdapterFile.writeGGUF(tensors, to: path, name: "test", type: .f16)
    let back = try read(path)
    #expect(back.flat.elements == tensors.flat.elements.map { Float(Float16($0)) })
  }

  @Test(arguments: [
    ("general.type", "model", "general.type: expected adapter, found 'model'"),
    ("adapter.type", "dora", "adapter.type: expected lora, found 'dora'"),
  ])
  func anotherKindOfFileIsRefused(key: String, value: String, problem: String) throws {
    var builder = GGUFBuilder()
    for (name, text) in [
      ("general.type", "adapter"), ("adapter.type", "lora"), ("general.architecture", "llama"),
    ] {
      builder.metadata.append((name, .string(name == key ? value : text)))
    }
    let path = try folder.write(builder.bytes, "a.gguf")
    #expect {
      _ = try AdapterFile(path: path)
    } throws: { "\($0)".contains(problem) }
  }

  @Test func aTensorOfNoLinearIsNamed() throws {
    let tensors = adapter(.init(rank: 2, alpha: 2, targetModules: [.query]))
    let path = folder.file("adapter.gguf")
    try AdapterFile.writeGGUF(tensors, to: path, name: "test")
    var bytes = [UInt8](try Data(contentsOf: URL(filePath: path)))
    let name = Array("blk.1.attn_q.weight.lora_b".utf8)
    let start = try #require(bytes.firstRange(of: name)?.lowerBound)
    bytes[start + 9] = UInt8(ascii: "x")
    let damaged = try folder.write(bytes, "damaged.gguf")
    #expect {
      _ = try read(damaged)
    } throws: { "\($0)".contains("layers.1.self_attn.q_proj.lora_B' is missing") }
  }

  @Test(
    .enabled(
      if: Python.hasReaders,
      "Python's gguf, numpy and safetensors are not installed: make readers"))
  func thePythonPackagesReadWhatWeWrite() throws {
    let tensors = adapter(.init(rank: 3, alpha: 6, rankPattern: ["k_proj": 5]))
    try AdapterFile.writeGGUF(tensors, to: folder.file("adapter.gguf"), name: "test")
    try AdapterFile.writeFolder(tensors, to: folder.file("peft"), base: "tiny")
    let script = """
      import sys, numpy, gguf, safetensors.numpy
      reader = gguf.GGUFReader(sys.argv[1])
      field = lambda key: reader.get_field(key).contents()
      assert field("general.type") == "adapter" and field("adapter.type") == "lora"
      assert field("general.architecture") == "llama" and field("adapter.lora.alpha") == 6.0
      ours = {t.name: t.data for t in reader.tensors}
      names = {"q_proj": "attn_q", "k_proj": "attn_k", "v_proj": "attn_v", "o_proj": "attn_output",
               "gate_proj": "ffn_gate", "up_proj": "ffn_up", "down_proj": "ffn_down"}
      peft = safetensors.numpy.load_file(sys.argv[2])
      assert len(peft) == len(ours) == 28
      for name, values in peft.items():
          words = name.split(".")
          layer, module, part = words[4], words[6], words[7].lower()
          if part == "lora_b" and module in ("q_proj", "k_proj"):
              values = values.reshape(-1, 2, 4, values.shape[1]).swapaxes(1, 2).reshape(values.shape)
          found = ours[f"blk.{layer}.{names[module]}.weight.{part}"]
          assert found.shape == values.shape and found.dtype == numpy.float32, name
          assert (found == values).all(), name
      print("read", len(ours))
      """
    let result = try #require(
      Python.run(
        script, folder.file("adapter.gguf"), folder.file("peft/adapter_model.safetensors")))
    #expect(result.status == 0 && result.output.contains("read 28"), "\(result.output)")
  }
}
