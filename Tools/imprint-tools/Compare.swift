import ArgumentParser
import Foundation
import Invocation
import MetaLearning
import Storage
import Weights

struct Compare: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Put reports of imprint evaluate side by side in one table.",
    discussion: "Example: imprint-tools compare before.json after.json")

  @OptionGroup var config: ConfigOptions

  @Argument(help: "Reports, as evaluate --json writes them.")
  var reports: [String]

  @Flag(help: "Print a Markdown table.")
  var markdown = false

  @Flag(help: "Print the reports as one JSON object by name.")
  var json = false

  @OptionGroup var verbosity: Verbosity

  func validate() throws {
    if json, markdown { throw ValidationError("--json and --markdown exclude each other.") }
  }

  func run() throws {
    try reportingErrors {
      let rows = try zip(reports, reports.fileNames).map {
        path, name -> (name: String, report: EvaluationReport) in
        guard let data = FileManager.default.contents(atPath: path) else {
          throw WeightError(path: path, "cannot be read")
        }
        do {
          let report = try JSONDecoder().decode(EvaluationReport.self, from: data)
          return (name, report)
        } catch is DecodingError {
          throw WeightError(path: path, "is not a report of imprint evaluate")
        }
      }
      for (path, row) in zip(reports, rows) {
        verbosity.note("report: \(path), \(row.report.groups) groups of tasks")
      }
      if json {
        try printJSON(Dictionary(rows.map { ($0.name, $0.report) }) { $1 })
        return
      }
      let table = ComparisonTable.table(rows)
      print(markdown ? table.markdown : table.text)
    }
  }
}
