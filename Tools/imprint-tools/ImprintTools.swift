import ArgumentParser

@main
struct ImprintTools: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "imprint-tools",
    abstract:
      "Convert, inspect, verify, tokenize, merge, compare: the tools around weight files and runs.",
    subcommands: [Convert.self, Inspect.self, Verify.self, Tokenize.self, Merge.self, Compare.self])
}
