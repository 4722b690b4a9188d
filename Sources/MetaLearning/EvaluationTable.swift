/// A report as people read it.
public struct EvaluationTable: Sendable {
  private let report: EvaluationReport

  /// The tables of `report`.
  public init(_ report: EvaluationReport) { self.report = report }

  /// For a terminal.
  public var text: String {
    var parts = [forms.text, notes.joined(separator: "\n")]
    if let retention { parts.append(retention.text) }
    return parts.joined(separator: "\n")
  }

  /// In Markdown.
  public var markdown: String {
    var parts = [forms.markdown, notes.map { "- \($0)" }.joined(separator: "\n")]
    if let retention { parts.append(retention.markdown) }
    return parts.joined(separator: "\n\n") + "\n"
  }

  private var forms: ReportTable {
    var rows = [("NC", report.nc), ("Prompt", report.prompt), ("FT", report.ft)]
    if let irrelevant = report.irrelevant { rows.append(("FT, other context", irrelevant)) }
    let titles = Self.titles(report.ft)
    return ReportTable(
      head: ["form"] + titles, rows: rows.map { [$0] + Self.cells($1) })
  }

  private static func titles(_ form: FormReport) -> [String] {
    ["exact match", "token accuracy"] + (form.answerF1 == nil ? [] : ["answer EM", "answer F1"])
      + ["NLL (nats)"]
  }

  private static func cells(_ form: FormReport) -> [String] {
    [form.exactMatch.percent, form.tokenAccuracy.percent]
      + [form.answerExactMatch, form.answerF1].compactMap { $0?.percent } + [form.nll.number]
  }

  private var retention: ReportTable? {
    guard let rows = report.retention, let first = rows.first else { return nil }
    return ReportTable(
      head: ["contexts", "groups", "updates"] + Self.titles(first.batched),
      rows: rows.flatMap { row in
        let ways =
          row.contexts == 1
          ? [("one", row.batched)] : [("one, batched", row.batched), ("in turn", row.sequential)]
        return ways.map { ["\(row.contexts)", "\(row.groups)", $0] + Self.cells($1) }
      })
  }

  private var notes: [String] {
    var size = "\(report.groups) tasks"
    if report.contextsPerUpdate > 1 {
      size = "\(report.groups) groups of \(report.contextsPerUpdate) contexts"
    }
    size += "; context NLL \(report.innerLoss.mean.rounded(to: 3)) before the step, "
    size += "\(report.innerLossAfter.mean.rounded(to: 3)) after"
    if let plain = report.plainText { size += "; plain text NLL \(plain.number)" }
    let parts = report.breakdown
    let what = parts.criterion == .exactMatch ? "exact match" : "answer EM"
    var notes = [
      size,
      "\(what) without and with the context step: neither \(parts.neither.percent), both "
        + "\(parts.both.percent), only without \(parts.onlyWithout.percent), only with "
        + parts.onlyWith.percent,
    ]
    let shares = [
      ("exact match", report.gapRecovered.exactMatch, report.ftToPrompt.exactMatch),
      ("token accuracy", report.gapRecovered.tokenAccuracy, report.ftToPrompt.tokenAccuracy),
      ("answer F1", report.gapRecovered.answerF1, report.ftToPrompt.answerF1),
    ]
    for (name, recovered, ratio) in shares {
      guard let ratio else { continue }
      let gap = recovered.map { "(FT − NC) / (Prompt − NC) \($0.percent), " } ?? ""
      notes.append("\(name): \(gap)FT / Prompt \(ratio.percent)")
    }
    return notes
  }
}
