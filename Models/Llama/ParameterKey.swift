public import LoRA
public import Weights

/// A parameter tensor of the model.
public enum ParameterKey: Hashable, Sendable {
  /// Token embeddings; where the head is tied, the head too.
  case embedding
  /// One of the seven linears of a block.
  case linear(layer: Int, LinearKind)
  /// The bias of q, k or v.
  case bias(layer: Int, LinearKind)
  /// RMSNorm's weight before attention.
  case inputNorm(layer: Int)
  /// RMSNorm's weight before the feed-forward layer.
  case postNorm(layer: Int)
  /// RMSNorm's weight before the head.
  case norm
  /// The LM head, where it is not tied.
  case head

  /// Hugging Face's name of the tensor.
  public var name: String {
    switch self {
    case .embedding: "model.embed_tokens.weight"
    case .linear(let layer, let kind): "model.layers.\(layer).\(kind.rawValue).weight"
    case .bias(let layer, let kind): "model.layers.\(layer).\(kind.rawValue).bias"
    case .inputNorm(let layer): "model.layers.\(layer).input_layernorm.weight"
    case .postNorm(let layer): "model.layers.\(layer).post_attention_layernorm.weight"
    case .norm: "model.norm.weight"
    case .head: "lm_head.weight"
    }
  }

  /// The tensor's shape, (rows, columns); vectors are one row.
  public func shape(in architecture: Architecture) -> (rows: Int, columns: Int) {
    switch self {
    case .embedding, .head: return (architecture.vocabSize, architecture.hiddenSize)
    case .linear(_, let kind):
      let shape = kind.shape(in: architecture)
      return (shape.output, shape.input)
    case .bias(_, let kind): return (1, kind.shape(in: architecture).output)
    case .inputNorm, .postNorm, .norm: return (1, architecture.hiddenSize)
    }
  }

  /// Every tensor that `parameters` moves, in the order of use.
  public static func all(
    in architecture: Architecture, moving parameters: InnerParameters = .all
  ) -> [ParameterKey] {
    let everything = parameters == .all
    var keys: [ParameterKey] = everything ? [.embedding] : []
    for layer in 0..<architecture.numHiddenLayers {
      if everything { keys.append(.inputNorm(layer: layer)) }
      for kind in LinearKind.allCases {
        keys.append(.linear(layer: layer, kind))
        if everything && kind.hasBias(in: architecture) { keys.append(.bias(layer: layer, kind)) }
      }
      if everything { keys.append(.postNorm(layer: layer)) }
    }
    if everything {
      keys.append(.norm)
      if !architecture.tieWordEmbeddings { keys.append(.head) }
    }
    return keys
  }
}

extension LinearKind {
  /// Whether the linear has a bias: q, k and v of models with `attentionBias`.
  func hasBias(in architecture: Architecture) -> Bool {
    architecture.attentionBias && [.query, .key, .value].contains(self)
  }
}
