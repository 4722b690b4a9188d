import ArgumentParser

@main
struct Imprint: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "imprint",
    abstract: "Meta-train a LoRA so that one gradient step on a text does what the prompt does.",
    subcommands: [Data.self])
}
