import Foundation
import Llama
import LoRA
public import Storage
public import Weights

/// The folder of a run: `config.json`, `metrics.jsonl`, the last checkpoints and the adapter in
/// PEFT's layout. Every file but the metrics appears whole or not at all.
public struct RunFolder: Sendable {
  /// Where it is.
  public let path: String

  /// The folder at `path`, which need not exist.
  public init(path: String) { self.path = path }

  private var configPath: String { path + "/config.json" }
  private var metricsPath: String { path + "/metrics.jsonl" }
  private var heldOutPath: String { path + "/held_out.jsonl" }

  /// Whether a run was started here.
  public var exists: Bool { FileManager.default.fileExists(atPath: configPath) }

  /// The run whose result the adapter at `path` is; nil where it is none, such as an adapter of PEFT's
  /// beside another `config.json`.
  ///
  /// Throws ``WeightError`` where the run's description is damaged.
  public static func behind(
    adapter path: String
  ) throws(WeightError) -> (folder: RunFolder, description: RunDescription)? {
    let folder = RunFolder(path: path)
    guard let data = MappedFile.contents(folder.configPath) else { return nil }
    struct Model: Decodable { var model_type: String }
    if (try? JSONDecoder().decode(Model.self, from: Data(data))) != nil { return nil }
    return (folder, try RunDescription.read(json: Data(data), path: folder.configPath))
  }

  /// Whether there is a folder at all.
  public var isThere: Bool { FileManager.default.fileExists(atPath: path) }

  /// Makes the folder and writes its description.
  ///
  /// Throws ``WeightError`` where it cannot be written.
  public func create(_ description: RunDescription) throws(WeightError) {
    try makeFolder()
    try write(json: description, to: configPath)
  }

  /// Takes the folder, which is made where it is missing, as long as the result is kept, and removes
  /// what killed runs have left behind.
  ///
  /// Throws ``WeightError`` naming the process that works in it, or where it cannot be written.
  public func lock() throws(WeightError) -> FolderLock {
    try makeFolder()
    do {
      let lock = try FolderLock(folder: path)
      AtomicFile.removeLeftovers(in: path)
      return lock
    } catch {
      throw WeightError(path: error.path, error.problem)
    }
  }

