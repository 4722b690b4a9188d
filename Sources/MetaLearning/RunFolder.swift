import Foundation
import Llama
import LoRA
import Operations
import Optimizers
import Storage
public import Weights

/// What a run folder says of its run: `config.json`.
public struct RunDescription: Codable, Sendable {
  /// Version of the program that wrote it.
  public var version: String
  /// The weight file.
  public var model: String
  /// Its fingerprint.
  public var modelFingerprint: UInt32
  /// The task file, where there is one.
  public var data: String?
  /// A fingerprint of the tasks and texts in token ids.
  public var dataFingerprint: UInt64
  /// The text file of the language-model loss.
  public var lmData: String?
  /// The adapter that the run started from, where it was not a new one.
  public var startAdapter: String?
  /// What joins context and query in Prompt form.
  public var separator: String
  /// What was computed.
  public var training: TrainingConfiguration
  /// Threads: results have the same bits for the same number.
  public var threads: Int

  enum CodingKeys: String, CodingKey {
    case version, model
    case modelFingerprint = "model_fingerprint"
    case data
    case dataFingerprint = "data_fingerprint"
    case lmData = "lm_data"
    case startAdapter = "start_adapter"
    case separator, training, threads
  }

  /// All values.
  public init(
    version: String, model: String, modelFingerprint: UInt32, data: String?,
    dataFingerprint: UInt64, lmData: String?, startAdapter: String? = nil, separator: String,
    training: TrainingConfiguration, threads: Int
  ) {
    self.version = version
    self.model = model
    self.modelFingerprint = modelFingerprint
    self.data = data
    self.dataFingerprint = dataFingerprint
    self.lmData = lmData
    self.startAdapter = startAdapter
    self.separator = separator
    self.training = training
    self.threads = threads
  }
}

/// The folder of a run: `config.json`, `metrics.jsonl`, `checkpoint.safetensors` and the adapter in
/// PEFT's layout. Every file but the metrics appears whole or not at all.
public struct RunFolder: Sendable {
  /// Where it is.
  public let path: String

  /// The folder at `path`, which need not exist.
  public init(path: String) { self.path = path }

  private var configPath: String { path + "/config.json" }
  private var checkpointPath: String { path + "/checkpoint.safetensors" }
  private var metricsPath: String { path + "/metrics.jsonl" }

  /// Whether a run was started here.
  public var exists: Bool { FileManager.default.fileExists(atPath: configPath) }
  /// Whether there is something to resume.
  public var hasCheckpoint: Bool { FileManager.default.fileExists(atPath: checkpointPath) }

