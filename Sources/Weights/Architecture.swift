/// The shape of a Llama-family model, with Hugging Face's keys (`config.json`).
public struct Architecture: Codable, Equatable, Sendable {
  /// `llama` or `qwen2`.
  public var modelType: String
  /// D: width of the residual stream.
  public var hiddenSize: Int
  /// F: width of the feed-forward layer.
  public var intermediateSize: Int
  /// L: number of blocks.
  public var numHiddenLayers: Int
  /// H: number of query heads.
  public var numAttentionHeads: Int
  /// K: number of key and value heads; divides H.
  public var numKeyValueHeads: Int
  /// d: width of a head; even.
  public var headDim: Int
  /// V: number of token ids.
  public var vocabSize: Int
  /// The longest sequence that the model was made for.
  public var maxPositionEmbeddings: Int
  /// ε of RMSNorm.
  public var rmsNormEps: Double
  /// Base of the rotary angles.
  public var ropeTheta: Double
  /// Llama 3's change of the rotary frequencies, where the model has it.
  public var ropeScaling: RopeScaling?
  /// Whether the LM head is the embedding matrix.
  public var tieWordEmbeddings: Bool
  /// Whether q, k and v have biases (Qwen2).
  public var attentionBias: Bool
  /// The id put before a text, if any.
  public var bosTokenId: Int?
  /// The ids that end a generation.
  public var eosTokenIds: [Int]

  /// Llama 3's rotary scaling (`rope_type` = `llama3`).
  public struct RopeScaling: Codable, Equatable, Sendable {
    /// By how much low frequencies are divided.
    public var factor: Double
    /// Wavelengths above original length ÷ this are low frequencies.
    public var lowFreqFactor: Double
    /// Wavelengths below original length ÷ this stay as they are.
    public var highFreqFactor: Double
    /// The length that the model was first trained for.
    public var originalMaxPositionEmbeddings: Int

    /// All four values.
    public init(
      factor: Double, lowFreqFactor: Double, highFreqFactor: Double,
      originalMaxPositionEmbeddings: Int
    ) {
      self.factor = factor
      self.lowFreqFactor = lowFreqFactor
      self.highFreqFactor = highFreqFactor
      self.originalMaxPositionEmbeddings = originalMaxPositionEmbeddings
    }

    enum CodingKeys: String, CodingKey {
      case factor
      case lowFreqFactor = "low_freq_factor"
      case highFreqFactor = "high_freq_factor"
      case originalMaxPositionEmbeddings = "original_max_position_embeddings"
    }
  }

  enum CodingKeys: String, CodingKey {
    case modelType = "model_type"
    case hiddenSize = "hidden_size"
    case intermediateSize = "intermediate_size"
    case numHiddenLayers = "num_hidden_layers"
    case numAttentionHeads = "num_attention_heads"
    case numKeyValueHeads = "num_key_value_heads"
    case headDim = "head_dim"
    case vocabSize = "vocab_size"
    case maxPositionEmbeddings = "max_position_embeddings"
    case rmsNormEps = "rms_norm_eps"
    case ropeTheta = "rope_theta"
    case ropeScaling = "rope_scaling"
    case tieWordEmbeddings = "tie_word_embeddings"
    case attentionBias = "attention_bias"
    case bosTokenId = "bos_token_id"
    case eosTokenIds = "eos_token_ids"
  }

  /// All values.
  public init(
    modelType: String = "llama", hiddenSize: Int, intermediateSize: Int, numHiddenLayers: Int,
    numAttentionHeads: Int, numKeyValueHeads: Int, headDim: Int, vocabSize: Int,
    maxPositionEmbeddings: Int, rmsNormEps: Double, ropeTheta: Double,
    ropeScaling: RopeScaling? = nil, tieWordEmbeddings: Bool, attentionBias: Bool = false,
    bosTokenId: Int? = nil, eosTokenIds: [Int] = []
  ) {
    self.modelType = modelType
    self.hiddenSize = hiddenSize
    self.intermediateSize = intermediateSize
    self.numHiddenLayers = numHiddenLayers
    self.numAttentionHeads = numAttentionHeads
    self.numKeyValueHeads = numKeyValueHeads
    self.headDim = headDim
    self.vocabSize = vocabSize
    self.maxPositionEmbeddings = maxPositionEmbeddings
    self.rmsNormEps = rmsNormEps
    self.ropeTheta = ropeTheta
    self.ropeScaling = ropeScaling
    self.tieWordEmbeddings = tieWordEmbeddings
    self.attentionBias = attentionBias
    self.bosTokenId = bosTokenId
    self.eosTokenIds = eosTokenIds
  }
}
