import Conversion
import Foundation
import Storage
import TestSupport
import Testing
import Weights

/// From GGUF files: names, the order of query and key rows, quantised blocks, rotary scaling.
@Suite struct GGUFConversionTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func convert(_ builder: GGUFBuilder) throws -> WeightFile {
    let source = try folder.write(builder.bytes, "source.anything")
    let path = folder.file("model.imprint")
    _ = try Converter(output: path).convert(AnyModelSource.open(source))
    let file = try WeightFile(path: path)
    try file.verify()
    return file
  }

  private func refuses(
    _ text: String, model: SmallModel = SmallModel(),
    sourceLocation: SourceLocation = #_sourceLocation, _ change: (inout GGUFBuilder) -> Void
  ) throws {
    var builder = model.gguf()
    change(&builder)
    let error = #expect(throws: WeightError.self, sourceLocation: sourceLocation) {
      _ = try convert(builder)
    }
    #expect(
      error?.description.contains(text) == true, "\(error?.description ?? "nothing thrown")",
      sourceLocation: sourceLocation)
    #expect(folder.names == ["source.anything"], sourceLocation: sourceLocation)
  }

  /// Query and key rows are back in Hugging Face's order: the file is that of the folder.
  @Test(arguments: ["llama", "qwen2"], [true, false])
  func fileAndFolderGiveTheSameModel(modelType: String, tied: Bool) throws {
    let model = SmallModel(modelType: modelType, tied: tied)
    let file = try convert(model.gguf())
    #expect(Set(file.tensorNames) == Set(model.tensors.keys))
    for (name, tensor) in model.tensors {
      #expect(try file.values(name) == tensor.values, "\(name)")
    }
    let huggingFace = try TemporaryFolder()
    try model.write(to: huggingFace)
    #expect(file.architecture == (try AnyModelSource.open(huggingFace.path).architecture))
  }

  /// Blocks of every quantised type go in and come out bit for bit, rows in their new order.
  @Test(arguments: WeightType.allCases.filter { $0.blockElements == 32 })
  func quantisedBlocksStayAsTheyAre(_ type: WeightType) throws {
    let codes: [WeightType: UInt32] = [.q4_0: 2, .q4_1: 3, .q5_0: 6, .q5_1: 7, .q8_0: 8]
    var random = SplitMix64(seed: 3)
    var builder = SmallModel().gguf()
    var expected: [String: [UInt8]] = [:]
    for index in builder.tensors.indices where builder.tensors[index].dimensions.count == 2 {
      let tensor = builder.tensors[index]
      let rows = Int(tensor.dimensions[1])
      let rowBytes = Int(tensor.dimensions[0]) / 32 * type.blockBytes
      let bytes = (0..<rows * rowBytes).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      builder.tensors[index].type = try #require(codes[type])
      builder.tensors[index].bytes = bytes
      let isRotary = tensor.name.contains("attn_q") || tensor.name.contains("attn_k")
      var ordered = bytes
      if isRotary {
        for (place, row) in SmallModel.interleaved(rows).enumerated() {
          ordered.replaceSubrange(
            row * rowBytes..<(row + 1) * rowBytes,
            with: bytes[place * rowBytes..<(place + 1) * rowBytes])
        }
      }
      expected[tensor.name] = ordered
    }
    let file = try convert(builder)
    var checked = 0
    for tensor in file.tensors where tensor.rows > 1 {
      #expect(tensor.type == type, "\(tensor.name)")
      let name = SmallModel.ggufName(tensor.name)
      #expect(try file.storedBytes(tensor.name) == expected[name], "\(tensor.name)")
      checked += 1
    }
    #expect(checked == expected.count && checked == 15)
  }

  // MARK: Rotary

  /// Factors as llama.cpp's converter computes them, with frequencies in f32.
  private func factors(_ factor: Double, theta: Double = 10000) -> [Float] {
    (0..<SmallModel.headDim / 2).map { pair in
      let frequency = Double(
        1 / pow(Float(theta), Float(2 * pair) / Float(SmallModel.headDim)))
      let wavelength = 2 * Double.pi / frequency
      if wavelength < 8192 / 4 { return 1 }
      if wavelength > 8192 / 1 { return Float(factor) }
      let smooth = (8192 / wavelength - 1) / (4 - 1)
      return Float(1 / ((1 - smooth) / factor + smooth))
    }
  }

  private func withFactors(_ values: [Float], theta: Float? = nil) -> GGUFBuilder {
    var builder = SmallModel().gguf()
    if let theta { builder.metadata.append(("llama.rope.freq_base", .f32(theta))) }
    builder.tensors.append(
      .init(
        "rope_freqs.weight", [UInt64(values.count)], bytes: values.withUnsafeBytes { Array($0) }))
    return builder
  }

  @Test(arguments: [8.0, 32.0]) func llama3ScalingIsFoundFromItsFactors(_ factor: Double) throws {
    // At this base some frequencies stay, some are divided and at least one is blended.
    let values = factors(factor, theta: 500_000)
    #expect(values.contains(1) && values.contains(Float(factor)))
    #expect(values.contains { $0 != 1 && $0 != Float(factor) })
    let file = try convert(withFactors(values, theta: 500_000))
    #expect(
      file.architecture.ropeScaling
        == .init(
          factor: factor, lowFreqFactor: 1, highFreqFactor: 4,
          originalMaxPositionEmbeddings: 8192))
    #expect(file.architecture.ropeTheta == 500_000)
  }

  @Test(arguments: [Float(1.001), .nan, .infinity, 0]) func otherFactors(_ change: Float) throws {
    var values = factors(8)
    values[0] *= change
    let builder = withFactors(values)
    try refuses("not those of a Llama 3 scaling") { $0 = builder }
  }

  @Test func wrongNumberOfFactors() throws {
    let builder = withFactors([1, 1, 1])
    try refuses("expected 8 F32 factors") { $0 = builder }
  }

  @Test func rotaryPartOfAHead() throws {
    try refuses("llama.rope.dimension_count: expected 16, the head's width, found 8") {
      $0.set("llama.rope.dimension_count", .u32(8))
    }
  }

  @Test func linearScaling() throws {
    try refuses("rope.scaling.type: 'linear' is not supported") {
      $0.set("llama.rope.scaling.type", .string("linear"))
    }
    try refuses("llama.rope.scale_linear: only 1") { $0.set("llama.rope.scale_linear", .f32(2)) }
  }

  // MARK: Wrong files

  @Test func anotherArchitecture() throws {
    try refuses("general.architecture: expected llama or qwen2, found 'gpt2'") {
      $0.set("general.architecture", .string("gpt2"))
    }
  }

  @Test(arguments: [
    "general.architecture", "llama.embedding_length", "llama.block_count", "llama.context_length",
    "llama.attention.head_count", "llama.attention.layer_norm_rms_epsilon",
    "llama.feed_forward_length",
  ])
  func missingKey(_ key: String) throws {
    try refuses("metadata '\(key)' is missing") { $0.metadata.removeAll { $0.key == key } }
  }

  @Test(arguments: ["llama.embedding_length", "llama.block_count", "llama.attention.head_count"])
  func keyOfAnotherKind(_ key: String) throws {
    try refuses("metadata '\(key)': expected an integer") { $0.set(key, .string("4")) }
  }

  @Test func sizesThatNoModelHas() throws {
    try refuses("head_count") { $0.set("llama.attention.head_count", .u32(0)) }
    try refuses("num_hidden_layers") { $0.set("llama.block_count", .u32(.max)) }
    try refuses("num_key_value_heads") { $0.set("llama.attention.head_count_kv", .u32(3)) }
  }

  @Test func oneOfSeveralFiles() throws {
    try refuses("split.count") { $0.set("split.count", .u32(2)) }
  }

  @Test func missingTensor() throws {
    try refuses("'blk.1.ffn_up.weight' is missing: expected shape (96, 64)") {
      $0.tensors.removeAll { $0.name == "blk.1.ffn_up.weight" }
    }
    try refuses("'token_embd.weight' is missing") {
      $0.tensors.removeAll { $0.name == "token_embd.weight" }
    }
  }

  /// A bias that the architecture does not know would be lost without a word.
  @Test func superfluousTensor() throws {
    try refuses("'blk.0.attn_q.bias' is not one of a llama model") {
      $0.tensors.append(
        .init("blk.0.attn_q.bias", [64], bytes: [UInt8](repeating: 0, count: 256)))
    }
  }

  @Test func wrongShape() throws {
    try refuses("'blk.0.ffn_down.weight': expected shape (64, 96), found [96, 64]") { builder in
      for index in builder.tensors.indices
      where builder.tensors[index].name == "blk.0.ffn_down.weight" {
        builder.tensors[index].dimensions.reverse()
      }
    }
  }

  // MARK: Tokenizer

  private func tokenizer(_ builder: inout GGUFBuilder) {
    builder.set("tokenizer.ggml.model", .string("gpt2"))
    builder.set("tokenizer.ggml.pre", .string("smollm"))
    builder.set("tokenizer.ggml.tokens", .strings(["<u>", "<s>", "</s>", "a", "b", "ab"]))
    builder.set("tokenizer.ggml.token_type", .i32s([3, 3, 3, 1, 1, 1]))
    builder.set("tokenizer.ggml.merges", .strings(["a b"]))
  }

  @Test func tokenizerIsStored() throws {
    var builder = SmallModel().gguf()
    tokenizer(&builder)
    #expect(try convert(builder).tokenizerData()?.isEmpty == false)
  }

  /// Numbers that are no token types must not end the process.
  @Test(arguments: [Float.nan, .infinity, 1e30, 1]) func tokenTypesThatAreNotIntegers(
    _ value: Float
  ) throws {
    try refuses("'tokenizer.ggml.token_type': expected an array of integers") {
      tokenizer(&$0)
      $0.set("tokenizer.ggml.token_type", .f32s([Float](repeating: value, count: 6)))
    }
  }

  @Test func tokensOfAnotherKind() throws {
    try refuses("'tokenizer.ggml.tokens': expected an array of strings") {
      tokenizer(&$0)
      $0.set("tokenizer.ggml.tokens", .i32s([1, 2]))
    }
  }

  @Test func moreTokensThanEmbeddings() throws {
    try refuses("expected at most 40, as many as token_embd.weight has rows, found 41") {
      tokenizer(&$0)
      $0.set("tokenizer.ggml.tokens", .strings((0..<41).map { "t\($0)" }))
    }
  }

  @Test func tokenIdOutsideTheVocabulary() throws {
    try refuses("_token_id") { $0.set("tokenizer.ggml.eos_token_id", .u32(40)) }
  }
}

extension GGUFBuilder {
  /// Replaces or adds a key.
  fileprivate mutating func set(_ key: String, _ value: Value) {
    metadata.removeAll { $0.key == key }
    metadata.append((key, value))
  }
}
