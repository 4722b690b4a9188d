import ArgumentParser

@main
struct ImprintTools: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "imprint-tools",
    abstract: "Convert, inspect, verify and tokenize: the tools around weight files.",
    subcommands: [Convert.self, Inspect.self, Verify.self, Tokenize.self])
}
