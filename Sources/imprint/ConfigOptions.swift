import ArgumentParser
import Invocation
import Storage

/// Flags in files, of every command: ``Invocation`` puts them in before the command line is read.
struct ConfigOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Take flags from this YAML file, for example 'batch-size: 8'; those given here win.",
      valueName: "file.yaml"))
  var config: [String] = []

  /// Every flag of this process's command, as a file for `--config`.
  static func write(to path: String) throws {
    let text = try Invocation(Imprint.self, Array(CommandLine.arguments.dropFirst())).resolved()
    let file = try AtomicFile(path: path)
    try file.append(text)
    try file.commit()
  }
}
