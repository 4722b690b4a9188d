import Foundation
import MetaLearning
import Storage
import TestSupport
import Testing
import Watching

struct EventFileTests {
  let folder: TemporaryFolder
  let run: String

  init() throws {
    folder = try TemporaryFolder()
    run = folder.file("run")
    try FileManager.default.createDirectory(atPath: run, withIntermediateDirectories: true)
  }

  /// Metrics as `metrics.jsonl` has them.
  static func metrics(_ step: Int, loss: Double) throws -> StepMetrics {
    let text = """
      {"step": \(step), "outerLoss": \(loss), "innerLoss": 4.5, "lmLoss": 3, "skippedSteps": 0, "gradientNorm": 0.25, \
      "learningRate": 0.001, "seconds": 2, "anonymousBytes": 1073741824}
      """
    return try JSONDecoder().decode(StepMetrics.self, from: Data(text.utf8))
  }

  private func write(
    _ steps: ClosedRange<Int>, loss: Double, at time: Double = 1_700_000_000
  ) throws -> String {
    let file = try EventFile(folder: run, after: steps.lowerBound - 1, now: { time })
    for step in steps { try file.append(Self.metrics(step, loss: loss)) }
    return file.path
  }

  @Test func holdsWhatTheMetricsHold() throws {
    let path = try write(1...3, loss: 1.5)
    #expect(path.hasSuffix("/events.out.tfevents.1700000000.imprint"))
    let reader = try EventReader(path: path)
    #expect(reader.events.count == 4)
    #expect(
      reader.events[2]
        == .init(
          wallTime: 1_700_000_000, step: 2,
          scalars: [
            "loss/outer": 1.5, "loss/inner": 4.5, "loss/lm": 3, "step/skipped_steps": 0,
            "step/gradient_norm": 0.25,
            "step/learning_rate": 0.001, "step/seconds": 2, "memory/anonymous_mib": 1024,
          ]))
  }

  /// How every event file of TensorFlow begins: a version record of 24 bytes, and the checksum of
  /// its length.
  @Test func beginsAsTensorFlowsDo() throws {
    let bytes = [UInt8](try Data(contentsOf: URL(filePath: write(1...1, loss: 1))))
    #expect(bytes[..<13] == [0x18, 0, 0, 0, 0, 0, 0, 0, 0xa3, 0x7f, 0x4b, 0x22, 0x09])
    #expect(bytes[21..<36].elementsEqual([0x1a, 13] + "brain.Event:2".utf8))
  }

  @Test func aResumedRunGoesOnInTheSameFile() throws {
    let path = try write(1...5, loss: 1)
    #expect(try write(4...6, loss: 2, at: 1_700_000_100) == path)
    let shown = try EventReader(path: path).scalars("loss/outer")
    #expect(shown.map(\.step) == [1, 2, 3, 4, 5, 6])
    #expect(shown.map(\.value) == [1, 1, 1, 2, 2, 2])
  }

  @Test func aTornRecordIsCutOff() throws {
    let path = try write(1...3, loss: 1)
    let whole = try Data(contentsOf: URL(filePath: path))
    for lost in [1, 4, 5, 40] {
      try whole.dropLast(lost).write(to: URL(filePath: path))
      _ = try write(3...4, loss: 2)
      let shown = try EventReader(path: path).scalars("loss/outer")
      #expect(shown.map(\.value) == [1, 1, 2, 2], "\(lost) bytes lost")
    }
  }

  @Test func aDamagedRecordIsNamed() throws {
    let path = try write(1...3, loss: 1)
    var bytes = [UInt8](try Data(contentsOf: URL(filePath: path)))
    bytes[60] ^= 1
    try Data(bytes).write(to: URL(filePath: path))
    #expect {
      try write(4...4, loss: 1)
    } throws: {
      "\($0)".contains("record at byte 40") && "\($0)".contains(path)
    }
    #expect(try Data(contentsOf: URL(filePath: path)) == Data(bytes))
  }

  @Test func onlyWhereItIsWantedOrThereAlready() throws {
    #expect(try EventFile.open(run: run, wanted: false, after: 0) == nil)
    #expect(try FileManager.default.contentsOfDirectory(atPath: run).isEmpty)
    #expect(try EventFile.open(run: run, wanted: true, after: 0) != nil)
    #expect(try EventFile.open(run: run, wanted: false, after: 3) != nil)
    #expect(throws: FileError.self) { try EventFile(folder: folder.file("none"), after: 0) }
  }

  @Test func heldOutTasksHaveTheirOwnTags() throws {
    let text = """
      {"step": 20, "nc_nll": 7, "prompt_nll": 1, "ft_nll": 2, "nc_exact_match": 0, \
      "prompt_exact_match": 0.5, "ft_exact_match": 0.25, "inner_loss": 5, "seconds": 1}
      """
    let file = try EventFile(folder: run, after: 0)
    try file.append(try JSONDecoder().decode(HeldOutMetrics.self, from: Data(text.utf8)))
    let event = try #require(try EventReader(path: file.path).events.last)
    #expect(event.step == 20 && event.scalars["held_out/ft_nll"] == 2)
    #expect(event.scalars.count == 8)
  }

  @Test func lossesAreNumbersEvenWhereTheyAreNone() throws {
    let file = try EventFile(folder: run, after: 0)
    try file.append([("a", .nan), ("b", .infinity)], step: 1 << 40)
    let event = try #require(try EventReader(path: file.path).events.last)
    #expect(event.step == 1 << 40)
    #expect(event.scalars["a"]?.isNaN == true && event.scalars["b"] == .infinity)
  }
}

/// The same file through TensorBoard's own reader. `make tensorboard-check` installs it.
struct TensorBoardTests {
  static let python: String? = [
    ProcessInfo.processInfo.environment["TENSORBOARD_PYTHON"],
    Fixtures.root + ".venv-tensorboard/bin/python",
  ].compactMap { $0 }.first { FileManager.default.isExecutableFile(atPath: $0) }

  @Test(
    .enabled(
      if: python != nil, "TensorBoard is missing: make tensorboard-check installs it"))
  func readsWhatWasWritten() throws {
    let folder = try TemporaryFolder()
    let run = folder.file("run")
    try FileManager.default.createDirectory(atPath: run, withIntermediateDirectories: true)
    for steps in [1...5, 4...6] {
      let file = try EventFile(folder: run, after: steps.lowerBound - 1)
      for step in steps {
        try file.append(EventFileTests.metrics(step, loss: Double(10 * steps.lowerBound + step)))
      }
    }
    let process = Process()
    process.executableURL = URL(filePath: try #require(Self.python))
    process.arguments = [
      "-c",
      """
      import sys
      from tensorboard.backend.event_processing import event_accumulator
      log = event_accumulator.EventAccumulator(sys.argv[1]).Reload()
      for tag in sorted(log.Tags()["scalars"]):
          print(tag, *["%d:%g" % (row.step, row.value) for row in log.Scalars(tag)])
      """, run,
    ]
    let output = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    let lines = text.split(separator: "\n")
    #expect(lines.count == 8, "\(text)")
    #expect(lines.contains("loss/outer 1:11 2:12 3:13 4:44 5:45 6:46"), "\(text)")
    #expect(lines.contains { $0.hasPrefix("memory/anonymous_mib 1:1024 2:1024") })
  }
}
