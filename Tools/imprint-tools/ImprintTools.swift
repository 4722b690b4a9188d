import ArgumentParser
import Invocation

struct ImprintTools: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "imprint-tools",
    abstract:
      "Convert, synthesize, inspect, verify, tokenize, merge, export, compare, report: the tools around weight files and runs.",
    version: Program.version,
    subcommands: [
      Convert.self, Synthesize.self, Inspect.self, Verify.self, Tokenize.self, Merge.self,
      Export.self, Compare.self, Report.self,
    ])
}

@main
enum Main {
  static func main() async { await Program.run(ImprintTools.self) }
}
