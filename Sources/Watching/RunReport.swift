import Foundation
public import Storage

/// A run folder, and evaluations of its result, as one page of HTML that needs nothing else.
///
/// Typical flow:
///
///     let report = try RunReport(run: "run", evaluations: ["after.json"])
///     let page = report.html
public struct RunReport {
  let name: String
  let metrics: MetricsLog
  /// What held-out tasks gave, of `held_out.jsonl`.
  let heldOut: MetricsLog?
  let configuration: JSONValue
  /// Bytes by component, of `memory.json`.
  let memory: [String: Double]?
  /// Learned inner rates by tensor.
  let rates: [String: Double]?
  let evaluation: EvaluationSection
  let resultFile: String?

  /// Reads `config.json` and `metrics.jsonl` of the folder `run`, `held_out.jsonl`, `memory.json`
  /// and `inner_rates.json` where they are there, and reports of `imprint evaluate --json`.
  ///
  /// Throws ``FileError`` where a file is missing or not what it should be.
  public init(run: String, evaluations: [String] = []) throws(FileError) {
    name = URL(filePath: run).standardizedFileURL.lastPathComponent
    configuration = try Self.object(run + "/config.json", "the configuration of a run")
    metrics = try MetricsLog(path: run + "/metrics.jsonl")
    let held = run + "/held_out.jsonl"
    heldOut =
      FileManager.default.fileExists(atPath: held) ? try MetricsLog(path: held) : nil
    memory = try Self.numbers(run + "/memory.json")
    rates = try Self.numbers(run + "/inner_rates.json")
    evaluation = try EvaluationSection(paths: evaluations)
    resultFile = ["adapter_model.safetensors", "model.imprint"].first {
      FileManager.default.fileExists(atPath: run + "/" + $0)
    }
  }

  private static func object(_ path: String, _ what: String) throws(FileError) -> JSONValue {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw FileError(path: path, "cannot be read: no run was started here")
    }
    guard let value = try? JSONDecoder().decode(JSONValue.self, from: data), case .object = value
    else { throw FileError(path: path, "is not \(what): expected a JSON object") }
    return value
  }

  private static func numbers(_ path: String) throws(FileError) -> [String: Double]? {
    guard FileManager.default.fileExists(atPath: path) else { return nil }
    guard case .object(let values) = try object(path, "a table of numbers") else { return nil }
    for key in values.keys.sorted() {
      guard let number = values[key]?.number, number >= 0 else {
        throw FileError(path: path, "field '\(key)': expected a number")
      }
    }
    return values.compactMapValues(\.number)
  }

  /// What a script may want of a run.
  public struct Summary: Codable, Sendable {
    /// Steps done.
    public var steps: Int
    /// Steps that the run is to have, where its configuration says so.
    public var totalSteps: Int?
    /// The mean of every number of `metrics.jsonl` over the last tenth of its rows.
    public var last: [String: Double]
    /// Seconds of all steps.
    public var seconds: Double
    /// The largest RssAnon after a step, bytes.
    public var peakAnonymousBytes: Double?
    /// The memory plan's sum, bytes.
    public var plannedBytes: Double?
    /// The file with what was trained, once it is written.
    public var result: String?
  }

  /// The run in numbers.
  public var summary: Summary {
    Summary(
      steps: metrics.lastStep,
      totalSteps: configuration.first("totalSteps")?.number.map { Int($0) },
      last: metrics.series.mapValues { Self.lastMean($0.values) },
      seconds: metrics.series["seconds"]?.values.reduce(0, +) ?? 0,
      peakAnonymousBytes: metrics.series["anonymous_bytes"]?.values.max(),
      plannedBytes: memory?["total"], result: resultFile)
  }

  /// The mean of the last tenth.
  static func lastMean(_ values: [Double]) -> Double {
    let last = values.suffix(max(1, values.count / 10))
    return last.reduce(0, +) / Double(max(1, last.count))
  }
}
