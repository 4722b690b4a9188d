import Foundation
import MetaLearning
import Storage

/// What the parts of an experiment have found: `results.json`, `results.md` and `results.svg`.
struct Results {
  /// One evaluated result.
  struct Row: Codable {
    var variant: String
    var data: String
    var seed: UInt64?
    var report: EvaluationReport
  }

  /// A mean over seeds.
  struct Cell: Codable {
    var variant: String
    var data: String
    var value: String
    var estimate: Estimate
    var seeds: Int
  }

  /// How a part went.
  struct PartRow: Codable {
    var id: String
    var title: String
    var state: String
    var commands: [String]
    var seconds: Double?
    var anonymousBytes: Int?
    var finished: String?
    var executable: String?

    enum CodingKeys: String, CodingKey {
      case id, title, state, commands, seconds, executable
      case anonymousBytes = "anonymous_bytes"
      case finished
    }
  }

  /// Where it was run.
  struct Host: Codable {
    var processor: String
    var processors: Int
    var system: String
  }

  private struct Document: Encodable {
    var title: String
    var smoke: Bool
    var model: String
    var seeds: [UInt64]
    var settings: [String: String]
    var host: Host
    var written: String
    var rows: [Row]
    var cells: [Cell]
    var parts: [PartRow]
  }

  let plan: Plan
  let isSmoke: Bool
  let rows: [Row]
  let parts: [PartRow]
  private let reports: [(variant: String, data: String, values: ReportValues)]

  var experiment: Experiment { plan.experiment }

  init(
    _ plan: Plan, isSmoke: Bool, problems: [String: String],
    done: (Part) -> PartFolder.Done?
  ) {
    self.plan = plan
    self.isSmoke = isSmoke
    var rows: [Row] = []
    parts = plan.parts.map { part in
      let done = done(part)
      if done != nil, let result = part.result,
        let report = PartFolder(part, output: plan.output).report
      {
        rows.append(
          Row(variant: result.variant, data: result.data, seed: result.seed, report: report))
      }
      return PartRow(
        id: part.id, title: part.title,
        state: done != nil ? "done" : problems[part.id] ?? "not made yet",
        commands: done?.commands ?? part.commands.map(Words.shell), seconds: done?.seconds,
        anonymousBytes: done?.anonymousBytes, finished: done?.finished,
        executable: done?.executable)
    }
    self.rows = rows
    reports = rows.compactMap { row in
      ReportValues(row.report).map { (row.variant, row.data, $0) }
    }
  }

  /// The data sets that something is evaluated on, in the file's order.
  var data: [Experiment.DataSet] {
    experiment.data.filter { set in plan.parts.contains { $0.result?.data == set.name } }
  }

  /// The variants that are evaluated on `data`, in the file's order.
  func variants(on data: String) -> [Experiment.Variant] {
    experiment.variants.filter { variant in
      plan.parts.contains { $0.result?.variant == variant.name && $0.result?.data == data }
    }
  }

  /// The value of `path` for a variant on a data set, over seeds; nil where a seed has none.
  ///
  /// With several seeds the error is √(σ² + τ²): σ the mean standard error over tasks, which the seeds
  /// share, and τ the standard error over seeds.
  func estimate(
    _ path: String, _ variant: String, _ data: Experiment.DataSet
  ) -> (estimate: Estimate, seeds: Int)? {
    if path == "recovered" {
      return recovered(variant, data).map { ($0, count(variant, data.name)) }
    }
    let path = path.replacing("$metric", with: data.metric)
    let values = reports.filter { $0.variant == variant && $0.data == data.name }.compactMap {
      $0.values.estimate(path)
    }
    // A mean of the seeds that have the value would choose among them.
    guard let first = values.first, values.count == count(variant, data.name) else { return nil }
    if values.count == 1 { return (first, 1) }
    var result = Estimate(values.map(\.mean))
    let within = Estimate(values.map(\.standardError)).mean
    let between = result.standardError
    result.standardError = (within * within + between * between).squareRoot()
    return (result, values.count)
  }

  /// How many reports a variant has on a data set, one a seed.
  func count(_ variant: String, _ data: String) -> Int {
    reports.count { $0.variant == variant && $0.data == data }
  }

