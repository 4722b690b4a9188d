import LoRA
import Weights

/// A model in a GGUF file, with llama.cpp's names and its order of query and key rows.
struct GGUFSource: ModelSource {
  let file: GGUFFile
  let architecture: Architecture
  let tensors: [SourceTensor]
  var paths: [String] { [file.path] }

  init(path: String) throws(WeightError) {
    let file = try GGUFFile(path: path)
    if file.metadata["split.count"] != nil, try file.integer("split.count") > 1 {
      throw WeightError(
        path: path, "split.count: a model in several GGUF files is not read; join them first")
    }
    let architecture = try Self.architecture(file)
    let byName = Dictionary(file.tensors.map { ($0.name, $0) }) { first, _ in first }
    var tensors: [SourceTensor] = []
    // The rotary factors are in the architecture.
    var used: Set = ["rope_freqs.weight"]
    for expected in ExpectedTensors.list(architecture) {
      let name = Self.name(of: expected.name)
      guard let tensor = byName[name] else {
        throw WeightError(
          path: path,
          "tensor '\(name)' is missing: expected shape (\(expected.rows), \(expected.columns))")
      }
      used.insert(name)
      let rows = tensor.shape.dropLast().reduce(1, *)
      guard rows == expected.rows, tensor.shape.last == expected.columns else {
        throw WeightError(
          path: path,
          "tensor '\(name)': expected shape (\(expected.rows), \(expected.columns)), found "
            + "\(tensor.shape)")
      }
      tensors.append(Self.tensor(file, tensor, expected, architecture))
    }
    // llama.cpp passes over the rotary tables of old files, too.
    let names = file.tensors.map(\.name).filter { !$0.hasSuffix(".attn_rot_embd.weight") }
    try ExpectedTensors.refuseOthers(names, used: used, architecture: architecture, path: path)
    self.file = file
    self.architecture = architecture
    self.tensors = tensors
  }

  private static func tensor(
    _ file: GGUFFile, _ tensor: GGUFTensor, _ expected: (name: String, rows: Int, columns: Int),
    _ architecture: Architecture
  ) -> SourceTensor {
    let bytes = file.bytes(tensor)
    let stored = FloatStream.storedType(tensor.type, bytes)
    let description = TensorDescription(
      name: expected.name, type: stored, rows: expected.rows, columns: expected.columns)
    let rowBytes = expected.columns / tensor.type.blockElements * tensor.type.blockBytes
    let isRotary =
      architecture.modelType == "llama"
      && (expected.name.hasSuffix("q_proj.weight") || expected.name.hasSuffix("k_proj.weight"))
    return SourceTensor(description: description) { body throws(WeightError) in
      // The file stays open as long as its bytes are read.
      _ = file.path
      guard isRotary else {
        try FloatStream.rows(bytes, type: tensor.type, stored: stored, rowBytes: rowBytes, body)
        return
      }
      let ordered = UnsafeMutableRawBufferPointer.allocate(
        byteCount: architecture.headDim * rowBytes, alignment: 64)
      defer { ordered.deallocate() }
      for head in 0..<expected.rows / architecture.headDim {
        let start = head * architecture.headDim
        for row in 0..<architecture.headDim {
          let source = GGUFFile.interleaved(start + row, headDim: architecture.headDim)
          UnsafeMutableRawBufferPointer(
            rebasing: ordered[row * rowBytes..<(row + 1) * rowBytes]
          ).copyMemory(
            from: UnsafeRawBufferPointer(
              rebasing: bytes[source * rowBytes..<(source + 1) * rowBytes]))
        }
        try FloatStream.rows(
          UnsafeRawBufferPointer(ordered), type: tensor.type, stored: stored, rowBytes: rowBytes,
          body)
      }
    }
  }

  private static let parts = Dictionary(
    uniqueKeysWithValues: LinearKind.allCases.map { ($0.rawValue, $0.ggufName) }
      + [("input_layernorm", "attn_norm"), ("post_attention_layernorm", "ffn_norm")])

  /// llama.cpp's name of a Hugging Face name.
  private static func name(of name: String) -> String {
    switch name {
    case "model.embed_tokens.weight": return "token_embd.weight"
    case "model.norm.weight": return "output_norm.weight"
    case "lm_head.weight": return "output.weight"
    default:
      // model.layers.N.PART.weight or .bias
      let words = name.split(separator: ".")
      let part = words[3..<words.count - 1].joined(separator: ".")
      return "blk.\(words[2]).\(parts[part] ?? part).\(words[words.count - 1])"
    }
  }

