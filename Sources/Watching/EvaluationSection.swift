import Foundation
import MetaLearning
import Storage

/// What a report says of files that `imprint evaluate --json` has written.
struct EvaluationSection {
  /// One file; reports of older versions lack some of it.
  struct Report: Decodable {
    var groups: Int
    var contextsPerUpdate: Int?
    var nc: FormReport
    var prompt: FormReport
    var ft: FormReport
    var irrelevant: FormReport?
    var gapRecovered: ShareReport?
    var retention: [Retention]?
    var innerLoss: Estimate?
    var innerLossAfter: Estimate?
    var plainText: Estimate?

    enum CodingKeys: String, CodingKey {
      case groups
      case contextsPerUpdate = "contexts_per_update"
      case nc, prompt, ft
      case irrelevant = "ft_irrelevant"
      case gapRecovered = "gap_recovered"
      case retention
      case innerLoss = "inner_loss"
      case innerLossAfter = "inner_loss_after"
      case plainText = "plain_text_nll"
    }

    var forms: [(name: String, form: FormReport)] {
      [("NC", nc), ("Prompt", prompt), ("FT", ft)]
        + (irrelevant.map { [("FT, other context", $0)] } ?? [])
    }
  }

  private(set) var reports: [(name: String, report: Report)] = []

  /// Reads the files. Throws ``FileError`` where one is missing or none of evaluate's.
  init(paths: [String]) throws(FileError) {
    for (path, name) in zip(paths, paths.fileNames) {
      guard let data = FileManager.default.contents(atPath: path) else {
        throw FileError(path: path, "cannot be read")
      }
      let decoder = JSONDecoder()
      decoder.keyDecodingStrategy = .custom { Key(snake: $0.last?.stringValue ?? "") }
      do {
        let report = try decoder.decode(Report.self, from: data)
        reports.append((name, report))
      } catch {
        throw FileError(
          path: path,
          "is not a report of imprint evaluate: expected 'nc', 'prompt' and 'ft' with their scores")
      }
    }
  }

  /// Keys as they are now, for those that were once written `likeThis`.
  private struct Key: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(snake text: String) {
      stringValue = text.reduce(into: "") { result, character in
        result += character.isUppercase ? "_" + character.lowercased() : String(character)
      }
    }

    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  /// The tables.
  var html: String {
    let forms = reports.flatMap(\.report.forms).map(\.form)
    let columns: [(title: String, isShare: Bool, value: (FormReport) -> Estimate?)] = [
      ("exact match", true, { $0.exactMatch }), ("token accuracy", true, { $0.tokenAccuracy }),
      ("answer EM", true, { $0.answerExactMatch }), ("answer F1", true, { $0.answerF1 }),
      ("NLL, nats per token", false, { $0.nll }),
    ].filter { column in forms.contains { column.2($0) != nil } }
    var rows: [String] = []
    for (name, report) in reports {
      for (index, (form, values)) in report.forms.enumerated() {
        var cells =
          index > 0 || reports.count == 1
          ? [] : ["<th rowspan=\"\(report.forms.count)\">\(name.escaped)</th>"]
        cells.append("<th>\(form)</th>")
        cells += columns.map { column in
          Self.cell(column.value(values), isShare: column.isShare)
        }
        rows.append(
          "<tr\(index == 0 ? " class=\"first\"" : "")>\(cells.joined())</tr>")
      }
    }
    let head =
      (reports.count > 1 ? ["<th></th>"] : []) + ["<th></th>"]
      + columns.map { "<th>\($0.title)</th>" }
    return """
      <div class="wide"><table class="scores"><thead><tr>\(head.joined())</tr></thead>
      <tbody>\(rows.joined(separator: "\n"))</tbody></table></div>
      \(reports.map { "<p class=\"note\">\(notes($0, $1))</p>" }.joined(separator: "\n"))
      \(retention)
      """
  }

  /// A share of the last report for the summary, where there is one: with `before` and `after`, what
  /// came of it.
  var headline: (value: String, note: String)? {
    guard let (name, last) = reports.last else { return nil }
    return (
      Self.share(last.ft.exactMatch),
      (reports.count > 1 ? "\(name): " : "")
        + "NC \(Self.share(last.nc.exactMatch)), Prompt \(Self.share(last.prompt.exactMatch))"
    )
  }

  private static func share(_ estimate: Estimate) -> String {
    "\((100 * estimate.mean).rounded(to: 1)) %"
  }

  private static func cell(_ estimate: Estimate?, isShare: Bool) -> String {
    guard let estimate else { return "<td>–</td>" }
    guard isShare else {
      return
        "<td>\(estimate.mean.rounded(to: 3)) <small>± \(estimate.numberError)</small></td>"
    }
    let width = Int((100 * min(1, max(0, estimate.mean))).rounded())
    return """
      <td style="--share:\(width)%">\((100 * estimate.mean).rounded(to: 1)) \
      <small>± \(estimate.percentError) %</small></td>
      """
  }

  private func notes(_ name: String, _ report: Report) -> String {
    let count = report.contextsPerUpdate ?? 1
    var parts = [
      count == 1 ? "\(report.groups) tasks" : "\(report.groups) groups of \(count) contexts"
    ]
    if let before = report.innerLoss, let after = report.innerLossAfter {
      parts.append(
        "context NLL \(before.mean.rounded(to: 3)) before the step, \(after.mean.rounded(to: 3)) after"
      )
    }
    if let plain = report.plainText { parts.append("plain text NLL \(plain.number)") }
    if let share = report.gapRecovered?.exactMatch {
      parts.append("exact match (FT − NC) / (Prompt − NC) \(share.percent)")
    }
    return (reports.count > 1 ? "<b>\(name.escaped)</b>: " : "") + parts.joined(separator: "; ")
  }

  private var retention: String {
    let rows = reports.flatMap { name, report in
      (report.retention ?? []).map { row in
        """
        <tr><th>\(reports.count > 1 ? name.escaped : "")</th><td>\(row.contexts)</td>\
        <td>\(row.groups)</td>\(Self.cell(row.batched.exactMatch, isShare: true))\
        \(Self.cell(row.sequential.exactMatch, isShare: true))</tr>
        """
      }
    }
    if rows.isEmpty { return "" }
    return """
      <h3>Several contexts in one model</h3>
      <div class="wide"><table class="scores"><thead><tr><th></th><th>contexts</th><th>groups</th>\
      <th>exact, one update</th><th>exact, in turn</th></tr></thead>
      <tbody>\(rows.joined(separator: "\n"))</tbody></table></div>
      """
  }
}
