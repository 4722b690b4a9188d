import ArgumentParser
import Experiments
import Foundation
import Invocation

struct RunExperiment: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "experiment",
    abstract: "Run an experiment of the paper: data, training, evaluation, table and picture.",
    discussion: """
      Reads a declarative file and runs the executables beside this one, each command line shown. \
      Every part has a folder of its own below --output; what is made is not made again, by other \
      experiments with the same --output neither, and what was interrupted goes on: give the same \
      command again. A part that fails is reported, and the others go on. The results are of all \
      that the same settings have made in the folder. Docs/experiments.md describes the files.

      Example: imprint-bench experiment Benchmarks/experiments/figure-2.yaml --output out

      Example: imprint-bench experiment Benchmarks/experiments/figure-2.yaml --output out/smoke \
      --smoke --data character,reversal
      """)

  @OptionGroup var config: ConfigOptions

  @Argument(help: "The experiment's file.")
  var file: String

  @Option(help: "The folder of everything that is made.")
  var output: String

  @Option(help: "The weight file, instead of the experiment's.")
  var model: String?

  @Option(
    help: ArgumentHelp(
      "A setting, instead of the experiment's; may be given several times.",
      valueName: "name=value"))
  var set: [String] = []

  @Option(help: ArgumentHelp("Only these data sets.", valueName: "name,…"))
  var data: String?

  @Option(help: ArgumentHelp("Only these variants.", valueName: "name,…"))
  var variants: String?

  @Option(help: ArgumentHelp("Seeds, instead of the experiment's.", valueName: "seed,…"))
  var seeds: String?

  @Flag(help: "Run it small, to see that everything works.")
  var smoke = false

  @Flag(help: "Show the parts, their commands and how long they will take, and stop.")
  var dryRun = false

  @Option(help: "The folder of the executables (default: where this one is).")
  var executables: String?

  @Flag(
    name: .shortAndLong,
    help: "What the commands print goes to their logs alone; parts and times are said.")
  var quiet = false

  @Flag(name: .shortAndLong, help: "Say on standard error what was read.")
  var verbose = false

  func validate() throws {
    _ = try selection()
  }

  func run() throws {
    try reportingErrors {
      let experiment = try Experiments.Experiment(path: file, smoke: smoke)
      let here = file.lastIndex(of: "/").map { String(file[..<$0]) } ?? "."
      let output = output.plainPath
      let selection = try selection()
      let plan = try Plan(experiment, here: here, output: output, selection: selection)
      let whole = try Plan.whole(experiment, here: here, output: output, selection: selection)
      if verbose {
        note(
          "experiment: \(file), \(plan.parts.count) parts; model: \(plan.model), output: \(output)")
      }
      let runner = Runner(
        plan, of: whole, executables: executables ?? Self.folderOfExecutables, isSmoke: smoke,
        isQuiet: quiet
      ) { FileHandle.standardError.write(Data(($0 + "\n").utf8)) }
      if dryRun {
        print(try runner.describe())
        return
      }
      let summary = try runner.run()
      if let signal = summary.interrupted {
        FileHandle.standardError.write(
          Data(
            "\ninterrupted: \(summary.done) of \(summary.total) parts are done; the same command goes on\n"
              .utf8))
        throw ExitCode(128 + signal)
      }
      print("\(output): \(summary.done) of \(summary.total) parts are done")
      for name in ["results.md", "results.json", "results.svg"] {
        let path = plan.results + "/" + name
        if FileManager.default.fileExists(atPath: path) { print("  \(path)") }
      }
      if summary.failed.isEmpty, summary.skipped.isEmpty { return }
      for line in summary.failed { print("FAILED  \(line)") }
      for line in summary.skipped { print("left out  \(line)") }
      throw ExitCode(1)
    }
  }

  private static var folderOfExecutables: String {
    let path = Bundle.main.executablePath ?? CommandLine.arguments[0]
    return URL(filePath: path).resolvingSymlinksInPath().deletingLastPathComponent()
      .path(percentEncoded: false).plainPath
  }

  private func selection() throws -> Plan.Selection {
    var settings: [String: String] = [:]
    for text in set {
      guard let place = text.firstIndex(of: "="), place != text.startIndex else {
        throw ValidationError("--set: '\(text)': expected name=value.")
      }
      settings[String(text[..<place])] = String(text[text.index(after: place)...])
    }
    let numbers = try seeds.map { text in
      try text.split(separator: ",", omittingEmptySubsequences: false).map {
        guard let seed = UInt64($0) else {
          throw ValidationError("--seeds: '\(text)': expected whole numbers, as in 1,2,3.")
        }
        return seed
      }
    }
    func names(_ text: String?) -> [String]? { text?.split(separator: ",").map(String.init) }
    return Plan.Selection(
      model: model, settings: settings, data: names(data), variants: names(variants),
      seeds: numbers)
  }
}

extension String {
  /// Without `.` and empty parts: what is made in one folder has one name.
  fileprivate var plainPath: String {
    let parts = split(separator: "/").filter { $0 != "." }.joined(separator: "/")
    return hasPrefix("/") ? "/" + parts : parts.isEmpty ? "." : parts
  }
}
