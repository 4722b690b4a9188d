public import ArgumentParser
import BenchmarkSuites
import Foundation
import Invocation
public import Llama
import LoRA
public import MetaLearning
import Storage
import Text
import Weights

/// What a gradient is of.
struct GradientInputs: ParsableArguments {
  @Option(help: "The weight file.")
  var model: String

  @Option(help: "The adapter.")
  var adapter: String

  @Option(help: "alpha / rank, for an adapter without adapter_config.json.")
  var scale: Double?

  @Option(help: "Tasks as JSON Lines, in text or in token ids.")
  var tasks: String
}

struct Gradient: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write the meta-gradient of given tasks, to compare with another implementation.",
    discussion: """
      The adapter is a PEFT folder or a safetensors file with PEFT's names or short ones \
      (layers.0.self_attn.q_proj.lora_A). The mean gradient over the tasks is written under short \
      names, the losses of every task as JSON.

      Example: imprint-bench gradient --model smollm2.imprint --adapter lora_r8.safetensors \
      --scale 2.0 --tasks tasks.jsonl --out gradient.safetensors --json losses.json
      """)

  @OptionGroup var config: ConfigOptions

  @OptionGroup var inputs: GradientInputs

  @Option(help: "What the outer loop trains: lora.")
  var outer: OuterStep = .lora

  @Option(help: "What the inner step moves: lora or full.")
  var inner: InnerStep = .lora

  @Option(help: "Which parameters a full inner step moves: linear or all.")
  var innerParameters: InnerParameters = .all

  @Option(help: "The outer loss: gold or teacher.")
  var target: Target = .gold

  @Option(help: "The inner learning rate.")
  var innerLr = 0.1

  @Option(help: "How a full inner step's factors are stored: f32 or bf16.")
  var factorStorage: FactorStorage = .f32

  @Flag(help: "Leave out the Hessian product.")
  var firstOrder = false

  @Option(help: "Blocks that keep their activations (default: all).")
  var keep: Int?

  @OptionGroup var threads: ThreadOptions

  @Option(help: "The gradient, a safetensors file.")
  var out: String

  @Option(help: "The losses, a JSON file.")
  var json: String?

  @OptionGroup var verbosity: Verbosity

  func validate() throws {
    if outer == .full { throw ValidationError("--outer full has no adapter gradient to write.") }
    if innerLr <= 0 { throw ValidationError("--inner-lr must be positive.") }
  }

  func run() throws {
    try reportingErrors(interruptible: true) {
      for output in [out, json] {
        try refuseOverwriting(output, of: [inputs.model, inputs.adapter, inputs.tasks])
      }
      let file = try WeightFile(path: inputs.model)
      let weights = try LlamaWeights<Float>(file: file)
      let tokenizer = try file.tokenizerData().map { try Tokenizer(serialized: $0) }
      let tasks = try TaskFile.read(
        inputs.tasks, tokenizer: tokenizer, vocabularySize: file.architecture.vocabSize)
      let source = try AdapterFile(path: inputs.adapter, scale: inputs.scale)
      let layout = AdapterLayout(source.configuration, architecture: file.architecture)
      let arena = Arena()
      let parameters = AdapterTensors<Float>(layout: layout, arena: arena, for: .adapter)
      try source.read(into: parameters)
      verbosity.note(file.summary)
      verbosity.note("adapter: \(inputs.adapter), \(layout.summary)")
      verbosity.note("tasks: \(inputs.tasks), \(tasks.count)")
      let gradient = AdapterTensors<Float>(layout: layout, arena: arena, for: .gradient)
      let suite = GradientSuite(
        configuration: MetaConfiguration(
          inner: inner, innerParameters: innerParameters, innerLearningRate: innerLr,
          order: firstOrder ? .first : .second, target: target, factorStorage: factorStorage),
        keep: keep, threads: threads.count)
      let losses = try suite.run(
        weights: weights, adapter: parameters, tasks: tasks, gradient: gradient)
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
      guard let text = try? encoder.encode(losses) else { throw Problem("a loss is not finite") }
      try AdapterFile.write(gradient, to: out, naming: .short)
      if let json {
        try AtomicFile.write([UInt8](text), to: json)
      } else {
        print(String(decoding: text, as: UTF8.self))
      }
    }
  }
}

extension FactorStorage: ExpressibleByArgument {}
extension InnerStep: ExpressibleByArgument {}
extension OuterStep: ExpressibleByArgument {}
extension Target: ExpressibleByArgument {}
extension InnerParameters: ExpressibleByArgument {}
