/// Reports side by side.
public enum ComparisonTable {
  private typealias Column = (title: String, cell: (EvaluationReport) -> String?)

  /// A row for each report. Columns that are not in every report stand there only where one of them
  /// has them.
  public static func table(_ reports: [(name: String, report: EvaluationReport)]) -> ReportTable {
    let columns = columns(reports.map(\.report)).filter { column in
      reports.contains { column.cell($0.report) != nil }
    }
    return ReportTable(
      head: [""] + columns.map(\.title),
      rows: reports.map { name, report in
        [name] + columns.map { $0.cell(report) ?? "–" }
      })
  }

  private static func columns(_ reports: [EvaluationReport]) -> [Column] {
    let always: [Column] = [
      ("NC exact", { $0.nc.exactMatch.percent }),
      ("Prompt exact", { $0.prompt.exactMatch.percent }),
      ("FT exact", { $0.ft.exactMatch.percent }), ("NC NLL", { $0.nc.nll.number }),
      ("Prompt NLL", { $0.prompt.nll.number }), ("FT NLL", { $0.ft.nll.number }),
    ]
    let answers: [Column] = [
      ("NC F1", { $0.nc.answerF1?.percent }), ("Prompt F1", { $0.prompt.answerF1?.percent }),
      ("FT F1", { $0.ft.answerF1?.percent }),
      ("FT answer EM", { $0.ft.answerExactMatch?.percent }),
    ]
    let controls: [Column] = [
      ("other context, exact", { $0.irrelevant?.exactMatch.percent }),
      ("other context, NLL", { $0.irrelevant?.nll.number }),
    ]
    let counts = Set(reports.flatMap { ($0.retention ?? []).map(\.contexts) }).sorted()
    let retention = counts.flatMap { count -> [Column] in
      func row(_ report: EvaluationReport) -> Retention? {
        report.retention?.first { $0.contexts == count }
      }
      let batched: Column = (
        "\(count) contexts, batched", { row($0)?.batched.exactMatch.percent }
      )
      return count == 1
        ? [("1 context", batched.cell)]
        : [batched, ("\(count) in turn", { row($0)?.sequential.exactMatch.percent })]
    }
    return always + answers + controls + retention + [
      ("plain text NLL", { $0.plainText.map(\.number) }), ("tasks", { "\($0.groups)" }),
    ]
  }
}
