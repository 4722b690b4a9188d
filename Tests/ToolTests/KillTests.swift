import Foundation
import MetaLearning
import Storage
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// Processes that are killed at random moments, a few dozen times, or `IMPRINT_KILLS` times.
@Suite(.serialized) struct KillTests {
  static let kills =
    ProcessInfo.processInfo.environment["IMPRINT_KILLS"].flatMap { Int($0) } ?? 24

  let training: TinyTraining

  init() throws { training = try TinyTraining() }

  /// Runs a tool and kills it after `delay` seconds. Returns whether it was still running.
  private func kill(_ name: String, _ arguments: [String], after delay: Double) throws -> Bool {
    let tool = try RunningTool(name, arguments)
    usleep(UInt32(delay * 1e6))
    let isRunning = tool.process.isRunning
    tool.send(SIGKILL)
    let result = tool.finish()
    if tool.process.terminationReason == .exit {
      #expect(result.status == 0, "\(result.errors)")
      return false
    }
    return isRunning
  }

  private func seconds(_ body: () throws -> Tool.Result) throws -> Double {
    let start = ContinuousClock.now
    let result = try body()
    #expect(result.status == 0, "\(result.errors)")
    let parts = (ContinuousClock.now - start).components
    return Double(parts.seconds) + Double(parts.attoseconds) * 1e-18
  }

