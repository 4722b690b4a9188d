import ArgumentParser
import BenchmarkSuites
import Foundation
import Invocation
import Llama
import LoRA
import MetaLearning
import Storage
import Text
import Weights

/// Imprint's side of `Benchmarks/peers`: a process that computes the same meta-gradient whenever it
/// is told to.
struct GradientServer: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compute a meta-gradient for every line on standard input.",
    discussion: """
      Answers each line with a line of JSON: "step" computes the mean meta-gradient of the tasks, \
      "save PATH" writes the last one under short names. Ends with the input.
      """, shouldDisplay: false)

  @Option(help: "The weight file.")
  var model: String

  @Option(help: "The adapter.")
  var adapter: String

  @Option(help: "alpha / rank.")
  var scale: Double

  @Option(help: "Tasks as JSON Lines, in token ids.")
  var tasks: String

  @Option(help: "What the inner step moves: lora or full.")
  var inner: InnerStep = .lora

  @Option(help: "Which parameters a full inner step moves: linear or all.")
  var innerParameters: InnerParameters = .all

  @Option(help: "The inner learning rate.")
  var innerLr: Double

  @Option(help: "Blocks that keep their activations (default: all; 0 is the leanest).")
  var keep: Int?

  @Option(help: "Scored rows whose logits are in memory at once.")
  var logitRows = 64

  @OptionGroup var threads: ThreadOptions

  func run() throws {
    try reportingErrors {
      let file = try WeightFile(path: model)
      let repeated = try RepeatedGradient(
        file: file,
        tasks: try TaskFile.read(
          tasks, tokenizer: nil, vocabularySize: file.architecture.vocabSize),
        adapter: try AdapterFile(path: adapter, scale: scale),
        configuration: MetaConfiguration(
          inner: inner, innerParameters: innerParameters, innerLearningRate: innerLr),
        keep: keep, logitRows: logitRows, workers: Workers(count: threads.count))
      say("{\"ready\":true,\"threads\":\(repeated.threads)}")
      while let line = readLine() {
        if line == "step" {
          let step = try repeated.step()
          say(String(decoding: try JSONEncoder().encode(step), as: UTF8.self))
        } else if line.hasPrefix("save ") {
          try repeated.save(to: String(line.dropFirst(5)))
          say("{\"saved\":true}")
        } else {
          throw Problem("standard input: expected 'step' or 'save PATH', found '\(line)'")
        }
      }
    }
  }
}
