import Foundation
public import Llama
public import LoRA
public import Operations
public import Storage
public import Weights

/// The two-layer model of the golden values, with dense weights in memory.
public enum TinyModel {
  /// The folder of the golden values.
  public static let folder = Fixtures.path("golden/tiny")

  /// The model's configuration.
  public static let architecture = Architecture(
    hiddenSize: 32, intermediateSize: 48, numHiddenLayers: 2, numAttentionHeads: 4,
    numKeyValueHeads: 2, headDim: 8, vocabSize: 67, maxPositionEmbeddings: 128, rmsNormEps: 1e-5,
    ropeTheta: 10000, tieWordEmbeddings: true)

  /// The model's weights.
  public static func weights<S: Kernel>(of type: S.Type = S.self) throws -> LlamaWeights<S> {
    try variant(bias: false, untied: false)
  }

  /// The model with q, k and v biases, or with a head of its own; numbers from a fixed stream.
  ///
  /// `changed` may put other values in place of a tensor's.
  public static func variant<S: Kernel>(
    bias: Bool, untied: Bool, changed: (String, [Float]) -> [Float] = { $1 }
  ) throws -> LlamaWeights<S> {
    let file = try SafetensorsFile(path: folder + "/model.safetensors")
    var architecture = architecture
    architecture.attentionBias = bias
    architecture.tieWordEmbeddings = !untied
    var random = SplitMix64(seed: 11)
    return try LlamaWeights(architecture: architecture) { (name) throws(WeightError) in
      if name.hasSuffix(".bias") {
        let width = name.contains("q_proj") ? 32 : 16
        return DenseWeight(
          name: name, rows: 1, columns: width,
          elements: changed(name, (0..<width).map { _ in Float(random.uniform() - 0.5) }))
      }
      if name == "lm_head.weight" {
        return DenseWeight(
          name: name, rows: 67, columns: 32,
          elements: changed(name, (0..<67 * 32).map { _ in Float(random.uniform() - 0.5) }))
      }
      let tensor = try file.tensor(name)
      let rows = tensor.shape.count == 1 ? 1 : tensor.shape[0]
      return DenseWeight(
        name: name, rows: rows, columns: tensor.count / rows,
        elements: changed(name, try file.floats(name)))
    }
  }

  /// An adapter of the golden values, `lora_r3` or `lora_r3b0`: scale 2.
  public static func adapter<S: Kernel>(
    _ name: String, arena: Arena
  ) throws -> AdapterTensors<S> {
    let layout = AdapterLayout(.init(rank: 3, alpha: 6), architecture: architecture)
    let tensors = AdapterTensors<S>(layout: layout, arena: arena, for: .adapter)
    try read(tensors, from: "\(folder)/\(name).safetensors")
    return tensors
  }

  /// Reads tensors under the golden names.
  public static func read<S: Kernel>(_ tensors: AdapterTensors<S>, from path: String) throws {
    let file = try SafetensorsFile(path: path)
    for entry in tensors.layout.entries {
      for (name, target) in [
        (entry.downName, tensors.down(entry)), (entry.upName, tensors.up(entry)),
      ] {
        let values = try file.doubles(name)
        precondition(values.count == target.count)
        for (index, value) in values.enumerated() { target.pointer[index] = S(value) }
      }
    }
  }
}

/// ‖a − b‖ / ‖b‖, accumulated in f64.
public func relativeDifference<S: Kernel>(_ a: [S], _ b: [S]) -> Double {
  precondition(a.count == b.count)
  var difference = 0.0
  var norm = 0.0
  for (x, y) in zip(a, b) {
    difference += Double(x - y) * Double(x - y)
    norm += Double(y) * Double(y)
  }
  return (difference / max(norm, 1e-300)).squareRoot()
}
