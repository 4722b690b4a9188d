#if canImport(FoundationEssentials)
  internal import FoundationEssentials
#else
  internal import Foundation
#endif

extension HuggingFaceConfiguration {
  /// What `config.json` says; optional values that are nil are left out.
  private struct Output: Encodable {
    struct Rope: Encodable {
      var rope_type: String
      var rope_theta: Double?
      var factor: Double?
      var low_freq_factor: Double?
      var high_freq_factor: Double?
      var original_max_position_embeddings: Int?
    }

    var architectures: [String]
    var model_type: String
    var hidden_size: Int
    var intermediate_size: Int
    var num_hidden_layers: Int
    var num_attention_heads: Int
    var num_key_value_heads: Int
    var head_dim: Int
    var vocab_size: Int
    var max_position_embeddings: Int
    var rms_norm_eps: Double
    var rope_theta: Double
    var rope_scaling: Rope?
    var rope_parameters: Rope
    var tie_word_embeddings: Bool
    var attention_bias: Bool?
    var mlp_bias: Bool?
    var hidden_act = "silu"
    var use_sliding_window: Bool?
    var bos_token_id: Int?
    var eos_token_id: Int?
    var torch_dtype: String
  }

  private struct Generation: Encodable {
    var bos_token_id: Int?
    var eos_token_id: [Int]
  }

  /// `config.json` of a model of `architecture` whose tensors have the type `dtype`, for
  /// transformers 4 (`rope_theta`, `rope_scaling`) and 5 (`rope_parameters`).
  public static func json(_ architecture: Architecture, dtype: WeightType) -> [UInt8] {
    let isQwen = architecture.modelType == "qwen2"
    func rope(_ theta: Double?) -> Output.Rope {
      let scaling = architecture.ropeScaling
      return Output.Rope(
        rope_type: scaling == nil ? "default" : "llama3", rope_theta: theta,
        factor: scaling?.factor, low_freq_factor: scaling?.lowFreqFactor,
        high_freq_factor: scaling?.highFreqFactor,
        original_max_position_embeddings: scaling?.originalMaxPositionEmbeddings)
    }
    return encoded(
      Output(
        architectures: [isQwen ? "Qwen2ForCausalLM" : "LlamaForCausalLM"],
        model_type: architecture.modelType, hidden_size: architecture.hiddenSize,
        intermediate_size: architecture.intermediateSize,
        num_hidden_layers: architecture.numHiddenLayers,
        num_attention_heads: architecture.numAttentionHeads,
        num_key_value_heads: architecture.numKeyValueHeads, head_dim: architecture.headDim,
        vocab_size: architecture.vocabSize,
        max_position_embeddings: architecture.maxPositionEmbeddings,
        rms_norm_eps: architecture.rmsNormEps, rope_theta: architecture.ropeTheta,
        rope_scaling: architecture.ropeScaling == nil ? nil : rope(nil),
        rope_parameters: rope(architecture.ropeTheta),
        tie_word_embeddings: architecture.tieWordEmbeddings,
        attention_bias: isQwen ? nil : false, mlp_bias: isQwen ? nil : false,
        use_sliding_window: isQwen ? false : nil, bos_token_id: architecture.bosTokenId,
        eos_token_id: architecture.eosTokenIds.first,
        torch_dtype: dtype == .f16 ? "float16" : dtype == .bf16 ? "bfloat16" : "float32"))
  }

  /// `generation_config.json` of a model of `architecture`: every id that ends a text.
  public static func generationJSON(_ architecture: Architecture) -> [UInt8] {
    encoded(
      Generation(
        bos_token_id: architecture.bosTokenId, eos_token_id: architecture.eosTokenIds))
  }

  private static func encoded(_ value: some Encodable) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(value) else {
      preconditionFailure("a configuration of finite numbers has JSON")
    }
    return [UInt8](data) + [0x0a]
  }
}
