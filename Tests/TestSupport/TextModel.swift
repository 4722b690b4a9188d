import Foundation
import Storage
public import Weights

/// A small random model with a tokenizer, for tools that read text.
public enum TextModel {
  /// Its shape.
  public static let architecture = Architecture(
    hiddenSize: 32, intermediateSize: 48, numHiddenLayers: 2, numAttentionHeads: 4,
    numKeyValueHeads: 2, headDim: 8, vocabSize: 512, maxPositionEmbeddings: 256, rmsNormEps: 1e-5,
    ropeTheta: 10000, tieWordEmbeddings: true)
  /// Its tokenizer.
  public static let tokenizer = Fixtures.path("tokenizers/gpt2.json")

  /// Writes it as a Hugging Face folder.
  public static func write(to folder: TemporaryFolder) throws { try write(to: folder.path) }

  /// Writes it as the Hugging Face folder `folder`, which is there, with so many positions.
  public static func write(to folder: String, positions: Int? = nil) throws {
    var a = architecture
    a.maxPositionEmbeddings = positions ?? a.maxPositionEmbeddings
    try Data(HuggingFaceConfiguration.json(a, dtype: .f32)).write(
      to: URL(filePath: folder + "/config.json"))
    try Data(contentsOf: URL(filePath: tokenizer)).write(
      to: URL(filePath: folder + "/tokenizer.json"))
    let (heads, groups) = (a.numAttentionHeads * a.headDim, a.numKeyValueHeads * a.headDim)
    var tensors: [(name: String, shape: [Int])] = [
      ("model.embed_tokens.weight", [a.vocabSize, a.hiddenSize]),
      ("model.norm.weight", [a.hiddenSize]),
    ]
    for layer in 0..<a.numHiddenLayers {
      let prefix = "model.layers.\(layer)."
      tensors += [
        (prefix + "input_layernorm.weight", [a.hiddenSize]),
        (prefix + "post_attention_layernorm.weight", [a.hiddenSize]),
        (prefix + "self_attn.q_proj.weight", [heads, a.hiddenSize]),
        (prefix + "self_attn.k_proj.weight", [groups, a.hiddenSize]),
        (prefix + "self_attn.v_proj.weight", [groups, a.hiddenSize]),
        (prefix + "self_attn.o_proj.weight", [a.hiddenSize, heads]),
        (prefix + "mlp.gate_proj.weight", [a.intermediateSize, a.hiddenSize]),
        (prefix + "mlp.up_proj.weight", [a.intermediateSize, a.hiddenSize]),
        (prefix + "mlp.down_proj.weight", [a.hiddenSize, a.intermediateSize]),
      ]
    }
    let writer = try SafetensorsWriter(
      path: folder + "/model.safetensors",
      tensors: tensors.map { .init(name: $0.name, shape: $0.shape) })
    var random = SplitMix64(seed: 21)
    for (_, shape) in tensors {
      let isNorm = shape.count == 1
      let values = (0..<shape.reduce(1, *)).map { _ in
        Float(isNorm ? 1 : 0.6 * (random.uniform() - 0.5))
      }
      try values.withUnsafeBytes { try writer.append($0) }
    }
    try writer.finish()
  }
}
