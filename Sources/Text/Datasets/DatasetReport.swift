/// What came of turning a source into tasks: how many, and what was left out for which reason.
public struct DatasetReport: Codable, Equatable, Sendable {
  /// Rows that were written.
  public var written = 0
  /// How many were left out, by reason.
  public var dropped: [String: Int] = [:]

  /// Nothing yet.
  public init() {}

  /// Counts what is left out because of `reason`.
  public mutating func drop(_ reason: String, count: Int = 1) {
    if count > 0 { dropped[reason, default: 0] += count }
  }

  /// One line: `120 tasks; dropped 3: empty question 1, unanswerable 2`.
  public func line(of noun: String = "tasks") -> String {
    if dropped.isEmpty { return "\(written) \(noun); dropped nothing" }
    let reasons = dropped.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
    return "\(written) \(noun); dropped \(dropped.values.reduce(0, +)): "
      + reasons.joined(separator: ", ")
  }
}

/// What a generated dataset is: written beside its files, enough to make them again.
public struct DatasetManifest: Codable, Equatable, Sendable {
  /// Of which generator; a change of what a seed gives raises it.
  public static let currentVersion = 2

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
