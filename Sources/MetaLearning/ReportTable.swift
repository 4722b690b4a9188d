/// A table of texts, as people read it on a terminal or in Markdown.
public struct ReportTable: Sendable, Equatable {
  /// Titles of the columns.
  public var head: [String]
  /// Rows of as many cells.
  public var rows: [[String]]

  /// A table with `head` over `rows`.
  public init(head: [String], rows: [[String]]) {
    self.head = head
    self.rows = rows
  }

  /// Columns side by side, two spaces between.
  public var text: String {
    let widths = head.indices.map { column in
      ([head] + rows).map { $0[column].count }.max() ?? 0
    }
    return ([head] + rows).map { row in
      var line = zip(row, widths).map { cell, width in
        cell + String(repeating: " ", count: width - cell.count)
      }.joined(separator: "  ")
      while line.last == " " { line.removeLast() }
      return line
    }.joined(separator: "\n")
  }

  /// A Markdown table.
  public var markdown: String {
    ([head, head.map { _ in "---" }] + rows).map { row in
      "| " + row.map { $0.replacing("|", with: "\\|") }.joined(separator: " | ") + " |"
    }.joined(separator: "\n")
  }
}

extension Estimate {
  /// As a share: `93.8 ± 3.0 %`.
  public var percent: String { "\((100 * mean).rounded(to: 1)) ± \(percentError) %" }

  /// With three digits: `0.193 ± 0.062`.
  public var number: String { "\(mean.rounded(to: 3)) ± \(numberError)" }

  /// The standard error in per cent; – where one value alone says nothing of it.
  public var percentError: String { isSingle ? "–" : (100 * standardError).rounded(to: 1) }

  /// The standard error with three digits, likewise.
  public var numberError: String { isSingle ? "–" : standardError.rounded(to: 3) }

  private var isSingle: Bool { standardError.isNaN && mean.isFinite }
}

extension Double {
  /// With this many digits behind the point.
  public func rounded(to digits: Int) -> String {
    guard isFinite else { return isNaN ? "nan" : "\(self)" }
    var factor = 1.0
    for _ in 0..<digits { factor *= 10 }
    let scaled = (magnitude * factor).rounded()
    guard scaled < 1e15 else { return "\(self)" }
    let whole = Int64(scaled)
    let sign = self < 0 && whole > 0 ? "-" : ""
    let unit = Int64(factor)
    if digits == 0 { return "\(sign)\(whole)" }
    let rest = String(whole % unit)
    return "\(sign)\(whole / unit).\(String(repeating: "0", count: digits - rest.count))\(rest)"
  }
}
