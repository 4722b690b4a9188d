extension Architecture {
  /// Refuses sizes that no model has, naming the field.
  ///
  /// Throws ``WeightError`` with Hugging Face's key, what was expected and what was found.
  public func validate(path: String) throws(WeightError) {
    func check(_ key: String, _ value: Int, _ range: ClosedRange<Int>) throws(WeightError) {
      guard range.contains(value) else {
        throw WeightError(
          path: path,
          "\(key): expected \(range.lowerBound) to \(range.upperBound), found \(value)")
      }
    }
    guard ["llama", "qwen2"].contains(modelType) else {
      throw WeightError(path: path, "model_type: expected llama or qwen2, found '\(modelType)'")
    }
    try check("hidden_size", hiddenSize, 1...1_048_576)
    try check("intermediate_size", intermediateSize, 1...4_194_304)
    try check("num_hidden_layers", numHiddenLayers, 1...4096)
    try check("num_attention_heads", numAttentionHeads, 1...65_536)
    try check("num_key_value_heads", numKeyValueHeads, 1...numAttentionHeads)
    try check("head_dim", headDim, 2...65_536)
    try check("vocab_size", vocabSize, 1...16_777_216)
    try check("max_position_embeddings", maxPositionEmbeddings, 1...1_073_741_824)
    guard numAttentionHeads % numKeyValueHeads == 0 else {
      throw WeightError(
        path: path,
        "num_key_value_heads: expected a divisor of \(numAttentionHeads), found \(numKeyValueHeads)"
      )
    }
    guard headDim % 2 == 0 else {
      throw WeightError(path: path, "head_dim: expected an even number, found \(headDim)")
    }
    guard rmsNormEps.isFinite, rmsNormEps >= 0, rmsNormEps < 1 else {
      throw WeightError(path: path, "rms_norm_eps: expected 0 to 1, found \(rmsNormEps)")
    }
    guard ropeTheta.isFinite, ropeTheta > 0 else {
      throw WeightError(path: path, "rope_theta: expected a positive number, found \(ropeTheta)")
    }
    if let scaling = ropeScaling {
      guard scaling.factor.isFinite, scaling.factor >= 1, scaling.lowFreqFactor > 0,
        scaling.highFreqFactor > scaling.lowFreqFactor,
        scaling.originalMaxPositionEmbeddings > 0
      else {
        throw WeightError(
          path: path,
          "rope_scaling: expected factor ≥ 1, 0 < low_freq_factor < high_freq_factor and a positive original_max_position_embeddings"
        )
      }
    }
    for id in eosTokenIds + (bosTokenId.map { [$0] } ?? []) {
      try check("bos_token_id / eos_token_id", id, 0...vocabSize - 1)
    }
  }
}
