import Foundation
import MetaLearning
import Storage
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// A tiny model, some tasks and runs of `imprint train` on them.
struct TinyTraining {
  let folder: TemporaryFolder
  let model: String
  let data: String
  var options = ["--batch-size", "2", "--rank", "2", "--threads", "1"]

  init(_ folder: TemporaryFolder? = nil) throws {
    self.folder = try folder ?? TemporaryFolder()
    model = self.folder.file("tiny.imprint")
    let made = try Tool.run("imprint-tools", "convert", TinyModel.folder, model, "--quiet")
    #expect(made.status == 0, "\(made.errors)")
    data = try self.folder.write(Array(Self.tasks(count: 8).utf8), "tasks.jsonl")
  }

  static func tasks(count: Int) -> String {
    (0..<count).map { index in
      let ids = (0..<12).map { ($0 * 5 + index * 3) % 67 }
      return """
        {"context_ids": \(ids), "query_ids": [\(ids[2]), \(ids[7])], \
        "response_ids": [\(ids[3])], "separator_ids": [1]}

        """
    }.joined()
  }

  func arguments(_ run: String, steps: Int, _ more: [String] = []) -> [String] {
    [
      "train", "--model", model, "--data", data, "--output", run, "--steps", "\(steps)",
    ] + options + more
  }

  /// Trains to the end.
  func train(_ run: String, steps: Int, _ more: String...) throws -> Tool.Result {
    try Tool.run("imprint", arguments(run, steps: steps, more))
  }

  /// The adapter that a run has written.
  static func adapter(_ run: String) throws -> Data {
    try Data(contentsOf: URL(filePath: run + "/adapter_model.safetensors"))
  }

  /// The lines of a run's metrics.
  static func steps(_ run: String) -> Int {
    let data = FileManager.default.contents(atPath: run + "/metrics.jsonl") ?? Data()
    return data.count { $0 == 0x0a }
  }

  /// Names in a folder that no run should leave.
  static func leftovers(_ folder: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter {
      $0.hasSuffix(".partial")
    }
  }
}

/// An executable that is running.
final class RunningTool {
  let process = Process()
  private let errors = Pipe()

  /// Starts it, with the signals as a terminal would have them.
  init(_ name: String, _ arguments: [String], shell: String = "") throws {
    let tool = name.hasPrefix("/") ? name : Tool.find(name).path(percentEncoded: false)
    process.executableURL = URL(filePath: "/bin/bash")
    process.arguments =
      ["-c", "\(shell) exec env --default-signal=HUP,INT,TERM \"$@\"", "bash", tool] + arguments
    process.standardError = errors
    process.standardOutput = FileHandle.nullDevice
    try process.run()
  }

  /// Waits until `condition` holds, half a minute at most.
  func wait(until condition: () -> Bool) {
    for _ in 0..<6000 where process.isRunning {
      if condition() { return }
      usleep(5000)
    }
    if process.isRunning { Issue.record("waited too long") }
  }

  func send(_ signal: Int32) { kill(process.processIdentifier, signal) }

  /// Waits for the end.
  func finish() -> Tool.Result {
    let text = errors.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return Tool.Result(
      status: process.terminationStatus, output: "", errors: String(decoding: text, as: UTF8.self))
  }
}
