import Conversion
import Foundation
import Storage
import TestSupport
import Testing
import Weights

@Suite struct ConversionTests {
  /// A two-head model whose elements are their own indices: rows can be told apart.
  static let shapes: [(String, String, [Int])] = [
    ("token_embd.weight", "model.embed_tokens.weight", [5, 8]),
    ("output_norm.weight", "model.norm.weight", [8]),
    ("blk.0.attn_norm.weight", "model.layers.0.input_layernorm.weight", [8]),
    ("blk.0.attn_q.weight", "model.layers.0.self_attn.q_proj.weight", [8, 8]),
    ("blk.0.attn_k.weight", "model.layers.0.self_attn.k_proj.weight", [4, 8]),
    ("blk.0.attn_v.weight", "model.layers.0.self_attn.v_proj.weight", [4, 8]),
    ("blk.0.attn_output.weight", "model.layers.0.self_attn.o_proj.weight", [8, 8]),
    ("blk.0.ffn_norm.weight", "model.layers.0.post_attention_layernorm.weight", [8]),
    ("blk.0.ffn_gate.weight", "model.layers.0.mlp.gate_proj.weight", [6, 8]),
    ("blk.0.ffn_up.weight", "model.layers.0.mlp.up_proj.weight", [6, 8]),
    ("blk.0.ffn_down.weight", "model.layers.0.mlp.down_proj.weight", [8, 6]),
  ]

  static func values(_ index: Int, _ shape: [Int]) -> [Float] {
    (0..<shape.reduce(1, *)).map { Float(1000 * index + $0) + 0.125 }
  }

  static func gguf(_ change: (inout GGUFBuilder) -> Void = { _ in }, without: String = "")
    -> [UInt8]
  {
    var builder = GGUFBuilder()
    builder.add("general.architecture", "llama")
    builder.add("llama.embedding_length", 8)
    builder.add("llama.block_count", 1)
    builder.add("llama.feed_forward_length", 6)
    builder.add("llama.attention.head_count", 2)
    builder.add("llama.attention.head_count_kv", 1)
    builder.add("llama.context_length", 64)
    builder.add("llama.attention.layer_norm_rms_epsilon", Float(1e-5))
    builder.add("llama.rope.freq_base", Float(10000))
    for (index, (name, _, shape)) in shapes.enumerated() where name != without {
      builder.tensor(name, shape, values(index, shape))
    }
    change(&builder)
    return builder.file()
  }

  static let config = """
    {"model_type": "llama", "hidden_size": 8, "intermediate_size": 6, "num_hidden_layers": 1,
     "num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": 5,
     "max_position_embeddings": 64, "rms_norm_eps": 1e-05, "rope_theta": 10000.0,
     "tie_word_embeddings": true, "hidden_act": "silu", "eos_token_id": [1, 2]}
    """

  static func folder(
    _ folder: TemporaryFolder, config: String = config, rename: (String) -> String? = { $0 }
  ) throws {
    try folder.write(Array(config.utf8), "config.json")
    let tensors = shapes.enumerated().compactMap { index, shape in
      rename(shape.1).map { (name: $0, shape: shape.2, values: values(index, shape.2)) }
    }
    let writer = try SafetensorsWriter(
      path: folder.file("model.safetensors"),
      tensors: tensors.map { .init(name: $0.name, shape: $0.shape) })
    for tensor in tensors { try tensor.values.withUnsafeBytes { try writer.append($0) } }
    try writer.finish()
  }

  private func read(_ path: String, _ name: String) throws -> [Float] {
    let tensor = try WeightFile(path: path).tensor(name)
    var values = [Float](repeating: 0, count: tensor.rows * tensor.columns)
    let scratch = UnsafeMutableRawBufferPointer.allocate(
      byteCount: tensor.scratchBytes, alignment: 64)
    defer { scratch.deallocate() }
    try tensor.decode(rows: 0..<tensor.rows, into: &values, scratch: scratch)
    return values
  }

  @Test func ggufRowsOfQueriesAndKeysAreUnpermuted() throws {
    let folder = try TemporaryFolder()
    let source = try folder.write(Self.gguf(), "x.gguf")
    let output = folder.file("x.imprint")
    let summary = try Converter(output: output).convert(AnyModelSource.open(source))
    #expect(summary.tensors == Self.shapes.count && !summary.hasTokenizer)
    let file = try WeightFile(path: output)
    try file.verify()
    #expect(file.architecture.rmsNormEps == 1e-5 && file.architecture.tieWordEmbeddings)
    for (index, (name, target, shape)) in Self.shapes.enumerated() {
      let stored = Self.values(index, shape)
      var expected = stored
      if name.contains("attn_q") || name.contains("attn_k") {
        // llama.cpp keeps row 2 j + s of a head of four where Hugging Face has row 2 s + j.
        expected = (0..<shape[0]).flatMap { row -> [Float] in
          let (head, inside) = (row / 4, row % 4)
          let source = head * 4 + 2 * (inside % 2) + inside / 2
          return Array(stored[source * 8..<(source + 1) * 8])
        }
      }
      #expect(try read(output, target) == expected, "\(target)")
    }
  }

