import ArgumentParser
import Foundation
import Invocation
import Storage
import Text

struct Data: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Make task files.",
    discussion: """
      Tasks are JSON Lines: {"context": …, "query": …, "response": …}. The same input and options \
      give the same files, byte for byte.

      Example: imprint data character-description --train 5000 --test 500 --out data
      """,
    subcommands: [
      CharacterDescriptionData.self, ReversalCurseData.self, SQuADData.self, WikiTextData.self,
    ])
}

/// Flags of datasets with a side for training and one for testing.
struct SidesOptions: ParsableArguments {
  @Option(help: "The same seed gives the same tasks.")
  var seed: UInt64 = 0

  @Option(help: "The folder for train.jsonl, test.jsonl and manifest.json: all are replaced.")
  var out: String

  @OptionGroup var ending: EndingOptions

  /// `tasks` with their responses as they are asked for.
  func ended(_ tasks: some Sequence<MetaTask>) -> some Sequence<MetaTask> {
    tasks.lazy.map { task in
      var task = task
      if let response = task.response { task.response = response + ending.text }
      return task
    }
  }

  /// Writes `sides` by name, and the manifest. What is in the folder stays until all of them are
  /// complete; then a side that is not made goes, too.
  func write(
    _ dataset: String, options: [String: String],
    sides: [(name: String, prepare: (_ path: String) throws -> JSONLinesWriter)],
    report: DatasetReport? = nil
  ) throws {
    do {
      try FileManager.default.createDirectory(atPath: out, withIntermediateDirectories: true)
    } catch {
      throw Problem("\(out): cannot be made")
    }
    var options = options
    if ending.lineFeed { options["line-feed"] = "true" }
    var manifest = DatasetManifest(
      dataset: dataset, seed: seed, options: options, tasks: [:], dropped: report?.dropped ?? [:])
    var writers: [JSONLinesWriter] = []
    for side in sides {
      let writer = try side.prepare("\(out)/\(side.name).jsonl")
      manifest.tasks["\(side.name).jsonl"] = writer.count
      writers.append(writer)
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    let file = try AtomicFile(path: "\(out)/manifest.json")
    try file.append(String(decoding: try encoder.encode(manifest), as: UTF8.self) + "\n")
    // Sides without a manifest were not replaced to the end.
    try file.removeOld()
    for name in ["train.jsonl", "test.jsonl"] where manifest.tasks[name] == nil {
      if try AtomicFile.remove("\(out)/\(name)") { note("\(out)/\(name): removed") }
    }
    for writer in writers {
      try writer.commit()
      note("\(writer.path): \(writer.count) tasks")
    }
    if let report { note("\(report.line())") }
    try file.commit()
  }
}

/// How responses end.
struct EndingOptions: ParsableArguments {
  @Flag(
    help: "End every response with a line feed, so that a model learns where its answer ends.")
  var lineFeed = false

  /// What stands at the end of every response.
  var text: String { lineFeed ? "\n" : "" }
}

/// Flags of the generated datasets.
struct GeneratorOptions: ParsableArguments {
  @Option(help: "Training tasks (default: 5000).")
  var train: Int?

  @Option(help: "Test tasks (default: 500).")
  var test: Int?

  @OptionGroup var sides: SidesOptions

  var trainCount: Int { train ?? 5000 }
  var testCount: Int { test ?? 500 }

  func validate() throws {
    guard trainCount >= 0, testCount >= 0, max(trainCount, testCount) > 0 else {
      throw ValidationError("--train and --test must not be negative, nor both zero.")
    }
    guard trainCount <= 1_000_000, testCount <= 100_000 else {
      throw ValidationError("--train is at most 1000000, --test 100000.")
    }
  }

  /// Writes what `tasks` gives for each side.
  func write(
    _ dataset: String, options: [String: String] = [:],
    _ tasks: (_ count: Int, _ forTest: Bool) -> some Sequence<MetaTask>
  ) throws {
    try withoutActuallyEscaping(tasks) { tasks in
      try sides.write(
        dataset, options: options,
        sides: [("train", trainCount, false), ("test", testCount, true)].filter { $0.1 > 0 }.map {
          name, count, forTest in
          (name, { path in try TaskWriter.prepare(sides.ended(tasks(count, forTest)), at: path) })
        })
    }
  }
}
