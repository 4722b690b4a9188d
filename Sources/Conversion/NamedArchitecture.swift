public import Weights

/// Shapes of published models, by name: what `imprint-tools synthesize` can write.
///
/// Source of the numbers: each model's `config.json`.
public enum NamedArchitecture {
  /// Every name, small models first.
  public static var names: [String] { all.map(\.name) }

  /// The shape that is called `name`, or nil.
  public static func find(_ name: String) -> Architecture? {
    all.first { $0.name == name }?.architecture
  }

  private static let all: [(name: String, architecture: Architecture)] = [
    ("smollm2-135m", smol(hidden: 576, inner: 1536, layers: 30, heads: 9, groups: 3)),
    ("smollm2-360m", smol(hidden: 960, inner: 2560, layers: 32, heads: 15, groups: 5)),
    (
      "qwen2.5-0.5b",
      qwen(hidden: 896, inner: 4864, layers: 24, heads: 14, groups: 2, headDim: 64)
    ),
    (
      "tinyllama-1.1b",
      Architecture(
        hiddenSize: 2048, intermediateSize: 5632, numHiddenLayers: 22, numAttentionHeads: 32,
        numKeyValueHeads: 4, headDim: 64, vocabSize: 32_000, maxPositionEmbeddings: 2048,
        rmsNormEps: 1e-5, ropeTheta: 10_000, tieWordEmbeddings: false, bosTokenId: 1,
        eosTokenIds: [2])
    ),
    (
      "llama-3.2-1b",
      llama3(
        hidden: 2048, inner: 8192, layers: 16, heads: 32, headDim: 64, factor: 32, tied: true)
    ),
    (
      "qwen2.5-1.5b",
      qwen(hidden: 1536, inner: 8960, layers: 28, heads: 12, groups: 2, headDim: 128)
    ),
    (
      "smollm2-1.7b",
      smol(hidden: 2048, inner: 8192, layers: 24, heads: 32, groups: 32, theta: 130_000)
    ),
    (
      "llama-3.2-3b",
      llama3(
        hidden: 3072, inner: 8192, layers: 28, heads: 24, headDim: 128, factor: 32, tied: true)
    ),
    (
      "llama-3.1-8b",
      llama3(
        hidden: 4096, inner: 14_336, layers: 32, heads: 32, headDim: 128, factor: 8, tied: false)
    ),
  ]

  private static func llama3(
    hidden: Int, inner: Int, layers: Int, heads: Int, headDim: Int, factor: Double, tied: Bool
  ) -> Architecture {
    Architecture(
      hiddenSize: hidden, intermediateSize: inner, numHiddenLayers: layers,
      numAttentionHeads: heads, numKeyValueHeads: 8, headDim: headDim, vocabSize: 128_256,
      maxPositionEmbeddings: 131_072, rmsNormEps: 1e-5, ropeTheta: 500_000,
      ropeScaling: .init(
        factor: factor, lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositionEmbeddings: 8192),
      tieWordEmbeddings: tied, bosTokenId: 128_000, eosTokenIds: [128_001])
  }

  private static func qwen(
    hidden: Int, inner: Int, layers: Int, heads: Int, groups: Int, headDim: Int
  ) -> Architecture {
    Architecture(
      modelType: "qwen2", hiddenSize: hidden, intermediateSize: inner, numHiddenLayers: layers,
      numAttentionHeads: heads, numKeyValueHeads: groups, headDim: headDim, vocabSize: 151_936,
      maxPositionEmbeddings: 32_768, rmsNormEps: 1e-6, ropeTheta: 1_000_000,
      tieWordEmbeddings: true, attentionBias: true, bosTokenId: 151_643, eosTokenIds: [151_643])
  }

  private static func smol(
    hidden: Int, inner: Int, layers: Int, heads: Int, groups: Int, theta: Double = 100_000
  ) -> Architecture {
    Architecture(
      hiddenSize: hidden, intermediateSize: inner, numHiddenLayers: layers,
      numAttentionHeads: heads, numKeyValueHeads: groups, headDim: 64, vocabSize: 49_152,
      maxPositionEmbeddings: 8192, rmsNormEps: 1e-5, ropeTheta: theta, tieWordEmbeddings: true,
      bosTokenId: 0, eosTokenIds: [0])
  }
}
