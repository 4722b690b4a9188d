import ArgumentParser

@main
struct ImprintTools: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "imprint-tools",
    abstract:
      "Convert, inspect, verify, tokenize, compare: the tools around weight files and runs.",
    subcommands: [Convert.self, Inspect.self, Verify.self, Tokenize.self, Compare.self])
}
