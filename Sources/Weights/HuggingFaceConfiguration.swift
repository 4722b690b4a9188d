#if canImport(FoundationEssentials)
  internal import FoundationEssentials
#else
  internal import Foundation
#endif

/// `config.json` and `generation_config.json` of a Hugging Face model folder.
public enum HuggingFaceConfiguration {
  /// A whole number. A decoder of `Int` says of any other number only that the JSON is invalid.
  private struct Whole: Decodable {
    var value: Int

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if let value = try? container.decode(Int.self) {
        self.value = value
        return
      }
      guard let number = try? container.decode(Double.self) else {
        throw DecodingError.dataCorruptedError(
          in: container, debugDescription: "expected a whole number")
      }
      throw DecodingError.dataCorruptedError(
        in: container, debugDescription: "expected a whole number, found \(number)")
    }
  }

  private struct Config: Decodable {
    struct Rope: Decodable {
      var rope_type: String?
      var type: String?
      var rope_theta: Double?
      var factor: Double?
      var low_freq_factor: Double?
      var high_freq_factor: Double?
      var original_max_position_embeddings: Whole?
      var partial_rotary_factor: Double?
    }

    /// Anything: only its presence matters.
    struct Present: Decodable {
      init(from decoder: any Decoder) {}
    }

    var model_type: String
    var hidden_size: Whole
    var intermediate_size: Whole
    var num_hidden_layers: Whole
    var num_attention_heads: Whole
    var num_key_value_heads: Whole?
    var head_dim: Whole?
    var vocab_size: Whole
    var max_position_embeddings: Whole?
    var rms_norm_eps: Double?
    var rope_theta: Double?
    var rope_scaling: Rope?
    var rope_parameters: Rope?
    var tie_word_embeddings: Bool?
    var attention_bias: Bool?
    var mlp_bias: Bool?
    var hidden_act: String?
    var use_sliding_window: Bool?
    var partial_rotary_factor: Double?
    var quantization_config: Present?
    var bos_token_id: Whole?
    var eos_token_id: Identifiers?
  }

  /// One id or a list.
  private struct Identifiers: Decodable {
    var ids: [Int]

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if let one = try? container.decode(Whole.self) {
        ids = [one.value]
      } else if let list = try? container.decode([Whole].self) {
        ids = list.map(\.value)
      } else {
        throw DecodingError.dataCorruptedError(
          in: container, debugDescription: "expected a token id or a list of them")
      }
    }
  }

  private struct Generation: Decodable {
    var eos_token_id: Identifiers?
  }

  /// The architecture that `json` describes, with transformers' defaults for what it leaves out.
  ///
  /// Throws ``WeightError`` naming the field: missing, of another type, or a feature that is not
  /// supported. `generation` is the text of `generation_config.json`, where there is one.
  public static func architecture(
    json: [UInt8], generation: [UInt8]? = nil, path: String
  ) throws(WeightError) -> Architecture {
    let config: Config
    do {
      config = try JSONDecoder().decode(Config.self, from: Data(json))
    } catch {
      throw WeightError(path: path, jsonProblem(error))
    }
    func refuse(_ problem: String) -> WeightError { WeightError(path: path, problem) }
    guard ["llama", "qwen2"].contains(config.model_type) else {
      throw refuse("model_type: expected llama or qwen2, found '\(config.model_type)'")
    }
    let activation = config.hidden_act ?? "silu"
    guard activation == "silu" else {
      throw refuse("hidden_act: expected silu, found '\(activation)'")
    }
    guard config.mlp_bias != true else { throw refuse("mlp_bias: true is not supported") }
    guard config.use_sliding_window != true else {
      throw refuse("use_sliding_window: true is not supported")
    }
    guard config.quantization_config == nil else {
      throw refuse("quantization_config: quantised safetensors are not supported")
    }
    let rope = config.rope_parameters ?? config.rope_scaling
    let rotaryPart = rope?.partial_rotary_factor ?? config.partial_rotary_factor ?? 1
    guard rotaryPart == 1 else {
      throw refuse("partial_rotary_factor: only 1 is supported, found \(rotaryPart)")
    }
    if config.model_type == "llama", config.attention_bias == true {
      throw refuse("attention_bias: true is not supported for llama (its o_proj has a bias, too)")
    }
    guard config.num_attention_heads.value > 0 else {
      throw refuse("num_attention_heads: expected a positive number")
    }
    var eos = config.eos_token_id?.ids ?? []
    if let generation {
      do {
        let more = try JSONDecoder().decode(Generation.self, from: Data(generation))
        for id in more.eos_token_id?.ids ?? [] where !eos.contains(id) { eos.append(id) }
      } catch {
        throw refuse("generation_config.json beside it: \(jsonProblem(error))")
      }
    }
    let architecture = Architecture(
      modelType: config.model_type, hiddenSize: config.hidden_size.value,
      intermediateSize: config.intermediate_size.value,
      numHiddenLayers: config.num_hidden_layers.value,
      numAttentionHeads: config.num_attention_heads.value,
      numKeyValueHeads: config.num_key_value_heads?.value ?? config.num_attention_heads.value,
      headDim: config.head_dim?.value
        ?? config.hidden_size.value / config.num_attention_heads.value,
      vocabSize: config.vocab_size.value,
      maxPositionEmbeddings: config.max_position_embeddings?.value ?? 2048,
      rmsNormEps: config.rms_norm_eps ?? 1e-6,
      ropeTheta: rope?.rope_theta ?? config.rope_theta ?? 10000,
      ropeScaling: try scaling(rope, path: path),
      tieWordEmbeddings: config.tie_word_embeddings ?? false,
      attentionBias: config.model_type == "qwen2", bosTokenId: config.bos_token_id?.value,
      eosTokenIds: eos)
    try architecture.validate(path: path)
    return architecture
  }

  private static func scaling(
    _ rope: Config.Rope?, path: String
  ) throws(WeightError) -> Architecture.RopeScaling? {
    guard let rope else { return nil }
    switch rope.rope_type ?? rope.type ?? "default" {
    case "default": return nil
    case "llama3":
      guard let factor = rope.factor, let low = rope.low_freq_factor,
        let high = rope.high_freq_factor, let original = rope.original_max_position_embeddings
      else {
        throw WeightError(
          path: path,
          "rope_scaling: llama3 needs factor, low_freq_factor, high_freq_factor and original_max_position_embeddings"
        )
      }
      return .init(
        factor: factor, lowFreqFactor: low, highFreqFactor: high,
        originalMaxPositionEmbeddings: original.value)
    case let other:
      throw WeightError(
        path: path, "rope_scaling: rope_type expected default or llama3, found '\(other)'")
    }
  }
}