  private static func architecture(_ file: GGUFFile) throws(WeightError) -> Architecture {
    let path = file.path
    let kind = try file.string("general.architecture")
    guard kind == "llama" || kind == "qwen2" else {
      throw WeightError(
        path: path, "general.architecture: expected llama or qwen2, found '\(kind)'")
    }
    func optional(_ key: String) throws(WeightError) -> Int? {
      file.metadata[key] == nil ? nil : try file.integer(key)
    }
    let hidden = try file.integer("\(kind).embedding_length")
    let heads = try file.integer("\(kind).attention.head_count")
    guard heads > 0 else {
      throw WeightError(path: path, "\(kind).attention.head_count: expected a positive number")
    }
    let headDim = try optional("\(kind).attention.key_length") ?? hidden / heads
    if let rotary = try optional("\(kind).rope.dimension_count"), rotary != headDim {
      throw WeightError(
        path: path,
        "\(kind).rope.dimension_count: expected \(headDim), the head's width, found \(rotary)")
    }
    if case .string(let scaling)? = file.metadata["\(kind).rope.scaling.type"],
      String(decoding: scaling, as: UTF8.self) != "none"
    {
      throw WeightError(
        path: path,
        "\(kind).rope.scaling.type: '\(String(decoding: scaling, as: UTF8.self))' is not supported")
    }
    // What older files say instead of a scaling type.
    let linear = "\(kind).rope.scale_linear"
    if file.metadata[linear] != nil, try file.number(linear) != 1 {
      throw WeightError(path: path, "\(linear): only 1 is supported")
    }
    guard let embedding = file.tensors.first(where: { $0.name == "token_embd.weight" }) else {
      throw WeightError(path: path, "tensor 'token_embd.weight' is missing")
    }
    var eos: [Int] = []
    for key in ["eos_token_id", "eot_token_id", "eom_token_id"] {
      if let id = try optional("tokenizer.ggml.\(key)"), !eos.contains(id) { eos.append(id) }
    }
    let theta =
      file.metadata["\(kind).rope.freq_base"] == nil
      ? 10000 : try file.number("\(kind).rope.freq_base")
    let architecture = Architecture(
      modelType: kind, hiddenSize: hidden,
      intermediateSize: try file.integer("\(kind).feed_forward_length"),
      numHiddenLayers: try file.integer("\(kind).block_count"), numAttentionHeads: heads,
      numKeyValueHeads: try optional("\(kind).attention.head_count_kv") ?? heads,
      headDim: headDim, vocabSize: embedding.shape[0],
      maxPositionEmbeddings: try file.integer("\(kind).context_length"),
      rmsNormEps: Self.shortest(try file.number("\(kind).attention.layer_norm_rms_epsilon")),
      ropeTheta: theta, ropeScaling: try scaling(file, headDim: headDim, theta: theta),
      tieWordEmbeddings: !file.tensors.contains { $0.name == "output.weight" },
      attentionBias: kind == "qwen2", bosTokenId: try optional("tokenizer.ggml.bos_token_id"),
      eosTokenIds: eos)
    try architecture.validate(path: path)
    return architecture
  }

  /// The f64 number that is written as the f32 one is: 1e-5, not 9.99999974737875e-06.
  private static func shortest(_ value: Double) -> Double { Double("\(Float(value))") ?? value }

  /// Llama 3's scaling is stored as the factors that divide the frequencies; the parameters that
  /// give exactly these factors are looked for.
  private static func scaling(
    _ file: GGUFFile, headDim: Int, theta: Double
  ) throws(WeightError) -> Architecture.RopeScaling? {
    guard let tensor = file.tensors.first(where: { $0.name == "rope_freqs.weight" }) else {
      return nil
    }
    guard tensor.type == .f32, tensor.shape == [headDim / 2] else {
      throw WeightError(
        path: file.path, "tensor 'rope_freqs.weight': expected \(headDim / 2) F32 factors")
    }
    let bytes = file.bytes(tensor)
    let factors = (0..<headDim / 2).map {
      Double(bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self))
    }
    for factor in [8.0, 32.0, 4.0, 16.0] {
      let candidate = Architecture.RopeScaling(
        factor: factor, lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositionEmbeddings: 8192)
      let expected = candidate.divisors(headDim: headDim, theta: theta)
      if zip(factors, expected).allSatisfy({ abs($0 - $1) <= 1e-4 * $1 }) { return candidate }
    }
    throw WeightError(
      path: file.path, "tensor 'rope_freqs.weight': its factors are not those of a Llama 3 scaling")
  }
}
