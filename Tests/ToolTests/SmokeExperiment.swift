import Foundation
import Storage
import TestSupport
import Testing
import Weights

/// `Benchmarks/experiments/smoke.yaml` on a tiny random model that has a tokenizer.
struct SmokeExperiment {
  let folder: TemporaryFolder
  let model: String
  let output: String

  init() throws {
    folder = try TemporaryFolder()
    model = folder.file("random.imprint")
    output = folder.file("out")
    let source = folder.file("source")
    try FileManager.default.createDirectory(atPath: source, withIntermediateDirectories: true)
    try Self.writeRandomModel(source)
    let made = try Tool.run("imprint-tools", "convert", source, model, "--quiet")
    try #require(made.status == 0, "\(made.errors)")
  }

  /// A command line of `imprint-bench`.
  func arguments(_ output: String, _ more: [String]) -> [String] {
    [
      "experiment", Fixtures.root + "Benchmarks/experiments/smoke.yaml", "--model", model,
      "--output", output, "--quiet",
    ] + more
  }

  /// A Hugging Face folder of a one-layer model, with the tokenizer of the fixtures.
  private static func writeRandomModel(_ folder: String) throws {
    let (hidden, inner, vocabulary) = (16, 24, 502)
    try FileManager.default.copyItem(
      atPath: Fixtures.path("tokenizers/gpt2.json"), toPath: folder + "/tokenizer.json")
    let configuration = """
      {"model_type": "llama", "hidden_size": \(hidden), "intermediate_size": \(inner),
       "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 1,
       "vocab_size": \(vocabulary), "max_position_embeddings": 512, "rms_norm_eps": 1e-05,
       "rope_theta": 10000.0, "tie_word_embeddings": true, "eos_token_id": 0}
      """
    try Data(configuration.utf8).write(to: URL(filePath: folder + "/config.json"))
    let layer = "model.layers.0."
    let shapes: [(String, [Int])] = [
      ("model.embed_tokens.weight", [vocabulary, hidden]),
      (layer + "input_layernorm.weight", [hidden]),
      (layer + "self_attn.q_proj.weight", [hidden, hidden]),
      (layer + "self_attn.k_proj.weight", [hidden / 2, hidden]),
      (layer + "self_attn.v_proj.weight", [hidden / 2, hidden]),
      (layer + "self_attn.o_proj.weight", [hidden, hidden]),
      (layer + "post_attention_layernorm.weight", [hidden]),
      (layer + "mlp.gate_proj.weight", [inner, hidden]),
      (layer + "mlp.up_proj.weight", [inner, hidden]),
      (layer + "mlp.down_proj.weight", [hidden, inner]),
      ("model.norm.weight", [hidden]),
    ]
    let writer = try SafetensorsWriter(
      path: folder + "/model.safetensors", tensors: shapes.map { .init(name: $0.0, shape: $0.1) })
    var random = SplitMix64(seed: 4)
    for (_, shape) in shapes {
      let values = (0..<shape.reduce(1, *)).map { _ in Float(random.uniform() - 0.5) }
      try values.withUnsafeBytes { try writer.append($0) }
    }
    try writer.finish()
  }
}
