import Foundation
import Testing
import Weights

/// `config.json` as transformers writes and reads it.
@Suite struct HuggingFaceConfigurationTests {
  /// The fields without a default.
  static let least = """
    "model_type": "llama", "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
    "num_attention_heads": 4, "vocab_size": 40
    """

  private func read(_ more: String = "", generation: String? = nil) throws -> Architecture {
    let text = "{\(Self.least)\(more.isEmpty ? "" : ", ")\(more)}"
    return try HuggingFaceConfiguration.architecture(
      json: Array(text.utf8), generation: generation.map { Array($0.utf8) }, path: "config.json")
  }

  @Test func defaultsAreThoseOfTransformers() throws {
    let a = try read()
    #expect(a.numKeyValueHeads == 4 && a.headDim == 16)
    #expect(a.ropeTheta == 10000 && a.rmsNormEps == 1e-6 && a.ropeScaling == nil)
    #expect(!a.tieWordEmbeddings && !a.attentionBias && a.eosTokenIds.isEmpty)
  }

  @Test func nullIsTheDefault() throws {
    let a = try read(
      #""num_key_value_heads": null, "head_dim": null, "rope_scaling": null, "eos_token_id": null"#)
    #expect(a == (try read()))
  }

  @Test func everyFieldIsRead() throws {
    let a = try read(
      """
      "num_key_value_heads": 2, "head_dim": 32, "rope_theta": 500000.0, "rms_norm_eps": 1e-5,
      "tie_word_embeddings": true, "max_position_embeddings": 777, "bos_token_id": 1,
      "eos_token_id": [2, 3], "hidden_act": "silu", "some_new_field": {"x": []}
      """)
    #expect(a.numKeyValueHeads == 2 && a.headDim == 32 && a.ropeTheta == 500_000)
    #expect(a.rmsNormEps == 1e-5 && a.tieWordEmbeddings && a.maxPositionEmbeddings == 777)
    #expect(a.bosTokenId == 1 && a.eosTokenIds == [2, 3])
  }

  @Test(arguments: [("3", [2, 3]), ("[2, 5]", [2, 5]), ("null", [2])])
  func endsOfGenerationAreAdded(_ ids: String, _ expected: [Int]) throws {
    let a = try read(#""eos_token_id": 2"#, generation: #"{"eos_token_id": \#(ids)}"#)
    #expect(a.eosTokenIds == expected)
  }

  @Test func qwen2HasBiases() throws {
    let text = "{\(Self.least)}".replacing("llama", with: "qwen2")
    let a = try HuggingFaceConfiguration.architecture(json: Array(text.utf8), path: "config.json")
    #expect(a.modelType == "qwen2" && a.attentionBias)
  }

  @Test(arguments: ["rope_scaling", "rope_parameters"]) func llama3Scaling(_ key: String) throws {
    let a = try read(
      """
      "\(key)": {"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0,
      "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
      """)
    #expect(
      a.ropeScaling
        == .init(
          factor: 32, lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositionEmbeddings: 8192))
  }

  @Test func thetaInRopeParameters() throws {
    let a = try read(#""rope_parameters": {"rope_type": "default", "rope_theta": 123.0}"#)
    #expect(a.ropeTheta == 123 && a.ropeScaling == nil)
  }

  /// What is wrong, and what the error says.
  @Test(arguments: [
    (#""hidden_act": "gelu""#, "hidden_act: expected silu, found 'gelu'"),
    (#""mlp_bias": true"#, "mlp_bias"),
    (#""attention_bias": true"#, "attention_bias"),
    (#""use_sliding_window": true"#, "use_sliding_window"),
    (#""quantization_config": {"bits": 4}"#, "quantization_config"),
    (#""partial_rotary_factor": 0.5"#, "partial_rotary_factor: only 1 is supported, found 0.5"),
    (#""rope_parameters": {"partial_rotary_factor": 0.25}"#, "partial_rotary_factor"),
    (#""rope_scaling": {"type": "linear", "factor": 2.0}"#, "found 'linear'"),
    (#""rope_scaling": {"rope_type": "yarn"}"#, "found 'yarn'"),
    (#""rope_scaling": {"rope_type": "llama3", "factor": 8.0}"#, "llama3 needs"),
    (#""num_key_value_heads": 3"#, "num_key_value_heads: expected a divisor of 4, found 3"),
    (#""num_key_value_heads": 0"#, "num_key_value_heads"),
    (#""head_dim": 15"#, "head_dim: expected an even number, found 15"),
    (#""rms_norm_eps": -1"#, "rms_norm_eps"),
    (#""rope_theta": 0"#, "rope_theta"),
    (#""eos_token_id": 40"#, "eos_token_id"),
    (#""eos_token_id": "two""#, "eos_token_id"),
    (#""head_dim": "16""#, "head_dim"),
    (#""max_position_embeddings": 1e30"#, "max_position_embeddings"),
  ])
  func refusals(_ field: String, _ says: String) {
    let error = #expect(throws: WeightError.self) { try read(field) }
    #expect(error?.description.hasPrefix("config.json: ") == true)
    #expect(error?.description.contains(says) == true, "\(error?.description ?? "")")
  }

  @Test(arguments: [
    ("\"hidden_size\": 64", "\"hidden_size\": 9223372036854775807", "hidden_size"),
    ("\"hidden_size\": 64", "\"hidden_size\": -64", "hidden_size"),
    ("\"num_attention_heads\": 4", "\"num_attention_heads\": 0", "num_attention_heads"),
    ("\"vocab_size\": 40", "\"vocab_size\": 4.5", "vocab_size"),
    ("\"vocab_size\": 40", "\"other\": 40", "vocab_size"),
    ("\"llama\"", "\"gpt2\"", "model_type: expected llama or qwen2, found 'gpt2'"),
  ])
  func wrongSizes(_ right: String, _ wrong: String, _ says: String) {
    let text = "{\(Self.least)}".replacing(right, with: wrong)
    let error = #expect(throws: WeightError.self) {
      try HuggingFaceConfiguration.architecture(json: Array(text.utf8), path: "config.json")
    }
    #expect(error?.description.contains(says) == true, "\(error?.description ?? "")")
  }

  @Test(arguments: ["", "[]", "{", "null", "{\"model_type\": \"llama\""]) func notAnObject(
    _ text: String
  ) {
    #expect(throws: WeightError.self) {
      try HuggingFaceConfiguration.architecture(json: Array(text.utf8), path: "config.json")
    }
  }

  @Test func damagedGenerationConfiguration() {
    let error = #expect(throws: WeightError.self) {
      try read(generation: #"{"eos_token_id": "x"}"#)
    }
    #expect(error?.description.contains("generation_config.json") == true)
  }
}
