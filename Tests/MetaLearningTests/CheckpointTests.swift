import Foundation
import LoRA
import MetaLearning
import Optimizers
import Storage
import TestSupport
import Testing
import Weights

@Suite struct CheckpointTests {
  let folder: TemporaryFolder
  let run: RunFolder

  init() throws {
    folder = try TemporaryFolder()
    run = RunFolder(path: folder.path)
  }

  static func description(_ trainer: Trainer) -> RunDescription {
    RunDescription(
      version: "0", model: "tiny", modelFingerprint: "01", data: "t", dataFingerprint: "02",
      separator: "\n", training: trainer.configuration, plan: .init(trainer.plan), threads: 2)
  }

  private func save(_ trainer: Trainer, keep: Int = 2) throws {
    try run.checkpoint(trainer, run: Self.description(trainer), keep: keep)
  }

  private func latest() throws -> Checkpoint { try #require(try run.latestCheckpoint()) }

  @Test func aResumedRunGivesTheSameBits() throws {
    let straight = try TrainerTests.trainer()
    for _ in 0..<6 { _ = try straight.advance() }
    let first = try TrainerTests.trainer()
    for _ in 0..<3 { _ = try first.advance() }
    try save(first)
    let second = try TrainerTests.trainer()
    try second.restore(try latest())
    #expect(second.step == 3)
    while second.step < 6 { _ = try second.advance() }
    for (a, b) in zip(second.state, straight.state) {
      #expect(a.name == b.name && a.values.elements == b.values.elements)
    }
    #expect(second.numbers == straight.numbers)
  }

  @Test func theLastOnesAreKept() throws {
    let trainer = try TrainerTests.trainer()
    for _ in 0..<4 {
      _ = try trainer.advance()
      try save(trainer, keep: 2)
    }
    #expect(run.checkpointSteps == [4, 3])
    _ = try trainer.advance()
    try save(trainer, keep: 1)
    #expect(run.checkpointSteps == [5])
    #expect(folder.names == ["checkpoint-00000005.safetensors"])
  }

  /// Every byte counts: whatever is changed or cut off, the file is refused and the one before it
  /// taken.
  @Test func aDamagedCheckpointIsPassedOver() throws {
    let trainer = try TrainerTests.trainer()
    for _ in 0..<2 {
      _ = try trainer.advance()
      try save(trainer)
    }
    let path = folder.file("checkpoint-00000002.safetensors")
    let whole = [UInt8](try Data(contentsOf: URL(filePath: path)))
    var random = SplitMix64(seed: 5)
    for round in 0..<300 {
      var bytes = whole
      // The first 1,500 bytes are the header: look there most closely.
      let range = round % 2 == 0 ? min(1500, bytes.count) : bytes.count
      let place = Int(random.next() % UInt64(range))
      if round % 10 == 9 {
        bytes.removeLast(1 + place)
      } else {
        bytes[place] ^= 1 << UInt8(random.next() % 8)
      }
      try folder.write(bytes, "checkpoint-00000002.safetensors")
      var passed = 0
      let taken = try run.latestCheckpoint { _ in passed += 1 }
      // A space of the header's padding may become another white space and no more.
      let step = try #require(try taken?.count("step"))
      #expect(step == 1 && passed == 1 || step == 2 && bytes[place] <= 0x20, "byte \(place)")
    }
    try folder.write(Array(whole.dropLast()), "checkpoint-00000001.safetensors")
    try folder.write(Array(whole.dropLast()), "checkpoint-00000002.safetensors")
    #expect(throws: WeightError.self) { try run.latestCheckpoint() }
  }

  /// What was passed over goes once there is something better.
  @Test func aDamagedCheckpointIsReplaced() throws {
    let trainer = try TrainerTests.trainer()
    for _ in 0..<2 {
      _ = try trainer.advance()
      try save(trainer)
    }
    try folder.write([1, 2, 3], "checkpoint-00000009.safetensors")
    let second = try TrainerTests.trainer()
    try second.restore(try latest())
    _ = try second.advance()
    try save(second, keep: 1)
    #expect(run.checkpointSteps == [3])
  }

  @Test func valuesThatAreNotFiniteAreNotWritten() throws {
    let trainer = try TrainerTests.trainer()
    _ = try trainer.advance()
    try save(trainer)
    _ = try trainer.advance()
    trainer.adapter.flat.pointer[3] = .infinity
    #expect(throws: WeightError.self) { try save(trainer) }
    #expect(run.checkpointSteps == [1] && folder.names.count == 1)
  }

  @Test func anotherAdapterIsRefused() throws {
    let trainer = try TrainerTests.trainer()
    try save(trainer)
    let arena = Arena()
    let small: Matrix<Float> = arena.matrix(1, 5, for: .adapter)
    let error = #expect(throws: WeightError.self) { try latest().read("adapter", into: small) }
    #expect(error?.problem.contains("tensor 'adapter': expected 5 values") == true)
    #expect(throws: WeightError.self) { try latest().read("nothing", into: small) }
    #expect(throws: WeightError.self) { try latest().count("nothing") }
  }

  @Test func differencesAreNamed() throws {
    let first = Self.description(try TrainerTests.trainer())
    var second = first
    #expect(try first.differences(from: second).isEmpty)
    second.model = "moved"
    second.version = "1"
    #expect(try first.differences(from: second).isEmpty)
    second.modelFingerprint = "ff"
    second.training.seed = 9
    second.training.schedule.peak = 0.25
    second.lmDataFingerprint = "03"
    second.threads = 4
    #expect(
      try first.differences(from: second) == [
        "lm_data_fingerprint none → \"03\"", "model_fingerprint \"01\" → \"ff\"", "threads 2 → 4",
        "training.schedule.peak 0.01 → 0.25", "training.seed 4 → 9",
      ])
  }

  /// Names that a reader does not know stay where they are: others may add theirs.
  @Test func tensorsAndNumbersAreFoundByName() throws {
    let trainer = try TrainerTests.trainer()
    let arena = Arena()
    let values: Matrix<Float> = arena.matrix(1, 4, for: .adapter)
    for index in 0..<4 { values.pointer[index] = Float(index) / 3 }
    let path = folder.file("c.safetensors")
    try Checkpoint.write(
      [("inner rates", values)] + trainer.state, numbers: ["a": 0.1, "b": 1e300],
      run: Self.description(trainer), to: path)
    let back = try Checkpoint(path: path)
    let copy: Matrix<Float> = arena.matrix(1, 4, for: .adapter)
    try back.read("inner rates", into: copy)
    #expect(copy.elements == values.elements)
    #expect(back.numbers == ["a": 0.1, "b": 1e300])
    #expect(back.run.training == trainer.configuration)
  }
}
