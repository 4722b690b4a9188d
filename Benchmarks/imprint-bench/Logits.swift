import ArgumentParser
import Foundation
import Invocation
import Llama
import LoRA
import Operations
import Storage
import Weights

struct Logits: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write the logits after every token, to compare with another implementation.",
    discussion: """
      The output is a safetensors file with one tensor, logits, of shape (tokens, vocabulary).

      Example: imprint-bench logits --model smollm2.imprint --adapter RUN --ids 504,4100,280 \
      --out logits.safetensors
      """)

  @OptionGroup var config: ConfigOptions

  @Option(help: "The weight file.")
  var model: String

  @Option(help: "A run folder, or a PEFT or GGUF adapter.")
  var adapter: String?

  @Option(help: "Token ids, separated by commas.")
  var ids: String

  @Option(help: "The output, a safetensors file.")
  var out: String

  @OptionGroup var verbosity: Verbosity

  func run() throws {
    try reportingErrors {
      let file = try WeightFile(path: model)
      let architecture = file.architecture
      let ids = self.ids.split(separator: ",", omittingEmptySubsequences: false).map {
        Int32($0).flatMap { (0..<Int32(architecture.vocabSize)).contains($0) ? $0 : nil }
      }
      guard !ids.contains(nil) else { throw Problem("--ids: expected ids of the vocabulary") }
      let tokens = ids.compactMap { $0 }
      let arena = Arena()
      let adapter: AdapterTensors<Float>? = try adapter.map {
        try AdapterFile.tensors($0, architecture)
      }
      verbosity.note(file.summary)
      if let path = self.adapter, let adapter {
        verbosity.note("adapter: \(path), \(adapter.layout.summary)")
      }
      let engine = LlamaEngine<Float>(
        weights: try LlamaWeights(file: file), workers: Workers(),
        limits: EngineLimits(
          rows: tokens.count, tangentRows: 0, sequence: tokens.count,
          updateRank: 0, adapterRank: adapter?.layout.maxRank ?? 0, logitRows: 16),
        arena: arena)
      let sweep = Sweep(
        engine: engine, capacity: tokens.count, hasTangents: false, policy: .lean, arena: arena)
      var batch = TokenBatch()
      // The last id is no input: any will do.
      batch.append(tokens + [0], predicted: tokens.count)
      var change = ParameterChange<Float>(layers: architecture.numHiddenLayers)
      if let adapter { change.add(adapter, rows: 0..<tokens.count) }
      sweep.begin(batch, parameters: change)
      try sweep.forward()
      let writer = try SafetensorsWriter(
        path: out,
        tensors: [.init(name: "logits", shape: [tokens.count, architecture.vocabSize])])
      var rows: [Float] = []
      try sweep.logits { _, row in rows += row.elements }
      try rows.withUnsafeBytes { try writer.append($0) }
      try writer.finish()
    }
  }
}
