import Foundation
public import Llama
import LoRA
import Optimizers
public import Weights

/// What a run is: written to `config.json` of its folder and into every checkpoint.
public struct RunDescription: Codable, Sendable {
  /// The part of the memory plan that results depend on, bit for bit.
  public struct Plan: Codable, Equatable, Sendable {
    /// Adapted models in one sweep.
    public var together: Int
    /// Blocks that keep activations, gradients and tangents, and whether the head keeps its own.
    public var activations: Int
    /// Gradients.
    public var deltas: Int
    /// Tangents.
    public var tangents: Int
    /// The gradient of the logits.
    public var head: Bool
    /// Scored rows whose logits are in memory at once.
    public var logitRows: Int

    enum CodingKeys: String, CodingKey {
      case together, activations, deltas, tangents, head
      case logitRows = "logit_rows"
    }

    /// What `plan` says.
    public init(_ plan: MemoryPlan) {
      together = plan.together
      activations = plan.keep.activations
      deltas = plan.keep.deltas
      tangents = plan.keep.tangents
      head = plan.keep.head
      logitRows = plan.logitRows
    }

    /// What is kept.
    public var keep: KeepPolicy {
      KeepPolicy(activations: activations, deltas: deltas, tangents: tangents, head: head)
    }
  }

  /// Version of the program that wrote it.
  public var version: String
  /// The weight file.
  public var model: String
  /// A digest of its content, 16 hexadecimal digits.
  public var modelFingerprint: String
  /// The task file, where there is one.
  public var data: String?
  /// A digest of the tasks in token ids.
  public var dataFingerprint: String
  /// The text file of the language-model loss.
  public var lmData: String?
  /// A digest of its pieces in token ids.
  public var lmDataFingerprint: String?
  /// The adapter that the run started from, where it was not a new one.
  public var startAdapter: String?
  /// A digest of what it started from: the adapter, and the inner rates that were gone on from.
  public var startAdapterFingerprint: String?
  /// Tokens of the longest context, where there are tasks.
  public var contextLength: Int?
  /// What joins context and query in Prompt form.
  public var separator: String
  /// The most tokens of a teacher's response, where there is a teacher.
  public var teacherMaxTokens: Int?
  /// What was computed.
  public var training: TrainingConfiguration
  /// How: results have the same bits for the same plan. Nil in runs of versions before there was one,
  /// which cannot be resumed.
  public var plan: Plan?
  /// Threads: results have the same bits for the same number.
  public var threads: Int

  enum CodingKeys: String, CodingKey {
    case version, model
    case modelFingerprint = "model_fingerprint"
    case data
    case dataFingerprint = "data_fingerprint"
    case lmData = "lm_data"
    case lmDataFingerprint = "lm_data_fingerprint"
    case startAdapter = "start_adapter"
    case startAdapterFingerprint = "start_adapter_fingerprint"
    case contextLength = "context_length"
    case separator
    case teacherMaxTokens = "teacher_max_tokens"
    case training, plan, threads
  }

  /// All values.
  public init(
    version: String, model: String, modelFingerprint: String, data: String?,
    dataFingerprint: String, lmData: String? = nil, lmDataFingerprint: String? = nil,
    startAdapter: String? = nil, startAdapterFingerprint: String? = nil,
    contextLength: Int? = nil, separator: String,
    teacherMaxTokens: Int? = nil, training: TrainingConfiguration, plan: Plan, threads: Int
  ) {
    self.version = version
    self.model = model
    self.modelFingerprint = modelFingerprint
    self.data = data
    self.dataFingerprint = dataFingerprint
    self.lmData = lmData
    self.lmDataFingerprint = lmDataFingerprint
    self.startAdapter = startAdapter
    self.startAdapterFingerprint = startAdapterFingerprint
    self.contextLength = contextLength
    self.separator = separator
    self.teacherMaxTokens = teacherMaxTokens
    self.training = training
    self.plan = plan
    self.threads = threads
  }