  /// (FT − baseline's FT) / (baseline's Prompt − baseline's FT), the errors taken as independent.
  private func recovered(_ variant: String, _ data: Experiment.DataSet) -> Estimate? {
    let baseline = experiment.baseline(of: variant)
    guard variant != baseline,
      let ft = estimate("ft.$metric", variant, data)?.estimate,
      let start = estimate("ft.$metric", baseline, data)?.estimate,
      let goal = estimate("prompt.$metric", baseline, data)?.estimate
    else { return nil }
    let gap = goal.mean - start.mean
    guard data.metric == "nll" ? gap < 0 : gap > 0 else { return nil }
    let share = (ft.mean - start.mean) / gap
    let parts = [
      ft.standardError, (1 - share) * start.standardError, share * goal.standardError,
    ]
    var result = Estimate([share])
    result.standardError = parts.reduce(0) { $0 + $1 * $1 }.squareRoot() / abs(gap)
    return result
  }

  /// Writes the three files.
  func write() throws {
    let folder = plan.results
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    try AtomicFile.write(json: document, to: folder + "/results.json")
    try AtomicFile.write(Array(markdown.utf8), to: folder + "/results.md")
    let picture = folder + "/results.svg"
    if let chart {
      try AtomicFile.write(Array(chart.svg.utf8), to: picture)
    } else if FileManager.default.fileExists(atPath: picture) {
      try FileManager.default.removeItem(atPath: picture)
    }
  }

  private var document: Document {
    let paths = experiment.tables.flatMap(\.paths)
    var cells: [Cell] = []
    for set in data {
      for variant in variants(on: set.name) {
        for path in Set(paths + (experiment.picture?.bars.map(\.path) ?? [])).sorted() {
          guard let (estimate, seeds) = estimate(path, variant.name, set) else { continue }
          cells.append(
            Cell(
              variant: variant.name, data: set.name,
              value: path.replacing("$metric", with: set.metric), estimate: estimate, seeds: seeds))
        }
      }
    }
    return Document(
      title: experiment.title, smoke: isSmoke, model: plan.model, seeds: experiment.seeds,
      settings: experiment.settings, host: Self.host, written: Date.now.ISO8601Format(),
      rows: rows, cells: cells, parts: parts)
  }

  static var host: Host {
    let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    let line = text.split(separator: "\n").first { $0.hasPrefix("model name") }
    let name = line.flatMap { $0.split(separator: ":").last } ?? "unknown"
    return Host(
      processor: name.trimmingCharacters(in: .whitespaces),
      processors: ProcessInfo.processInfo.activeProcessorCount,
      system: ProcessInfo.processInfo.operatingSystemVersionString)
  }
}

/// The estimates of a report by their path: `ft.exact_match`, `retention.4.sequential.nll`.
struct ReportValues {
  /// What a form of asking is measured by.
  static let metrics = [
    "exact_match", "token_accuracy", "answer_exact_match", "answer_f1", "nll",
  ]

  private static let groups: [(names: [String], keys: [String])] = [
    (["nc", "prompt", "ft", "ft_irrelevant"], metrics),
    (["gap_recovered", "ft_to_prompt"], metrics.filter { $0 != "nll" }),
    (["breakdown"], ["neither", "both", "only_without", "only_with"]),
    (["retention.K.batched", "retention.K.sequential"], metrics),
  ]

  /// The paths that there are, with K for a number of contexts, and the share that the harness works
  /// out.
  static let paths: [String] =
    groups.flatMap { group in group.names.flatMap { name in group.keys.map { "\(name).\($0)" } } }
    + ["inner_loss", "inner_loss_after", "plain_text_nll", "recovered"]

  /// Whether a report can have an estimate at `path`.
  static func knows(_ path: String) -> Bool {
    var keys = path.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    if keys.count > 1, keys[0] == "retention", Int(keys[1]) ?? 0 > 0 { keys[1] = "K" }
    return paths.contains(keys.joined(separator: "."))
  }

  private let root: [String: Any]

  init?(_ report: EvaluationReport) {
    guard let data = try? JSONEncoder().encode(report),
      let root = try? JSONSerialization.jsonObject(with: data) as? [String: Any]
    else { return nil }
    self.root = root
  }

  func estimate(_ path: String) -> Estimate? {
    var value: Any = root
    for key in path.split(separator: ".") {
      if let rows = value as? [[String: Any]] {
        // Retention: by the number of contexts.
        guard let row = rows.first(where: { ($0["contexts"] as? Int) == Int(key) }) else {
          return nil
        }
        value = row
      } else {
        guard let object = value as? [String: Any], let next = object[String(key)] else {
          return nil
        }
        value = next
      }
    }
    guard let pair = value as? [String: Any], let mean = pair["mean"],
      let error = pair["standard_error"]
    else { return nil }
    // null stands for a number that is not finite.
    var result = Estimate([mean as? Double ?? .nan])
    result.standardError = error as? Double ?? .nan
    return result
  }
}
