import ArgumentParser
import Foundation
import MetaLearning
import Weights

struct Compare: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Put reports of imprint evaluate side by side in one table.",
    discussion: "Example: imprint-tools compare before.json after.json")

  @Argument(help: "Reports, as evaluate --json writes them.")
  var reports: [String]

  @Flag(help: "Print a Markdown table.")
  var markdown = false

  func run() throws {
    try reportingErrors {
      let rows = try reports.map { path -> [String] in
        guard let data = FileManager.default.contents(atPath: path) else {
          throw WeightError(path: path, "cannot be read")
        }
        do {
          let report = try JSONDecoder().decode(EvaluationReport.self, from: data)
          let name = URL(filePath: path).deletingPathExtension().lastPathComponent
          return [name] + Self.cells(report)
        } catch is DecodingError {
          throw WeightError(path: path, "is not a report of imprint evaluate")
        }
      }
      let head = [
        "", "NC exact", "Prompt exact", "FT exact", "NC NLL", "Prompt NLL", "FT NLL",
        "plain text NLL", "tasks",
      ]
      print(markdown ? Self.markdown(head, rows) : Self.plain(head, rows))
    }
  }

  private static func cells(_ report: EvaluationReport) -> [String] {
    func percent(_ value: Estimate) -> String {
      String(format: "%.1f ± %.1f %%", 100 * value.mean, 100 * value.standardError)
    }
    func number(_ value: Estimate) -> String {
      String(format: "%.3f ± %.3f", value.mean, value.standardError)
    }
    return [
      percent(report.nc.exactMatch), percent(report.prompt.exactMatch),
      percent(report.ft.exactMatch), number(report.nc.nll), number(report.prompt.nll),
      number(report.ft.nll), report.plainText.map(number) ?? "–", "\(report.groups)",
    ]
  }

  private static func plain(_ head: [String], _ rows: [[String]]) -> String {
    let widths = head.indices.map { column in
      ([head] + rows).map { $0[column].count }.max() ?? 0
    }
    return ([head] + rows).map { row in
      zip(row, widths).map { padded($0, $1) }.joined(separator: "  ")
    }.joined(separator: "\n")
  }

  private static func markdown(_ head: [String], _ rows: [[String]]) -> String {
    ([head, head.map { _ in "---" }] + rows).map { "| " + $0.joined(separator: " | ") + " |" }
      .joined(separator: "\n")
  }
}