  func makeFolder() throws(WeightError) {
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      throw WeightError(path: path, "cannot be made: \(reason(error))")
    }
  }

  /// What the folder says of its run. Throws ``WeightError`` where it is missing or damaged.
  public func description() throws(WeightError) -> RunDescription {
    guard let data = MappedFile.contents(configPath) else {
      throw WeightError(path: configPath, "cannot be read: no run was started here")
    }
    return try RunDescription.read(json: Data(data), path: configPath)
  }

  // MARK: Metrics

  /// Appends a line to the metrics, in one piece. Throws ``WeightError`` where it cannot.
  public func append(_ metrics: StepMetrics) throws(WeightError) {
    try append(metrics, to: metricsPath)
  }

  /// Appends what held-out tasks gave to `held_out.jsonl`.
  ///
  /// Throws ``WeightError`` where it cannot be written.
  public func append(_ metrics: HeldOutMetrics) throws(WeightError) {
    try append(metrics, to: heldOutPath)
  }

  /// The last step after which held-out tasks were evaluated; nil where none was.
  public var lastHeldOutStep: Int? {
    MappedFile.contents(heldOutPath)?.split(separator: 0x0a).last.flatMap(Self.step)
  }

  private func append(_ row: some Encodable, to path: String) throws(WeightError) {
    do {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys]
      encoder.keyEncodingStrategy = .convertToSnakeCase
      // Of a step that was skipped; JSON has no such numbers.
      encoder.nonConformingFloatEncodingStrategy = .convertToString(
        positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
      let line = try encoder.encode(row) + Data([0x0a])
      try AppendedFile.append([UInt8](line), to: path)
    } catch {
      throw WeightError(path: path, (error as? FileError)?.problem ?? "a number is not finite")
    }
  }

  /// Drops the rows of both logs after `step`, which are written again.
  ///
  /// Throws ``WeightError`` where they cannot be written.
  public func trimMetrics(after step: Int) throws(WeightError) {
    for path in [metricsPath, heldOutPath] { try trim(path, after: step) }
  }

  private func trim(_ path: String, after step: Int) throws(WeightError) {
    guard let data = MappedFile.contents(path) else { return }
    let kept = data.split(separator: 0x0a).filter { Self.step($0) ?? .max <= step }
    do {
      try AtomicFile.write(kept.flatMap { [UInt8]($0) + [0x0a] }, to: path)
    } catch {
      throw WeightError(path: path, error.problem)
    }
  }

  /// The step that a row of either log is of.
  private static func step(_ row: some Collection<UInt8>) -> Int? {
    (try? JSONDecoder().decode(Row.self, from: Data(row)))?.step
  }

  private struct Row: Decodable { var step: Int }

  // MARK: Checkpoints

  private func checkpointPath(_ step: Int) -> String {
    let digits = String(step)
    let zeros = String(repeating: "0", count: max(0, 8 - digits.count))
    return "\(path)/checkpoint-\(zeros)\(digits).safetensors"
  }

  /// The steps of which there are checkpoints, the latest first.
  public var checkpointSteps: [Int] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
    return names.compactMap { name in
      guard name.hasPrefix("checkpoint-"), name.hasSuffix(".safetensors") else { return nil }
      let digits = name.dropFirst(11).dropLast(12)
      guard digits.count >= 8, digits.allSatisfy({ $0.isASCII && $0.isNumber }) else { return nil }
      return Int(digits)
    }.sorted(by: >)
  }

  /// The latest checkpoint that is whole, or nil where there is none at all.
  ///
  /// `passedOver` is told of later ones that are damaged. Throws ``WeightError`` where all are.
  public func latestCheckpoint(
    passedOver: (WeightError) -> Void = { _ in }
  ) throws(WeightError) -> Checkpoint? {
    var problems: [WeightError] = []
    for step in checkpointSteps {
      do throws(WeightError) {
        let checkpoint = try Checkpoint(path: checkpointPath(step))
        problems.forEach(passedOver)
        return checkpoint
      } catch {
        problems.append(error)
      }
    }
    if let latest = problems.first { throw latest }
    return nil
  }

  /// Writes everything that the next step depends on, and removes all but the latest `keep`.
  ///
  /// Throws ``WeightError`` where it cannot be written; then the older checkpoints are as they were.
  public func checkpoint(
    _ trainer: Trainer, run: RunDescription, keep: Int = 2
  ) throws(WeightError) {
    let path = checkpointPath(trainer.step)
    try Checkpoint.write(trainer.state, numbers: trainer.numbers, run: run, to: path)
    // Later ones were damaged and passed over, or this would be later still.
    for step in checkpointSteps where step > trainer.step { removeCheckpoint(step) }
    removeCheckpoints(butLast: keep, until: trainer.step)
  }

  /// Removes all checkpoints up to `step` but the last `keep`: a process that was killed may have had
  /// no time to.
  public func removeCheckpoints(butLast keep: Int, until step: Int) {
    for step in checkpointSteps.filter({ $0 <= step }).dropFirst(max(keep, 1)) {
      removeCheckpoint(step)
    }
  }

  private func removeCheckpoint(_ step: Int) {
    try? FileManager.default.removeItem(atPath: checkpointPath(step))
  }

  /// Writes how memory is used, in bytes, as `memory.json`.
  ///
  /// Throws ``WeightError`` where it cannot be written.
  public func write(_ plan: MemoryPlan) throws(WeightError) {
    try write(json: plan.bytes, to: path + "/memory.json")
  }

  private func write(json value: some Encodable, to path: String) throws(WeightError) {
    do {
      try AtomicFile.write(json: value, to: path)
    } catch {
      throw WeightError(path: path, error.problem)
    }
  }

  /// Where every parameter of a run with a full outer loop is.
  public var modelPath: String { path + "/model.imprint" }
  private var ratesPath: String { path + "/inner_rates.json" }

  /// Writes what was trained: the adapter in PEFT's layout, or `model.imprint` with every parameter
  /// as `type`; and `inner_rates.json` where the inner rates were learned.
  ///
  /// Throws ``WeightError`` where a file cannot be written.
  public func writeResult(
    of trainer: Trainer, base: WeightFile, type: WeightType = .f32
  ) throws(WeightError) {
    // An adapter without its rates could not be used.
    let rates = trainer.meta.rates.byName
    if !rates.isEmpty { try write(json: rates, to: ratesPath) }
    if let dense = trainer.parameters.dense {
      _ = try dense.write(to: modelPath, like: base, type: type)
    } else {
      try AdapterFile.writeFolder(trainer.adapter, to: path, base: base.path)
    }
  }

  /// The learned inner rates by tensor. Throws ``WeightError`` where there are none.
  public func innerRates() throws(WeightError) -> [String: Double] {
    guard let data = MappedFile.contents(ratesPath),
      let values = try? JSONDecoder().decode([String: Double].self, from: Data(data))
    else { throw WeightError(path: ratesPath, "expected the learned rate of every tensor") }
    return values
  }

  /// Gives the learned inner rates to `rates`, where the run learned them.
  ///
  /// Throws ``WeightError`` where they are missing or of other tensors.
  public func readInnerRates<S>(into rates: InnerRates<S>) throws(WeightError) {
    if rates.names.isEmpty { return }
    if let name = rates.set(try innerRates()) {
      throw WeightError(path: ratesPath, "'\(name)': expected one positive rate for each tensor")
    }
  }
}

/// Why Foundation could not do something with a file.
private func reason(_ error: any Error) -> String {
  // Foundation keeps no error number of this one.
  if (error as? CocoaError)?.code == .fileWriteVolumeReadOnly {
    return String(cString: strerror(EROFS))
  }
  let underlying = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError
  return (underlying.map { String(cString: strerror(Int32($0.code))) })
    ?? error.localizedDescription
}
