import Foundation
import MetaLearning
import Storage

/// What a part's folder says of it: `done.json` when it is made, `begun.json` before, and `log.txt`.
struct PartFolder: Sendable {
  /// A part that is made.
  struct Done: Codable, Sendable, Equatable {
    var recipe: Recipe
    /// As they can be given by hand.
    var commands: [String]
    /// Of all attempts, as far as known.
    var seconds: Double
    /// The most anonymous memory of a command, sampled; nil where it was too short.
    var anonymousBytes: Int?
    /// How much work it was, in tasks; nil where that is not known.
    var tasks: Double?
    /// UTC.
    var finished: String
    /// Which `imprint` ran the last command, by its content; nil where that was something else.
    var executable: String?

    enum CodingKeys: String, CodingKey {
      case recipe, commands, seconds, executable
      case anonymousBytes = "anonymous_bytes"
      case tasks, finished
    }
  }

  private struct Begun: Codable {
    var recipe: Recipe
  }

  /// How far a part is.
  enum State: Equatable {
    case new
    /// It was begun and not finished.
    case begun
    case done(Done)
    /// It was begun or made by other commands or from other files: how.
    case changed(String)
  }

  let path: String

  init(_ part: Part, output: String) { path = output + "/" + part.id }

  private var donePath: String { path + "/done.json" }
  private var begunPath: String { path + "/begun.json" }
  var logPath: String { path + "/log.txt" }
  /// Where a training stage's run is.
  var run: RunFolder { RunFolder(path: path + "/run") }

  /// The state of a part that is made by `recipe`; where it `reports`, it is done only with a report
  /// that can be read.
  func state(recipe: Recipe, reports: Bool) -> State {
    if let done: Done = read(donePath) {
      if let how = recipe.difference(from: done.recipe) { return .changed(how) }
      return reports && report == nil ? .begun : .done(done)
    }
    let files = FileManager.default
    let other = State.changed("was made by another version")
    if files.fileExists(atPath: donePath) { return other }
    guard files.fileExists(atPath: begunPath) else { return .new }
    guard let begun: Begun = read(begunPath) else { return other }
    return recipe.difference(from: begun.recipe).map { .changed($0) } ?? .begun
  }

  private func read<Value: Decodable>(_ path: String) -> Value? {
    FileManager.default.contents(atPath: path).flatMap {
      try? JSONDecoder().decode(Value.self, from: $0)
    }
  }

  func begin(recipe: Recipe) throws {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    try write(Begun(recipe: recipe), to: begunPath)
  }

  func finish(_ done: Done) throws { try write(done, to: donePath) }

  private func write(_ value: some Encodable, to path: String) throws {
    try AtomicFile.write(json: value, to: path)
  }

  /// Seconds of each step that a training run has recorded.
  var stepSeconds: [Double] { metrics.compactMap { $0["seconds"] as? Double } }

  /// The most anonymous memory that a training run has recorded.
  var recordedBytes: Int? { metrics.compactMap { $0["anonymous_bytes"] as? Int }.max() }

  private var metrics: [[String: Any]] {
    guard let data = FileManager.default.contents(atPath: run.path + "/metrics.jsonl") else {
      return []
    }
    return data.split(separator: 0x0a).compactMap {
      try? JSONSerialization.jsonObject(with: Data($0)) as? [String: Any]
    }
  }

  /// The report of an evaluation.
  var report: EvaluationReport? { read(path + "/report.json") }

  /// What the last command has printed, as far as the log has it.
  var lastOutput: String {
    guard let data = FileManager.default.contents(atPath: logPath) else { return "" }
    let text = String(decoding: data.suffix(1 << 16), as: UTF8.self)
    let start = text.range(of: "\n$ ", options: .backwards)?.upperBound ?? text.startIndex
    return String(text[start...])
  }
}
