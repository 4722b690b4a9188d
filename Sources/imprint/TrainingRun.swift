import Foundation
import Llama
import LoRA
import MetaLearning
import Operations
import Optimizers
import Storage
import Weights

/// A run from its plan to its adapter: what `train` and `finetune` do alike.
struct TrainingRun {
  let options: TrainingOptions
  let session: Session
  let training: TrainingConfiguration
  let planner: MemoryPlanner
  /// The task file, where there is one.
  let data: String?
  /// Tasks as they are trained.
  let groups: [TaskGroup]
  let texts: [[Int32]]
  /// A fingerprint of the tasks and texts of the files.
  let fingerprint: UInt64
  /// The adapter to start from, and where it is.
  let start: (path: String, file: AdapterFile)?

  /// Plans and trains, or prints the plan where that is asked for.
  func run() throws {
    let sweep =
      training.finetuning.map { training.batchSize * max(1, $0.formsPerTask) }
      ?? training.batchSize
    let (plan, fits) = planner.best(budget: options.memory.bytes, batchSize: sweep)
    guard fits else { throw Problem("--memory: at least \(mebibytes(plan.total)) are needed") }
    if options.dryRun {
      print(text(of: plan))
      return
    }
    let folder = RunFolder(path: options.output)
    try prepare(folder)
    let arena = Arena()
    try folder.write(plan)
    let trainer = try Trainer(
      weights: session.weights, configuration: training, groups: groups, texts: texts, plan: plan,
      workers: session.workers, arena: arena)
    if options.resume {
      try folder.restore(trainer)
      try folder.trimMetrics(after: trainer.step)
    } else if let start {
      try start.file.read(into: trainer.adapter)
    }
    if !options.quiet { note(text(of: plan) + "\n") }
    try loop(trainer, folder)
  }

  private var description: RunDescription {
    RunDescription(
      version: Imprint.version, model: options.model,
      modelFingerprint: session.file.fingerprint, data: data, dataFingerprint: fingerprint,
      lmData: options.lmData, startAdapter: start?.path, separator: options.separator ?? "\n",
      training: training, threads: session.workers.count)
  }

  /// A new folder, or one whose run is the same as this.
  private func prepare(_ folder: RunFolder) throws {
    guard options.resume else {
      if folder.exists {
        throw Problem("\(folder.path): holds a run already: use --resume or another --output")
      }
      // What cannot be read shall leave no folder behind.
      if let start {
        let arena = Arena()
        let layout = AdapterLayout(training.adapter, architecture: session.architecture)
        try start.file.read(
          into: AdapterTensors<Float>(layout: layout, arena: arena, for: .adapter))
      }
      try folder.create(description)
      return
    }
    let (old, new) = (try folder.description(), description)
    guard folder.hasCheckpoint else { throw Problem("\(folder.path): has no checkpoint to resume") }
    if old.modelFingerprint != new.modelFingerprint {
      throw Problem("--resume: the run was trained on another model")
    }
    if (old.training.finetuning == nil) != (new.training.finetuning == nil) {
      let command = old.training.finetuning == nil ? "train" : "finetune"
      throw Problem("--resume: the run was started by imprint \(command)")
    }
    if old.dataFingerprint != new.dataFingerprint {
      throw Problem("--resume: the run was trained on other data")
    }
    if old.startAdapter != new.startAdapter {
      let path = old.startAdapter.map { "--adapter \($0)" } ?? "a new adapter"
      throw Problem("--resume: the run started from \(path)")
    }
    if old.training != new.training || old.lmData != new.lmData {
      throw Problem("--resume: the run has another configuration: see \(folder.path)/config.json")
    }
  }

  private func loop(_ trainer: Trainer, _ folder: RunFolder) throws {
    let total = training.schedule.totalSteps
    let start = ContinuousClock.now
    let first = trainer.step
    let unit = data == nil ? "texts" : "tasks"
    var line = ProgressLine(quiet: options.quiet)
    while trainer.step < total {
      let metrics = try trainer.advance()
      try folder.append(metrics)
      let elapsed = (ContinuousClock.now - start).seconds
      let done = trainer.step - first
      let items = Double(done * training.batchSize * training.contextsPerUpdate)
      let left = elapsed / Double(done) * Double(total - trainer.step)
      line.show(
        String(
          format: "step %d/%d  loss %.4f%@  grad %.3f  lr %.2g  %.2f %@/s  %@ left  RssAnon %@",
          metrics.step, total, metrics.outerLoss, parts(of: metrics), metrics.gradientNorm,
          metrics.learningRate, items / elapsed, unit, clock(left),
          mebibytes(metrics.anonymousBytes)),
        matters: metrics.step == total)
      if trainer.step % options.saveEvery == 0 || trainer.step == total {
        try folder.checkpoint(trainer)
      }
    }
    try folder.writeResult(of: trainer, base: session.file, type: options.saveType ?? .f32)
    line.finish()
    let result = options.outer == .full ? "model.imprint" : "adapter"
    if !options.quiet { print("\(options.output): \(trainer.step) steps, \(result) written") }
  }

  /// What the loss is made of, or what is trained beside it, where that says more.
  private func parts(of metrics: StepMetrics) -> String {
    let parts = [
      ("prompt", metrics.promptLoss), ("nc", metrics.ncLoss), ("lm", metrics.lmLoss),
    ].compactMap { name, loss in loss.map { String(format: "%@ %.4f", name, $0) } }
    let beside = training.finetuning == nil ? 0 : 1
    return parts.count <= beside ? "" : " (\(parts.joined(separator: ", ")))"
  }

  private func text(of plan: MemoryPlan) -> String {
    let parts = plan.ledger.sorted { $0.value > $1.value }.map {
      "\($0.key.rawValue) \(mebibytes($0.value))"
    }
    let count =
      options.outer == .full
      ? "all \(plan.ledger[.parameters, default: 0] / 4) parameters"
      : "\(planner.layout.count) adapter parameters"
    let keep = plan.keep
    var kept = "kept: activations of \(keep.activations) blocks"
    if training.finetuning == nil {
      kept += ", tangents of \(keep.tangents), gradients of \(keep.deltas)"
      if keep.head { kept += ", the logits' gradients" }
    }
    let sweep =
      training.finetuning == nil
      ? "up to \(plan.together) tasks" : "\(plan.limits.outerRows) tokens"
    return """
      plan: \(sweep) a sweep; \(kept); \(plan.logitRows) rows of logits at once; \(count)
      \(parts.joined(separator: ", ")), process \(mebibytes(plan.floor)): \
      \(mebibytes(plan.total)) in all
      """
  }
}

extension Duration {
  var seconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
