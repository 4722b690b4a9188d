import ArgumentParser
import Invocation

struct Imprint: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "imprint",
    abstract: "Meta-train a LoRA so that one gradient step on a text does what the prompt does.",
    version: Program.version,
    subcommands: [Train.self, Finetune.self, Evaluate.self, Adapt.self, Generate.self, Data.self])
}

@main
enum Main {
  static func main() async { await Program.run(Imprint.self) }
}
