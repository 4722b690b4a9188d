import Foundation
import MetaLearning
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#endif

@Suite(.serialized) struct SignalTests {
  let training: TinyTraining
  let run: String

  init() throws {
    training = try TinyTraining()
    run = training.folder.file("run")
  }

  private func start(steps: Int = 1_000_000, _ more: String...) throws -> RunningTool {
    let tool = try RunningTool(
      "imprint", training.arguments(run, steps: steps, ["--quiet"] + more))
    tool.wait { TinyTraining.steps(run) >= 3 }
    return tool
  }

  /// One line, a checkpoint of the last step that was completed, 129, 130 or 143; then a run that
  /// goes on is the uninterrupted one.
  @Test(arguments: [
    (SIGINT, "SIGINT", Int32(130)), (SIGTERM, "SIGTERM", 143), (SIGHUP, "SIGHUP", 129),
  ])
  func anInterruptionLeavesACheckpoint(_ signal: Int32, _ name: String, _ status: Int32) throws {
    let tool = try start()
    tool.send(signal)
    let result = tool.finish()
    let folder = RunFolder(path: run)
    let step = try #require(folder.checkpointSteps.first)
    #expect(result.status == status)
    #expect(
      result.errors == "imprint: \(name): checkpoint of step \(step) written, --resume goes on\n")
    #expect(step == TinyTraining.steps(run) && step >= 3)
    #expect(TinyTraining.leftovers(run).isEmpty)
    #expect(try folder.latestCheckpoint()?.count("step") == step)
  }

  @Test func aSecondSignalStopsAtOnce() throws {
    let tool = try start()
    tool.send(SIGSTOP)
    tool.send(SIGINT)
    tool.send(SIGTERM)
    tool.send(SIGCONT)
    let result = tool.finish()
    // Both are there when the process goes on; whichever is taken first, the other one ends it.
    #expect([130, 143].contains(result.status) && result.errors.isEmpty)
    #expect(TinyTraining.leftovers(run).isEmpty)
  }

  /// Whoever starts a command with SIGINT ignored does not want it stopped by one.
  @Test func anIgnoredSignalStaysIgnored() throws {
    let tool = try RunningTool(
      "/bin/bash",
      [
        "-c", "trap '' INT; exec \"$@\"", "bash",
        Tool.find("imprint").path(percentEncoded: false),
      ] + training.arguments(run, steps: 1_000_000, ["--quiet"]))
    tool.wait { TinyTraining.steps(run) >= 3 }
    tool.send(SIGINT)
    let seen = TinyTraining.steps(run)
    tool.wait { TinyTraining.steps(run) >= seen + 3 }
    tool.send(SIGTERM)
    #expect(tool.finish().status == 143)
  }

  @Test func aSecondRunOnAFolderIsRefused() throws {
    let first = try start()
    let second = try training.train(run, steps: 1_000_000, "--resume")
    #expect(second.status == 1)
    #expect(
      second.errors
        == "imprint: \(run): is in use by process \(first.process.processIdentifier)\n")
    first.send(SIGKILL)
    _ = first.finish()
    let third = try RunningTool(
      "imprint", training.arguments(run, steps: 1_000_000, ["--resume", "--quiet"]))
    let seen = TinyTraining.steps(run)
    third.wait { TinyTraining.steps(run) > seen + 3 }
    third.send(SIGTERM)
    #expect(third.finish().status == 143)
  }

  /// Stopped while they write: nothing is left, and what was there before is still there.
  @Test(arguments: ["convert", "data"]) func writersLeaveNothing(_ command: String) throws {
    let big = try BigModel(training.folder)
    let out = training.folder.file("out")
    let old = [UInt8]("old".utf8)
    var stopped = 0
    for round in 0..<20 where stopped < 3 {
      let tool: RunningTool
      switch command {
      case "convert":
        try training.folder.write(old, "out")
        tool = try RunningTool(
          "imprint-tools", ["convert", big.folder, out, "--level", "high", "--no-verify"])
        tool.wait { !TinyTraining.leftovers(training.folder.path).isEmpty }
      default:
        tool = try RunningTool(
          "imprint",
          [
            "data", "character-description", "--train", "900000", "--test", "10", "--out", out,
          ])
        tool.wait { !TinyTraining.leftovers(out).isEmpty }
      }
      usleep(UInt32(1000 * round))
      tool.send(SIGINT)
      let result = tool.finish()
      #expect(TinyTraining.leftovers(training.folder.path).isEmpty)
      guard result.status != 0 else { continue }
      stopped += 1
      #expect(result.status == 130)
      #expect(result.errors.hasSuffix("SIGINT: stopped, nothing is half-written\n"))
      if command == "convert" {
        #expect([UInt8](try Data(contentsOf: URL(filePath: out))) == old)
      } else {
        #expect(TinyTraining.leftovers(out).isEmpty)
      }
    }
    #expect(stopped > 0)
  }
}