  /// Whatever is killed whenever: the run can be read, goes on, and ends with the same bits.
  @Test(arguments: [["--target", "gold"], ["--target", "teacher", "--prompt-weight", "0.3"]])
  func trainingEndsWithTheSameBits(_ options: [String]) throws {
    let steps = 60
    let options = options + ["--quiet", "--save-every", "3"]
    let whole = training.folder.file("whole")
    let arguments = { (run: String) in training.arguments(run, steps: steps, options) }
    let duration = try seconds { try Tool.run("imprint", arguments(whole)) }
    let expected = try TinyTraining.adapter(whole)
    let metrics = try losses(whole)
    var random = SplitMix64(seed: 3)
    var (killed, completed, round) = (0, 0, 0)
    while killed < Self.kills || completed == 0 {
      let run = training.folder.file("run\(completed)")
      round += 1
      // Once enough are killed the run may end.
      let delay = killed < Self.kills ? random.uniform() * duration * 0.8 : 600
      let tool = try RunningTool("imprint", arguments(run) + ["--resume"])
      for _ in 0..<Int(delay / 0.001) where tool.process.isRunning { usleep(1000) }
      tool.send(SIGKILL)
      let result = tool.finish()
      let folder = RunFolder(path: run)
      #expect(throws: Never.self) { try folder.latestCheckpoint() }
      if folder.exists { #expect(throws: Never.self) { try folder.description() } }
      #expect(folder.checkpointSteps.count <= 3)
      guard tool.process.terminationReason == .exit else {
        killed += 1
        continue
      }
      #expect(result.status == 0, "\(result.errors)")
      completed += 1
      #expect(try TinyTraining.adapter(run) == expected, "run \(completed)")
      #expect(try losses(run) == metrics)
      #expect(TinyTraining.leftovers(run).isEmpty)
      #expect(folder.checkpointSteps == [60, 57])
      // What the teacher said is decoded anew, and that may be killed too, and goes on.
      for name in training.folder.names where name.contains(".teacher-") {
        unlink(training.folder.file(name))
      }
      #expect(round < 100 * Self.kills)
    }
  }

  private func losses(_ run: String) throws -> [Double] {
    struct Row: Decodable { var outerLoss: Double }
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try Data(contentsOf: URL(filePath: run + "/metrics.jsonl")).split(separator: 0x0a).map {
      try decoder.decode(Row.self, from: $0).outerLoss
    }
  }

  /// A writer that is killed leaves the old file or the new one, and the next one cleans up.
  @Test(arguments: ["convert", "merge", "data"])
  func writersLeaveTheOldFileOrTheNew(_ command: String) throws {
    let folder = training.folder.file("out")
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let big = try BigModel(training.folder, vocabulary: 10_000)
    let (tool, arguments, out): (String, [String], String)
    switch command {
    case "convert":
      (tool, out) = ("imprint-tools", folder + "/model")
      arguments = ["convert", big.folder, out, "--quiet"]
    case "merge":
      let base = training.folder.file("base")
      #expect(try Tool.run("imprint-tools", "convert", big.folder, base).status == 0)
      (tool, out) = ("imprint-tools", folder + "/model")
      let adapter = training.folder.file("adapter")
      #expect(try training.train(adapter, steps: 2, "--quiet").status == 0)
      arguments = ["merge", base, adapter, out, "--quiet"]
    default:
      (tool, out) = ("imprint", folder + "/train.jsonl")
      arguments = ["data", "reversal-curse", "--train", "2000", "--test", "10", "--out", folder]
    }
    let duration = try seconds { try Tool.run(tool, arguments) }
    let new = try Data(contentsOf: URL(filePath: out))
    let old = Data("old".utf8)
    var random = SplitMix64(seed: 4)
    var killed = 0
    for round in 0..<100 * Self.kills where killed < Self.kills {
      if round % 2 == 0 { try old.write(to: URL(filePath: out)) }
      if try kill(tool, arguments, after: random.uniform() * duration) { killed += 1 }
      let found = try Data(contentsOf: URL(filePath: out))
      #expect(found == old || found == new)
      #expect(TinyTraining.leftovers(folder).count <= 3)
    }
    #expect(killed == Self.kills)
    #expect(try Tool.run(tool, arguments).status == 0)
    #expect(TinyTraining.leftovers(folder).isEmpty)
    #expect(try Data(contentsOf: URL(filePath: out)) == new)
  }

  /// The harness is killed, and the command that it runs with it; what is made afterwards is what
  /// would have been made.
  @Test func anExperimentEndsWithTheSameResults() throws {
    let experiment = try SmokeExperiment()
    let options = [
      "--variants", "gold", "--data", "character", "--seeds", "1", "--set", "steps=12",
    ]
    func arguments(_ name: String) -> [String] {
      experiment.arguments(experiment.folder.file(name), options)
    }
    let duration = try seconds { try Tool.run("imprint-bench", arguments("whole")) }
    func made(_ name: String) throws -> [Data] {
      try [
        "stages/gold/character/seed-1/run/adapter_model.safetensors",
        "smoke/gold/character/seed-1/report.json",
      ].map { try Data(contentsOf: URL(filePath: experiment.folder.file("\(name)/\($0)"))) }
    }
    let expected = try made("whole")
    var random = SplitMix64(seed: 5)
    var (killed, completed) = (0, 0)
    for _ in 0..<20 * Self.kills where killed < Self.kills || completed == 0 {
      let name = "out\(completed)"
      let delay = killed < Self.kills ? random.uniform() * duration : 600
      let tool = try RunningTool("imprint-bench", arguments(name))
      for _ in 0..<Int(delay / 0.001) where tool.process.isRunning { usleep(1000) }
      tool.send(SIGKILL)
      let result = tool.finish()
      guard tool.process.terminationReason == .exit else {
        killed += 1
        continue
      }
      #expect(result.status == 0, "\(result.errors)")
      #expect(try made(name) == expected)
      #expect(TinyTraining.leftovers(experiment.folder.file(name)).isEmpty)
      completed += 1
    }
    #expect(killed >= Self.kills && completed > 0)
  }

  /// A case that is measured in a process of its own ends with who asked for it.
  @Test func measurementsEndWithTheirParent() throws {
    let tool = try RunningTool(
      "imprint-bench",
      [
        "memory-rank", "--model", training.model, "--out", training.folder.file("memory"),
        "--ranks", "2", "--variants", "lora", "--contexts", "8", "--budgets", "none",
        "--steps", "100000000", "--seconds", "600", "--quiet",
      ])
    let process = tool.process.processIdentifier
    var child: Int32?
    for _ in 0..<10_000 where child == nil && tool.process.isRunning {
      usleep(1000)
      child = children(of: process).first
    }
    tool.send(SIGKILL)
    _ = tool.finish()
    let measuring = try #require(child)
    var isThere = true
    for _ in 0..<10_000 where isThere {
      usleep(1000)
      isThere = isRunning(measuring)
    }
    #expect(!isThere)
    if isThere { Glibc.kill(measuring, SIGKILL) }
  }

  private func children(of parent: Int32) -> [Int32] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return names.compactMap { Int32($0) }.filter { state(of: $0)?.parent == parent }
  }

  /// Whether it is there and no zombie that nobody waits for.
  private func isRunning(_ process: Int32) -> Bool {
    state(of: process).map { $0.letter != "Z" } ?? false
  }

  /// What proc_pid_stat(5) says behind the name.
  private func state(of process: Int32) -> (letter: Substring, parent: Int32?)? {
    guard let stat = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
      let end = stat.lastIndex(of: ")")
    else { return nil }
    let fields = stat[end...].dropFirst(2).split(separator: " ")
    return fields.count > 1 ? (fields[0], Int32(fields[1])) : nil
  }
}
