extension Architecture {
  /// The shape in words: `llama, 30 layers, hidden 576, vocabulary 49152`.
  public var summary: String {
    "\(modelType), \(numHiddenLayers) layers, hidden \(hiddenSize), vocabulary \(vocabSize)"
  }
}

extension WeightFile {
  /// What the file holds, in a line for people: `model: PATH, SHAPE, digest D`.
  public var summary: String { "model: \(path), \(architecture.summary), digest \(fingerprint)" }
}
