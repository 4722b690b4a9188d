import Foundation
import Storage
import TestSupport
import Weights

/// A small random model, written as a Hugging Face folder or as the GGUF file that llama.cpp's
/// converter would make of it.
struct SmallModel {
  struct Tensor {
    var shape: [Int]
    var values: [Float]
  }

  static let hidden = 64
  static let inner = 96
  static let heads = 4
  static let groups = 2
  static let headDim = 16
  static let vocabulary = 40
  static let layers = 2

  var modelType = "llama"
  /// Fields of `config.json` that are added or replaced.
  var config: [String: String] = [:]
  /// By Hugging Face name.
  var tensors: [String: Tensor] = [:]

  /// Norms are exactly bf16; everything else is f32 that is not.
  init(modelType: String = "llama", tied: Bool = true, seed: UInt64 = 1) {
    self.modelType = modelType
    config = [
      "model_type": "\"\(modelType)\"", "hidden_size": "\(Self.hidden)",
      "intermediate_size": "\(Self.inner)", "num_hidden_layers": "\(Self.layers)",
      "num_attention_heads": "\(Self.heads)", "num_key_value_heads": "\(Self.groups)",
      "vocab_size": "\(Self.vocabulary)", "max_position_embeddings": "128",
      "rms_norm_eps": "1e-05", "rope_theta": "10000.0", "tie_word_embeddings": "\(tied)",
      "bos_token_id": "1", "eos_token_id": "2",
    ]
    var random = SplitMix64(seed: seed)
    func add(_ name: String, _ shape: Int..., exact: Bool = false) {
      let values = (0..<shape.reduce(1, *)).map { _ -> Float in
        let value = Float(Int64(bitPattern: random.next()) >> 40) * 0x1p-24
        return exact ? Float(bitPattern: value.bitPattern & 0xffff_0000) : value
      }
      tensors[name] = Tensor(shape: shape, values: values)
    }
    add("model.embed_tokens.weight", Self.vocabulary, Self.hidden)
    for layer in 0..<Self.layers {
      let prefix = "model.layers.\(layer)."
      let (query, key) = (Self.heads * Self.headDim, Self.groups * Self.headDim)
      add(prefix + "input_layernorm.weight", Self.hidden, exact: true)
      add(prefix + "post_attention_layernorm.weight", Self.hidden, exact: true)
      for (name, rows) in [("q", query), ("k", key), ("v", key)] {
        add(prefix + "self_attn.\(name)_proj.weight", rows, Self.hidden)
        if modelType == "qwen2" { add(prefix + "self_attn.\(name)_proj.bias", rows) }
      }
      add(prefix + "self_attn.o_proj.weight", Self.hidden, query)
      add(prefix + "mlp.gate_proj.weight", Self.inner, Self.hidden)
      add(prefix + "mlp.up_proj.weight", Self.inner, Self.hidden)
      add(prefix + "mlp.down_proj.weight", Self.hidden, Self.inner)
    }
    add("model.norm.weight", Self.hidden, exact: true)
    if !tied { add("lm_head.weight", Self.vocabulary, Self.hidden) }
  }

  // MARK: Hugging Face

  var configJSON: String {
    "{"
      + config.sorted { $0.key < $1.key }.map { "\"\($0.key)\": \($0.value)" }
      .joined(separator: ", ") + "}"
  }

  /// Writes `config.json` and the tensors; with more than one shard, an index too.
  func write(to folder: TemporaryFolder, shards: Int = 1) throws {
    try folder.write(Array(configJSON.utf8), "config.json")
    let names = tensors.keys.sorted()
    guard shards > 1 else {
      try write(names, to: folder.file("model.safetensors"))
      return
    }
    var map: [String: String] = [:]
    for shard in 0..<shards {
      let file = "model-0000\(shard + 1)-of-0000\(shards).safetensors"
      let part = names.enumerated().filter { $0.offset % shards == shard }.map(\.element)
      try write(part, to: folder.file(file))
      for name in part { map[name] = file }
    }
    let index = try JSONEncoder().encode(["weight_map": map])
    try folder.write(Array(index), "model.safetensors.index.json")
  }