  @Test func missingAndMisshapenTensorsAreNamed() throws {
    let folder = try TemporaryFolder()
    let missing = try folder.write(Self.gguf(without: "blk.0.ffn_up.weight"), "x.gguf")
    let error = #expect(throws: WeightError.self) { try AnyModelSource.open(missing) }
    #expect(error?.problem == "tensor 'blk.0.ffn_up.weight' is missing")
    let shaped = try folder.write(
      Self.gguf(
        { $0.tensor("blk.0.ffn_up.weight", [3, 8], [Float](repeating: 0, count: 24)) },
        without: "blk.0.ffn_up.weight"), "y.gguf")
    let other = #expect(throws: WeightError.self) { try AnyModelSource.open(shaped) }
    #expect(other?.problem.contains("expected shape (6, 8), found [3, 8]") == true)
  }

  @Test(arguments: ["model.embed_tokens.weight", "lm_head.weight"])
  func aTiedMatrixGoesUnderEitherName(_ name: String) throws {
    let folder = try TemporaryFolder()
    try Self.folder(folder) { $0 == "model.embed_tokens.weight" ? name : $0 }
    let output = folder.file("x.imprint")
    _ = try Converter(output: output).convert(AnyModelSource.open(folder.path))
    let file = try WeightFile(path: output)
    #expect(file.architecture.tieWordEmbeddings && !file.has("lm_head.weight"))
    #expect(file.architecture.eosTokenIds == [1, 2])
    #expect(try read(output, "model.embed_tokens.weight") == Self.values(0, [5, 8]))
    // A lone safetensors file is as good as its folder.
    let again = folder.file("y.imprint")
    _ = try Converter(output: again).convert(
      AnyModelSource.open(folder.file("model.safetensors")))
    #expect(try WeightFile(path: again).fingerprint == file.fingerprint)
  }

  @Test func shardsAreReadThroughTheirIndex() throws {
    let folder = try TemporaryFolder()
    try folder.write(Array(Self.config.utf8), "config.json")
    var map: [String: String] = [:]
    for (shard, range) in [("a.safetensors", 0..<4), ("b.safetensors", 4..<11)] {
      let part = Array(Self.shapes.enumerated())[range]
      let writer = try SafetensorsWriter(
        path: folder.file(shard), tensors: part.map { .init(name: $1.1, shape: $1.2) })
      for (index, shape) in part {
        try Self.values(index, shape.2).withUnsafeBytes { try writer.append($0) }
        map[shape.1] = shard
      }
      try writer.finish()
    }
    try JSONEncoder().encode(["weight_map": map]).write(
      to: URL(filePath: folder.file("model.safetensors.index.json")))
    let output = folder.file("x.imprint")
    _ = try Converter(output: output).convert(AnyModelSource.open(folder.path))
    #expect(try read(output, "model.layers.0.mlp.down_proj.weight") == Self.values(10, [8, 6]))
  }

  /// 1000 · index + n + 1/8 needs more than bf16 has; small whole numbers do not.
  @Test func exactBf16IsStoredAsBf16() throws {
    let folder = try TemporaryFolder()
    try folder.write(
      Self.gguf(
        { $0.tensor("blk.0.ffn_up.weight", [6, 8], (0..<48).map { Float($0) }) },
        without: "blk.0.ffn_up.weight"), "x.gguf")
    let output = folder.file("x.imprint")
    _ = try Converter(output: output, level: .high).convert(
      AnyModelSource.open(folder.file("x.gguf")))
    let file = try WeightFile(path: output)
    #expect(try file.tensor("model.layers.0.mlp.up_proj.weight").type == .bf16)
    #expect(try file.tensor("model.layers.0.mlp.gate_proj.weight").type == .f32)
    #expect(try read(output, "model.layers.0.mlp.up_proj.weight") == (0..<48).map { Float($0) })
  }

  @Test(arguments: [
    ("\"model_type\": \"llama\"", "\"model_type\": \"gpt2\"", "model_type"),
    ("\"hidden_act\": \"silu\"", "\"hidden_act\": \"gelu\"", "hidden_act"),
    ("\"hidden_size\": 8, ", "", "hidden_size"),
    ("\"hidden_size\": 8", "\"hidden_size\": \"8\"", "hidden_size"),
    ("\"num_key_value_heads\": 1", "\"num_key_value_heads\": 3", "num_key_value_heads"),
    ("\"rope_theta\": 10000.0", "\"rope_scaling\": {\"rope_type\": \"yarn\"}", "rope_scaling"),
    ("\"rope_theta\": 10000.0", "\"rope_scaling\": {\"rope_type\": \"llama3\"}", "rope_scaling"),
    ("\"vocab_size\": 5", "\"vocab_size\": 6", "expected shape (6, 8)"),
    ("\"tie_word_embeddings\": true", "\"tie_word_embeddings\": false", "lm_head.weight"),
    ("\"tie_word_embeddings\": true", "\"mlp_bias\": true", "mlp_bias"), ("{", "[", "JSON"),
  ]) func wrongConfigurationsAreNamed(
    _ find: String, _ replacement: String, _ named: String
  ) throws {
    let folder = try TemporaryFolder()
    let config = Self.config.replacingOccurrences(of: find, with: replacement)
    #expect(config != Self.config)
    try Self.folder(folder, config: config)
    let error = #expect(throws: WeightError.self) { try AnyModelSource.open(folder.path) }
    #expect(error?.description.contains(named) == true, "\(error?.description ?? "")")
  }

  @Test func whatIsNoModelIsSaidSo() throws {
    let folder = try TemporaryFolder()
    let text = try folder.write(Array("hello, this is a text".utf8), "x")
    #expect(throws: WeightError.self) { try AnyModelSource.open(text) }
    #expect(throws: WeightError.self) { try AnyModelSource.open(folder.path) }
    #expect(throws: WeightError.self) { try AnyModelSource.open(folder.file("nothing")) }
  }
}
