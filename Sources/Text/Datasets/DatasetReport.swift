/// What came of turning a source into tasks: how many, and what was left out for which reason.
public struct DatasetReport: Codable, Equatable, Sendable {
  /// Rows that were written.
  public var written = 0
  /// How many were left out, by reason.
  public var dropped: [String: Int] = [:]
  /// Articles that were read, where the source has such.
  public var articles = 0
  /// Lines that look like headings but were taken for text, as no empty line stands before them.
  public var headingLikeLines = 0

  /// Nothing yet.
  public init() {}

  /// Counts what is left out because of `reason`.
  public mutating func drop(_ reason: String) { dropped[reason, default: 0] += 1 }

  /// Counts the rows of `writer`, which came of `source`, and puts them in their place.
  ///
  /// Throws ``JSONLines/Failure`` where there are none, or where they cannot be written.
  mutating func commit(
    _ writer: JSONLinesWriter, of source: String, noun: String = "task"
  ) throws(JSONLines.Failure) {
    written = writer.count
    try refuseNothing(of: source, noun: noun)
    try writer.commit()
  }

  /// Throws ``JSONLines/Failure`` where nothing came of `source`.
  func refuseNothing(of source: String, noun: String = "task") throws(JSONLines.Failure) {
    guard written > 0 else {
      throw JSONLines.Failure(
        path: source, line: 0, "gives no \(noun): \(line(of: "\(noun)s"))")
    }
  }

  /// One line: `120 tasks; dropped 3: empty question 1, unanswerable 2`, and behind it the articles
  /// and lines that look like headings, where there are any.
  public func line(of noun: String = "tasks") -> String {
    let reasons = dropped.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
    var parts = ["\(written) \(noun)"]
    parts.append(
      dropped.isEmpty
        ? "dropped nothing"
        : "dropped \(dropped.values.reduce(0, +)): \(reasons.joined(separator: ", "))")
    if articles > 0 { parts.append("articles \(articles)") }
    if headingLikeLines > 0 { parts.append("heading-like lines inside text \(headingLikeLines)") }
    return parts.joined(separator: "; ")
  }
}

/// What a generated dataset is: written beside its files, enough to make them again.
public struct DatasetManifest: Codable, Equatable, Sendable {
  /// Of which generator; a change of what a seed gives raises it.
  public static let currentVersion = 3

  /// The dataset's name.
  public var dataset: String
  /// ``currentVersion`` when it was made.
  public var version = DatasetManifest.currentVersion
  /// The seed.
  public var seed: UInt64
  /// Other options by name.
  public var options: [String: String]
  /// Tasks by file name.
  public var tasks: [String: Int]
  /// How many rows of the source were left out, by reason.
  public var dropped: [String: Int]

  /// All parts but the version.
  public init(
    dataset: String, seed: UInt64, options: [String: String] = [:], tasks: [String: Int],
    dropped: [String: Int] = [:]
  ) {
    self.dataset = dataset
    self.seed = seed
    self.options = options
    self.tasks = tasks
    self.dropped = dropped
  }
}