  /// Reads what ``json(path:)`` gives. Throws ``WeightError`` naming the field.
  static func read(json: Data, path: String) throws(WeightError) -> RunDescription {
    var problem = "is not the configuration of a run"
    do {
      let run = try JSONDecoder().decode(RunDescription.self, from: json)
      if let value = run.impossibleValue() { problem = value } else { return run }
    } catch DecodingError.keyNotFound(let key, let context) {
      let name = (context.codingPath + [key]).map(\.stringValue).joined(separator: ".")
      problem += ": '\(name)' is missing"
    } catch DecodingError.typeMismatch(_, let context) where !context.codingPath.isEmpty {
      let name = context.codingPath.map(\.stringValue).joined(separator: ".")
      problem += ": '\(name)' is wrong"
    } catch {}
    throw WeightError(path: path, problem)
  }

  /// What is wrong with a field whose value no run can have.
  private func impossibleValue() -> String? {
    let upper = 1 << 30
    let fields: [(name: String, value: Int, least: Int, most: Int)] =
      [
        ("rank", training.adapter.rank, 1, 65536),
        ("inner steps", training.meta.innerSteps, 1, training.meta.inner == .full ? 1 : 64),
        ("batch size", training.batchSize, 1, upper),
        ("contexts per update", training.contextsPerUpdate, 1, upper),
        ("queries per context", training.queriesPerContext ?? 1, 1, upper),
        ("lm batch size", training.lmBatchSize, 1, upper),
        ("lm length", training.lmLength, 2, upper),
        ("total steps", training.schedule.totalSteps, 0, 1 << 40),
        ("warmup steps", training.schedule.warmupSteps, 0, 1 << 40),
        ("threads", threads, 1, 4096),
        ("teacher_max_tokens", teacherMaxTokens ?? 1, 1, upper),
        ("context_length", contextLength ?? 1, 1, upper),
      ] + training.adapter.rankPattern.values.map { ("rank pattern", $0, 1, 65536) }
      + (plan.map {
        [
          ("plan.together", $0.together, 1, upper), ("plan.activations", $0.activations, 0, upper),
          ("plan.deltas", $0.deltas, 0, upper), ("plan.tangents", $0.tangents, 0, upper),
          ("plan.logit_rows", $0.logitRows, 1, upper),
        ]
      } ?? [])
    for field in fields where field.value < field.least || field.value > field.most {
      return "\(field.name): expected \(field.least) to \(field.most), found \(field.value)"
    }
    return nil
  }

  /// The description as JSON with sorted keys.
  func json(path: String) throws(WeightError) -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do {
      return String(decoding: try encoder.encode(self), as: UTF8.self)
    } catch {
      throw WeightError(path: path, "the configuration has a number that is not finite")
    }
  }

  /// What is different in `other`, a line for each field that decides results: `field old → new`.
  ///
  /// Files may have moved: they are compared by their digests.
  public func differences(from other: RunDescription) throws(WeightError) -> [String] {
    var (old, new) = (try flattened(), try other.flattened())
    if startAdapter != nil, startAdapterFingerprint == nil {
      // Of earlier versions, which wrote no digest: where the adapter was is all that is known.
      (old["start_adapter"], new["start_adapter"]) = (startAdapter, other.startAdapter)
      new["start_adapter_fingerprint"] = nil
    }
    // In plain fine-tuning there is no inner step; its rate was another one before.
    if training.finetuning != nil {
      let rate = "training.meta.innerLearningRate"
      new[rate] = old[rate]
    }
    return Set(old.keys).union(new.keys).sorted().compactMap { key in
      let (before, after) = (old[key] ?? "none", new[key] ?? "none")
      return before == after ? nil : "\(key) \(before) → \(after)"
    }
  }

  /// Fields by their path, as JSON.
  private func flattened() throws(WeightError) -> [String: String] {
    let text = try json(path: "configuration")
    var fields: [String: String] = [:]
    func add(_ value: Any, _ path: String) {
      guard let object = value as? [String: Any] else {
        let data = try? JSONSerialization.data(
          withJSONObject: value, options: [.fragmentsAllowed, .withoutEscapingSlashes])
        fields[path] = data.map { String(decoding: $0, as: UTF8.self) } ?? "?"
        return
      }
      for (key, value) in object { add(value, path.isEmpty ? key : path + "." + key) }
    }
    add((try? JSONSerialization.jsonObject(with: Data(text.utf8))) ?? [:], "")
    for moved in ["version", "model", "data", "lm_data", "start_adapter"] { fields[moved] = nil }
    return fields
  }
}