  /// Makes the folder and writes its description.
  ///
  /// Throws ``WeightError`` where it cannot be written.
  public func create(_ description: RunDescription) throws(WeightError) {
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
      let file = try AtomicFile(path: configPath)
      try file.append([UInt8](try encoder.encode(description)))
      try file.commit()
    } catch let error as FileError {
      throw WeightError(path: error.path, error.problem)
    } catch {
      throw WeightError(path: path, "cannot be made: \(error.localizedDescription)")
    }
  }

  /// What the folder says of its run. Throws ``WeightError`` where it is missing or damaged.
  public func description() throws(WeightError) -> RunDescription {
    guard let data = FileManager.default.contents(atPath: configPath) else {
      throw WeightError(path: configPath, "cannot be read: no run was started here")
    }
    do {
      return try JSONDecoder().decode(RunDescription.self, from: data)
    } catch {
      throw WeightError(path: configPath, "is not the configuration of a run")
    }
  }

  /// Appends a line to the metrics.
  public func append(_ metrics: StepMetrics) throws(WeightError) {
    do {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys]
      encoder.keyEncodingStrategy = .convertToSnakeCase
      let line = try encoder.encode(metrics) + Data([0x0a])
      if !FileManager.default.fileExists(atPath: metricsPath) {
        try Data().write(to: URL(filePath: metricsPath))
      }
      let handle = try FileHandle(forWritingTo: URL(filePath: metricsPath))
      try handle.seekToEnd()
      try handle.write(contentsOf: line)
      try handle.close()
    } catch {
      throw WeightError(path: metricsPath, "cannot be written: \(error.localizedDescription)")
    }
  }

  /// Drops metrics after `step`, which a resumed run writes again.
  public func trimMetrics(after step: Int) throws(WeightError) {
    guard let data = FileManager.default.contents(atPath: metricsPath) else { return }
    struct Row: Decodable { var step: Int }
    let kept = data.split(separator: 0x0a).filter {
      ((try? JSONDecoder().decode(Row.self, from: Data($0)))?.step ?? .max) <= step
    }
    do {
      let file = try AtomicFile(path: metricsPath)
      for line in kept { try file.append([UInt8](line) + [0x0a]) }
      try file.commit()
    } catch {
      throw WeightError(path: metricsPath, error.problem)
    }
  }

  /// Writes everything that the next step depends on: what is trained, moments and the step.
  public func checkpoint(_ trainer: Trainer) throws(WeightError) {
    let parts = trainer.state
    let writer = try SafetensorsWriter(
      path: checkpointPath,
      tensors: parts.map { .init(name: $0.0, shape: [$0.1.count]) },
      metadata: ["step": "\(trainer.step)"])
    for (_, values) in parts {
      try writer.append(
        UnsafeRawBufferPointer(start: values.pointer, count: values.count * 4))
    }
    try writer.finish()
  }

  /// Brings `trainer` to where its last checkpoint was.
  ///
  /// Throws ``WeightError`` where the checkpoint is damaged or of another adapter.
  public func restore(_ trainer: Trainer) throws(WeightError) {
    let file = try SafetensorsFile(path: checkpointPath)
    guard let step = file.metadata["step"].flatMap({ Int($0) }), step >= 0 else {
      throw WeightError(path: checkpointPath, "metadata 'step': expected a number")
    }
    for (name, target) in trainer.state {
      let tensor = try file.tensor(name)
      guard tensor.dtype == "F32", tensor.count == target.count else {
        throw WeightError(
          path: checkpointPath, "tensor '\(name)': expected \(target.count) F32 values")
      }
      UnsafeMutableRawPointer(target.pointer).copyMemory(
        from: file.bytes(tensor).baseAddress.unsafelyUnwrapped, byteCount: 4 * target.count)
    }
    trainer.resume(at: step)
  }

  /// Writes how memory is used, in bytes, as `memory.json`.
  ///
  /// Throws ``WeightError`` where it cannot be written.
  public func write(_ plan: MemoryPlan) throws(WeightError) {
    let path = path + "/memory.json"
    var parts = Dictionary(uniqueKeysWithValues: plan.ledger.map { ($0.key.rawValue, $0.value) })
    parts["process"] = plan.floor
    parts["total"] = plan.total
    do {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
      let file = try AtomicFile(path: path)
      try file.append([UInt8](try encoder.encode(parts)))
      try file.commit()
    } catch {
      throw WeightError(path: path, "cannot be written")
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
    if let dense = trainer.parameters.dense {
      _ = try dense.write(to: modelPath, like: base, type: type)
    } else {
      try AdapterFile.writeFolder(trainer.adapter, to: path, base: base.path)
    }
    let rates = trainer.meta.rates.byName
    if rates.isEmpty { return }
    do {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
      let file = try AtomicFile(path: ratesPath)
      try file.append([UInt8](try encoder.encode(rates)))
      try file.commit()
    } catch {
      throw WeightError(path: ratesPath, "cannot be written")
    }
  }

  /// Gives the learned inner rates to `rates`, where the run learned them.
  ///
  /// Throws ``WeightError`` where they are missing or of other tensors.
  public func readInnerRates<S>(into rates: InnerRates<S>) throws(WeightError) {
    if rates.names.isEmpty { return }
    guard let data = FileManager.default.contents(atPath: ratesPath),
      let values = try? JSONDecoder().decode([String: Double].self, from: data)
    else { throw WeightError(path: ratesPath, "expected the learned rate of every tensor") }
    if let name = rates.set(values) {
      throw WeightError(path: ratesPath, "'\(name)': expected one positive rate for each tensor")
    }
  }
}