  func write(_ names: [String], to path: String) throws {
    let writer = try SafetensorsWriter(
      path: path,
      tensors: names.map { .init(name: $0, shape: tensors[$0]?.shape ?? []) })
    for name in names {
      try (tensors[name]?.values ?? []).withUnsafeBytes { try writer.append($0) }
    }
    try writer.finish()
  }

  // MARK: GGUF

  /// The rows of a query or key matrix as llama.cpp stores them. Its converter does
  /// `w.reshape(heads, 2, dim / 2, columns).swapaxes(1, 2).reshape(w.shape)`.
  static func interleaved(_ rows: Int) -> [Int] {
    (0..<rows / headDim).flatMap { head in
      (0..<headDim / 2).flatMap { pair in
        (0..<2).map { side in head * headDim + side * headDim / 2 + pair }
      }
    }
  }

  static func ggufName(_ name: String) -> String {
    let parts = [
      ("model.embed_tokens", "token_embd"), ("model.norm", "output_norm"), ("lm_head", "output"),
      ("model.layers", "blk"), ("self_attn.q_proj", "attn_q"), ("self_attn.k_proj", "attn_k"),
      ("self_attn.v_proj", "attn_v"), ("self_attn.o_proj", "attn_output"),
      ("mlp.gate_proj", "ffn_gate"), ("mlp.up_proj", "ffn_up"), ("mlp.down_proj", "ffn_down"),
      ("input_layernorm", "attn_norm"), ("post_attention_layernorm", "ffn_norm"),
    ]
    return parts.reduce(name) { $0.replacing($1.0, with: $1.1) }
  }

  /// The file with F32 tensors.
  func gguf() -> GGUFBuilder {
    var builder = GGUFBuilder()
    builder.metadata = [
      ("general.architecture", .string(modelType)),
      ("\(modelType).embedding_length", .u32(UInt32(Self.hidden))),
      ("\(modelType).feed_forward_length", .u32(UInt32(Self.inner))),
      ("\(modelType).block_count", .u32(UInt32(Self.layers))),
      ("\(modelType).attention.head_count", .u32(UInt32(Self.heads))),
      ("\(modelType).attention.head_count_kv", .u32(UInt32(Self.groups))),
      ("\(modelType).attention.layer_norm_rms_epsilon", .f32(1e-5)),
      ("\(modelType).rope.dimension_count", .u32(UInt32(Self.headDim))),
      ("\(modelType).context_length", .u32(128)), ("tokenizer.ggml.bos_token_id", .u32(1)),
      ("tokenizer.ggml.eos_token_id", .u32(2)),
    ]
    for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
      let columns = tensor.shape.last ?? 1
      var rows = Array(0..<tensor.values.count / columns)
      if modelType == "llama", name.hasSuffix("q_proj.weight") || name.hasSuffix("k_proj.weight") {
        rows = Self.interleaved(rows.count)
      }
      let values = rows.flatMap { tensor.values[$0 * columns..<($0 + 1) * columns] }
      builder.tensors.append(
        .init(
          Self.ggufName(name), tensor.shape.reversed().map { UInt64($0) },
          bytes: values.withUnsafeBytes { Array($0) }))
    }
    return builder
  }
}

extension WeightFile {
  /// All rows of a tensor as f32.
  func values(_ name: String) throws -> [Float] {
    let tensor = try tensor(name)
    var result = [Float](repeating: .nan, count: tensor.rows * tensor.columns)
    let scratch = UnsafeMutableRawBufferPointer.allocate(
      byteCount: tensor.scratchBytes, alignment: 64)
    defer { scratch.deallocate() }
    try result.withUnsafeMutableBufferPointer {
      if let base = $0.baseAddress {
        try tensor.decode(rows: 0..<tensor.rows, into: base, scratch: scratch)
      }
    }
    return result
  }

  /// All rows of a tensor in its stored type.
  func storedBytes(_ name: String) throws -> [UInt8] {
    let tensor = try tensor(name)
    var result = [UInt8](repeating: 0, count: tensor.rows * tensor.description.rowBytes)
    let scratch = UnsafeMutableRawBufferPointer.allocate(
      byteCount: tensor.scratchBytes, alignment: 64)
    defer { scratch.deallocate() }
    try result.withUnsafeMutableBytes {
      if let base = $0.baseAddress {
        try tensor.stored(rows: 0..<tensor.rows, into: base, scratch: scratch)
      }
    }
    return result
  }
}
