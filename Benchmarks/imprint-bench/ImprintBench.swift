import ArgumentParser
import Invocation

struct ImprintBench: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "imprint-bench",
    abstract: "Measure the codec, the step and its memory, and run experiments.",
    version: Program.version,
    subcommands: [
      Codec.self, Drift.self, RunExperiment.self, Gradient.self, GradientServer.self, Logits.self,
      MemoryRank.self, MemoryCase.self, Step.self,
    ])
}

@main
enum Main {
  static func main() async { await Program.run(ImprintBench.self) }
}
