import Foundation
import MetaLearning
import Storage
public import Weights

/// The measurements of a benchmark of memory against rank, in a folder: `results.json`, which a
/// later run goes on from, and `results.csv`.
public struct MemoryRankStore: Sendable {
  /// What `results.json` holds.
  public struct Contents: Codable, Sendable {
    /// The weight file's name, without its folder.
    public var model: String
    /// Its fingerprint.
    public var fingerprint: String
    /// Its parameters.
    public var parameters: Int
    /// Bytes of the weight file.
    public var fileBytes: Int
    /// The processor, as `/proc/cpuinfo` names it.
    public var processor: String
    /// One entry a case, in the order in which they were run.
    public var measurements: [TrainingMeasurement]
  }

  /// The folder.
  public let folder: String
  /// What is known.
  public private(set) var contents: Contents

  private var json: String { folder + "/results.json" }

  /// The store in `folder` for `file`, with what is there already.
  ///
  /// Results of another model or processor are left out where they may be replaced; otherwise
  /// throws ``WeightError``.
  public init(
    folder: String, file: WeightFile, path: String, replacing: Bool
  ) throws(WeightError) {
    self.folder = folder
    let target = URL(filePath: path).resolvingSymlinksInPath().path(percentEncoded: false)
    let attributes = try? FileManager.default.attributesOfItem(atPath: target)
    contents = Contents(
      model: URL(filePath: path).lastPathComponent, fingerprint: "\(file.fingerprint)",
      parameters: file.tensors.reduce(0) { $0 + $1.rows * $1.columns },
      fileBytes: attributes?[.size] as? Int ?? 0, processor: Self.processor, measurements: [])
    guard let data = try? Data(contentsOf: URL(filePath: json)) else { return }
    let problem: String
    if let old = try? JSONDecoder().decode(Contents.self, from: data) {
      if old.fingerprint != contents.fingerprint {
        problem = "holds results of another model, \(old.model)"
      } else if old.processor != contents.processor {
        problem = "holds results of another processor, \(old.processor)"
      } else {
        contents.measurements = old.measurements
        return
      }
    } else {
      problem = "is not a result of this benchmark"
    }
    guard replacing else {
      throw WeightError(path: json, problem + ": use --force or another --out")
    }
  }

  /// The result of a case that was run; refusals and failures are tried again.
  public func result(of training: TrainingCase) -> TrainingMeasurement? {
    contents.measurements.first { $0.training == training && $0.isMeasured }
  }

  /// Adds a result in the place of an older one, and writes both files.
  ///
  /// Throws ``WeightError`` where the folder cannot be written.
  public mutating func add(_ measurement: TrainingMeasurement) throws(WeightError) {
    contents.measurements.removeAll { $0.training == measurement.training }
    contents.measurements.append(measurement)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    do {
      try FileManager.default.createDirectory(
        atPath: folder, withIntermediateDirectories: true)
      try encoder.encode(contents).write(to: URL(filePath: json), options: .atomic)
      try Data(csv.utf8).write(to: URL(filePath: folder + "/results.csv"), options: .atomic)
    } catch {
      throw WeightError(path: folder, "cannot be written")
    }
  }

  /// One row a measured case; bytes and seconds.
  public var csv: String {
    let header = [
      "outer", "inner", "rank", "context_tokens", "query_tokens", "contexts_per_update", "batch",
      "budget_bytes", "adapter_parameters", "together", "kept_blocks", "logit_rows",
      "planned_bytes", "peak_rss_anon_bytes", "rss_file_bytes", "vm_hwm_bytes",
      "median_step_seconds", "seconds_per_task", "measured_steps", "bytes_read",
    ]
    let rows = contents.measurements.filter(\.isMeasured).map { result -> [String] in
      let training = result.training
      return [
        training.outer.rawValue, training.inner.rawValue, "\(training.rank)",
        "\(training.contextTokens)", "\(training.queryTokens)", "\(training.contextsPerUpdate)",
        "\(training.batch)", training.budget.map { "\($0)" } ?? "",
        "\(result.adapterParameters)", "\(result.together)", "\(result.keptBlocks)",
        "\(result.logitRows)", "\(result.planned)", "\(result.peakAnonymous)", "\(result.file)",
        "\(result.peakResident)", String(format: "%.4f", result.median),
        String(format: "%.4f", result.secondsPerTask), "\(result.seconds.count)",
        "\(result.bytesRead)",
      ]
    }
    return ([header] + rows).map { $0.joined(separator: ",") + "\n" }.joined()
  }

  private static var processor: String {
    let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    for line in text.split(separator: "\n") where line.hasPrefix("model name") {
      return line.split(separator: ":", maxSplits: 1).last.map {
        $0.trimmingCharacters(in: .whitespaces)
      } ?? "unknown"
    }
    return "unknown"
  }
}
