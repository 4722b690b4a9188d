import ArgumentParser
import Foundation
import Invocation
import Storage
import Watching

struct Report: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Make one HTML page of a run: curves, scores, memory, learned rates, configuration.",
    discussion: """
      The page needs no other file and no network. It can be made while the run goes on. \
      Docs/watching.md describes it.

      Example: imprint-tools report RUN --evaluation after.json --output report.html
      """)

  @OptionGroup var config: ConfigOptions

  @Argument(help: ArgumentHelp("The run folder.", valueName: "run"))
  var folder: String

  @Option(help: "A report that imprint evaluate --json has written; may be given several times.")
  var evaluation: [String] = []

  @Option(
    name: .shortAndLong,
    help: "The page ('-' for standard output; default: report.html in the run folder).")
  var output: String?

  @Flag(help: "Print the run's numbers as JSON.")
  var json = false

  @OptionGroup var verbosity: Verbosity

  func validate() throws {
    if output == "-", json { throw ValidationError("--json goes with a page in a file.") }
  }

  func run() throws {
    try reportingErrors {
      let report = try RunReport(run: folder, evaluations: evaluation)
      verbosity.note(
        "run: \(folder), \(report.summary.steps) steps, \(evaluation.count) evaluations")
      if output == "-" {
        print(report.html, terminator: "")
        return
      }
      let path = output ?? folder + "/report.html"
      try refuseOverwriting(path, of: evaluation + [folder])
      let file = try AtomicFile(path: path)
      try file.append(report.html)
      try file.commit()
      if json {
        try printJSON(report.summary)
      } else if !verbosity.quiet {
        print("\(path): \(report.summary.steps) steps, \(file.count / 1024) KiB")
      }
    }
  }
}
