public import ArgumentParser
import Foundation
import Llama
import LoRA
import MetaLearning
import Operations
public import Optimizers
import Storage
import Text
import Weights

struct Train: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "Meta-train an adapter: one gradient step on a context shall do what its prompt does.",
    discussion: """
      Writes a run folder: the configuration, metrics as JSON Lines, a checkpoint, and the adapter \
      in PEFT's layout.

      Example: imprint train --model smollm2.imprint --data train.jsonl --output run \
      --batch-size 8 --steps 60 --prompt-weight 0.3
      """)

  @Option(help: "The weight file.")
  var model: String

  @Option(help: "Tasks as JSON Lines.")
  var data: String

  @Option(help: "The run folder.")
  var output: String

  @Option(
    help: "What the outer loop trains: lora (an adapter) or full (every parameter, in memory).")
  var outer: OuterStep = .lora

  @OptionGroup var method: MethodOptions

  @Option(help: "The outer loss: gold (the responses) or teacher (the prompted base).")
  var target: Target = .gold

  @Option(help: "The most tokens of a teacher's response (default: 16).")
  var teacherMaxTokens: Int?

  @Flag(
    help: """
      Learn an inner rate for every tensor that the inner step moves, starting at --inner-lr \
      (Meta-SGD).
      """)
  var learnInnerLr = false

  @Option(help: "Adam's learning rate for the logarithms of learned inner rates (default: 0.01).")
  var innerLrLr: Double?

  @Option(help: "How a full inner step's factors are stored: f32, or bf16 in half the memory.")
  var factorStorage: FactorStorage?

  @Option(help: "How --outer full writes model.imprint: f32 or bf16 (default: f32).")
  var saveType: WeightType?

  @Flag(help: "Leave out the Hessian product: half the time, another gradient.")
  var firstOrder = false

  @OptionGroup var adapter: AdapterOptions

  @Option(help: "Adam's learning rate.")
  var lr = 1e-3

  @Option(help: "Steps of linear rise of the learning rate.")
  var warmupSteps = 0

  @Option(help: "constant, linear or cosine.")
  var lrSchedule: LearningRateSchedule.Decay = .constant

  @Option(help: "Adam's weight decay.")
  var weightDecay = 0.0

  @Option(help: "Groups of tasks in a step.")
  var batchSize = 16

  @Option(help: "K: tasks that share one inner step.")
  var contextsPerUpdate = 1

  @Option(help: "Weight of the loss of the same tasks in Prompt form.")
  var promptWeight = 0.0

  @Option(help: "Plain text of the language-model loss.")
  var lmData: String?

  @Option(help: "λ: weight of the language-model loss.")
  var lmWeight = 0.0

  @Option(help: "Texts of the language-model loss in a step.")
  var lmBatchSize = 2

  @Option(help: "The most tokens of such a text.")
  var lmLength = 128

  @Option(help: "Bound of the gradient's norm; 0 for none.")
  var maxGradNorm = 1.0

  @Option(help: "Passes over the data (default: 1).")
  var epochs: Int?

  @Option(help: "Steps, instead of --epochs.")
  var steps: Int?

  @Option(help: "Decides the adapter's initialisation and the order of the tasks.")
  var seed: UInt64 = 0

  @Option(help: "What joins context and query in Prompt form.")
  var separator = "\n"

  @Option(help: "Memory to use, for example 512MiB or 25%.")
  var memory = ByteCount(bytes: 1 << 30)

  @Option(help: "Threads (default: all processors).")
  var threads: Int?

  @Option(help: "Steps between checkpoints.")
  var saveEvery = 50

  @Flag(help: "Go on from the run folder's checkpoint.")
  var resume = false

  @Flag(help: "Print the memory plan and stop.")
  var dryRun = false

  @Flag(name: .shortAndLong, help: "Print nothing but errors.")
  var quiet = false

  func validate() throws {
    try validateMethod()
    if epochs != nil, steps != nil {
      throw ValidationError("--epochs and --steps exclude each other.")
    }
    for (name, value) in [
      ("--epochs", epochs ?? 1), ("--steps", steps ?? 1), ("--batch-size", batchSize),
      ("--contexts-per-update", contextsPerUpdate), ("--lm-batch-size", lmBatchSize),
      ("--save-every", saveEvery), ("--threads", threads ?? 1),
      ("--teacher-max-tokens", teacherMaxTokens ?? 16),
    ] where value < 1 {
      throw ValidationError("\(name) must be positive.")
    }
    if !(lr > 0 && lr.isFinite) { throw ValidationError("--lr must be a positive number.") }
    for (name, value) in [
      ("--prompt-weight", promptWeight), ("--lm-weight", lmWeight),
      ("--max-grad-norm", maxGradNorm), ("--weight-decay", weightDecay),
    ] where !(value >= 0 && value.isFinite) {
      throw ValidationError("\(name) must not be negative.")
    }
    if warmupSteps < 0 { throw ValidationError("--warmup-steps must not be negative.") }
    if lmLength < 16 { throw ValidationError("--lm-length must be at least 16.") }
    if (lmWeight > 0) != (lmData != nil) {
      throw ValidationError("--lm-data and --lm-weight go together.")
    }
  }

  func run() throws {
    try reportingErrors {
      let session = try Session(model: model, threads: threads)
      let given = try session.groups(
        data, size: contextsPerUpdate, separator: separator, limit: nil)
      let groups = target == .teacher && !dryRun ? try taught(given, session) : given
      let texts = try lmData.map { try session.texts($0, length: lmLength, limit: nil) } ?? []
      let training = configuration(groups: groups.count)
      let layout = AdapterLayout(training.adapter, architecture: session.architecture)
      let planner = MemoryPlanner(
        weights: session.weights, layout: layout, configuration: training.meta, groups: groups,
        textRows: texts.map(\.count).max() ?? 0, prompts: promptWeight > 0 || target == .teacher,
        workers: session.workers, trains: true)
      let (plan, fits) = planner.best(budget: memory.bytes, batchSize: batchSize)
      guard fits else {
        throw Problem("--memory: at least \(mebibytes(plan.total)) are needed")
      }
      if dryRun {
        print(Self.text(of: plan, training, layout))
        return
      }
      let description = RunDescription(
        version: Imprint.version, model: model, modelFingerprint: session.file.fingerprint,
        data: data, dataFingerprint: fingerprint(given), lmData: lmData, separator: separator,
        training: training, threads: session.workers.count)
      let folder = RunFolder(path: output)
      try prepare(folder, description)
      let arena = Arena()
      try folder.write(plan)
      let trainer = try Trainer(
        weights: session.weights, configuration: training, groups: groups, texts: texts,
        plan: plan,
        workers: session.workers, arena: arena)
      if resume {
        try folder.restore(trainer)
        try folder.trimMetrics(after: trainer.step)
      }
      if !quiet { note(Self.text(of: plan, training, layout) + "\n") }
      try loop(trainer, folder, session.file)
    }
  }

  /// The tasks with the teacher's responses, decoded or from the cache beside the data.
  private func taught(_ groups: [TaskGroup], _ session: Session) throws -> [TaskGroup] {
    let maximumTokens = teacherMaxTokens ?? 16
    let key = String(
      format: "%08x-%016lx-%d", session.file.fingerprint, fingerprint(groups), maximumTokens)
    let cache = TeacherCache(path: "\(data).teacher-\(key).json", key: key)
    if let groups = cache.read(groups) { return groups }
    var stops = Set(session.architecture.eosTokenIds.map { Int32($0) })
    if let newline = session.tokenizer?.encode("\n").first { stops.insert(newline) }
    var line = ProgressLine(quiet: quiet)
    let result = try Teacher.respond(
      groups, weights: session.weights, workers: session.workers, maximum: maximumTokens,
      stops: stops, together: 16
    ) { done, total in line.show("teacher: \(done) of \(total)", matters: done == total) }
    line.finish()
    try cache.write(result)
    return result
  }

  private func configuration(groups: Int) -> TrainingConfiguration {
    var meta = method.configuration(nil)
    meta.outer = outer
    if outer == .full, method.inner == nil {
      meta.inner = .full
      meta.innerLearningRate = method.innerLr ?? 0.01
    }
    meta.learnsInnerRates = learnInnerLr
    meta.factorStorage = factorStorage ?? .f32
    meta.order = firstOrder ? .first : .second
    meta.target = target
    let total = steps ?? max(1, (epochs ?? 1) * groups / batchSize)
    return TrainingConfiguration(
      adapter: adapter.configuration, meta: meta,
      schedule: LearningRateSchedule(
        peak: lr, warmupSteps: warmupSteps, totalSteps: total, decay: lrSchedule),
      adam: .init(weightDecay: weightDecay), batchSize: batchSize,
      contextsPerUpdate: contextsPerUpdate, promptWeight: promptWeight, lmWeight: lmWeight,
      lmBatchSize: lmBatchSize, lmLength: lmLength,
      maxGradNorm: maxGradNorm == 0 ? nil : maxGradNorm,
      innerRateLearningRate: innerLrLr ?? 0.01, seed: seed)
  }

  /// A new folder, or one whose run is the same as this.
  private func prepare(_ folder: RunFolder, _ description: RunDescription) throws {
    guard resume else {
      if folder.exists {
        throw Problem("\(folder.path): holds a run already: use --resume or another --output")
      }
      try folder.create(description)
      return
    }
    let old = try folder.description()
    guard folder.hasCheckpoint else { throw Problem("\(folder.path): has no checkpoint to resume") }
    if old.modelFingerprint != description.modelFingerprint {
      throw Problem("--resume: the run was trained on another model")
    }
    if old.dataFingerprint != description.dataFingerprint {
      throw Problem("--resume: the run was trained on other tasks")
    }
    if old.training != description.training || old.lmData != description.lmData {
      throw Problem("--resume: the run has another configuration: see \(folder.path)/config.json")
    }
  }

  private func loop(_ trainer: Trainer, _ folder: RunFolder, _ base: WeightFile) throws {
    let total = trainer.configuration.schedule.totalSteps
    let start = ContinuousClock.now
    let first = trainer.step
    var line = ProgressLine(quiet: quiet)
    while trainer.step < total {
      let metrics = try trainer.advance()
      try folder.append(metrics)
      let elapsed = (ContinuousClock.now - start).seconds
      let done = trainer.step - first
      let tasks = Double(done * batchSize * contextsPerUpdate)
      let left = elapsed / Double(done) * Double(total - trainer.step)
      line.show(
        String(
          format:
            "step %d/%d  loss %.4f  grad %.3f  lr %.2g  %.2f tasks/s  %@ left  RssAnon %@",
          metrics.step, total, metrics.outerLoss, metrics.gradientNorm, metrics.learningRate,
          tasks / elapsed, clock(left), mebibytes(metrics.anonymousBytes)),
        matters: metrics.step == total)
      if trainer.step % saveEvery == 0 || trainer.step == total { try folder.checkpoint(trainer) }
    }
    try folder.writeResult(of: trainer, base: base, type: saveType ?? .f32)
    line.finish()
    let result = outer == .full ? "model.imprint" : "adapter"
    if !quiet { print("\(output): \(trainer.step) steps, \(result) written") }
  }

  private func validateMethod() throws {
    func refuse(
      _ flag: String, unless condition: Bool, _ other: String, verb: String = "goes"
    ) throws {
      if !condition { throw ValidationError("\(flag) \(verb) with \(other).") }
    }
    let isFull = method.inner == .full || outer == .full
    if outer == .full {
      try refuse("--outer full", unless: method.inner != .lora, "--inner full")
      try refuse(
        "--rank, --alpha, --target-modules and --rslora", unless: adapter.isDefault,
        "--outer lora", verb: "go")
    }
    if factorStorage != nil { try refuse("--factor-storage", unless: isFull, "--inner full") }
    if method.innerParameters != nil {
      try refuse("--inner-parameters", unless: isFull, "--inner full")
    }
    if (method.innerSteps ?? 1) > 1 {
      try refuse("--inner-steps above 1", unless: !isFull, "--inner lora")
    }
    if let saveType {
      try refuse("--save-type", unless: outer == .full, "--outer full")
      guard saveType == .f32 || saveType == .bf16 else {
        throw ValidationError("--save-type must be f32 or bf16.")
      }
    }
    if let innerLrLr {
      try refuse("--inner-lr-lr", unless: learnInnerLr, "--learn-inner-lr")
      guard innerLrLr > 0, innerLrLr.isFinite else {
        throw ValidationError("--inner-lr-lr must be a positive number.")
      }
    }
    if teacherMaxTokens != nil {
      try refuse("--teacher-max-tokens", unless: target == .teacher, "--target teacher")
    }
  }

  static func text(
    of plan: MemoryPlan, _ training: TrainingConfiguration, _ layout: AdapterLayout
  ) -> String {
    let count =
      training.meta.outer == .full
      ? "all \(plan.ledger[.parameters, default: 0] / 4) parameters"
      : "\(layout.count) adapter parameters"
    let parts = plan.ledger.sorted { $0.value > $1.value }.map {
      "\($0.key.rawValue) \(mebibytes($0.value))"
    }
    let keep = plan.keep
    return """
      plan: up to \(plan.together) tasks a sweep; \(keep.activations) blocks keep activations, \
      \(keep.tangents) tangents, \(keep.deltas) gradients\(keep.head ? ", the head its" : ""); \
      \(plan.logitRows) rows of logits; \(count)
      \(parts.joined(separator: ", ")), process \(mebibytes(plan.floor)): \
      \(mebibytes(plan.total)) in all
      """
  }
}

extension LearningRateSchedule.Decay: ExpressibleByArgument {}
extension FactorStorage: ExpressibleByArgument {}
extension WeightType: ExpressibleByArgument {
  /// Reads a label, for example `bf16`.
  init?(argument: String) {
    guard let type = WeightType.allCases.first(where: { $0.label == argument }) else { return nil }
    self = type
  }

  static var allValueStrings: [String] { [WeightType.f32.label, WeightType.bf16.label] }
}

extension Duration {
  var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
