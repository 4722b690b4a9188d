import Foundation
import Invocation
import Llama
import LoRA
import MetaLearning
import Operations
import Optimizers
import Storage
import Text
import Watching
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
  /// Tasks that are evaluated now and then.
  let heldOut: HeldOutTasks?
  /// The most tokens of a teacher's response, where there is a teacher.
  let teacherMaxTokens: Int?
  /// The adapter to start from.
  let start: AdapterStart?

  /// Plans and trains, or prints the plan where that is asked for.
  func run(_ begin: TrainingStart) throws {
    let (plan, fits) = plan(as: begin.old?.plan)
    guard fits else { throw Problem("--memory: at least \(mebibytes(plan.total)) are needed") }
    if options.verbose { note(session.summary(data, groups, texts)) }
    if options.dryRun {
      try printPlan(plan)
      return
    }
    // What cannot be read leaves no folder behind.
    let description = description(plan, startFingerprint: try startFingerprint())
    if let old = begin.old { try compare(old, description) }
    let lock = try begin.lock ?? begin.folder.lock()
    defer { withExtendedLifetime(lock) {} }
    if begin.folder.exists && !options.resume { throw TrainingStart.taken(begin.folder) }
    if !begin.folder.exists {
      try begin.folder.create(description)
      try ConfigOptions.write(to: begin.folder.path + "/run.yaml")
    }
    let arena = Arena()
    try begin.folder.write(plan)
    let trainer = try Trainer(
      weights: session.weights, configuration: training, groups: groups, texts: texts, plan: plan,
      workers: session.workers, arena: arena)
    trainer.maxSkippedSteps = options.maxSkippedSteps
    if let checkpoint = begin.checkpoint {
      try trainer.restore(checkpoint)
      begin.folder.removeCheckpoints(butLast: options.keepCheckpoints, until: trainer.step)
    } else if let start {
      try start.file.read(into: trainer.adapter)
      try start.rates?.run.readInnerRates(into: trainer.meta.rates)
    }
    if options.resume { try begin.folder.trimMetrics(after: trainer.step) }
    if !options.quiet {
      note(text(of: plan))
      if !groups.isEmpty, training.batchSize > groups.count {
        note(
          "--batch-size: \(training.batchSize) of \(groups.count): a step takes some more than once"
        )
      }
    }
    try loop(trainer, begin.folder, description)
  }

  /// The plan of the run that is resumed, or the best one.
  private func plan(as old: RunDescription.Plan?) -> (plan: MemoryPlan, fits: Bool) {
    let size = training.batchSize * max(1, training.finetuning?.formsPerTask ?? 1)
    guard let old else { return planner.best(budget: options.memory.bytes, batchSize: size) }
    let plan = planner.plan(
      together: old.together, keep: old.keep, logitRows: old.logitRows, batchSize: size)
    // What the process takes besides is measured, and not the same twice.
    return (plan, plan.total <= options.memory.bytes + options.memory.bytes / 4)
  }

  private func description(_ plan: MemoryPlan, startFingerprint: String?) -> RunDescription {
    RunDescription(
      version: Program.version, model: options.model,
      modelFingerprint: "\(session.file.fingerprint)", data: data,
      dataFingerprint: "\(fingerprint(groups))", lmData: options.lmData,
      lmDataFingerprint: options.lmData == nil ? nil : "\(fingerprint([], texts))",
      startAdapter: start?.path, startAdapterFingerprint: startFingerprint,
      contextLength: groups.flatMap(\.triplets).map(\.context.count).max(),
      separator: options.separator ?? "\n",
      teacherMaxTokens: teacherMaxTokens, training: training, plan: .init(plan),
      threads: session.workers.count)
  }

  /// Refuses to go on with another run than the folder's.
  private func compare(_ old: RunDescription, _ new: RunDescription) throws {
    if (old.training.finetuning == nil) != (new.training.finetuning == nil) {
      let command = old.training.finetuning == nil ? "train" : "finetune"
      throw Problem("--resume: the run was started by imprint \(command)")
    }
    let differences = try old.differences(from: new)
    guard differences.isEmpty else {
      throw Problem(
        "--resume: the run of \(options.output) has another configuration: "
          + differences.joined(separator: ", "))
    }
  }

  /// A digest of what is started from, where there is something.
  private func startFingerprint() throws -> String? {
    guard let start else { return nil }
    let layout = AdapterLayout(training.adapter, architecture: session.architecture)
    let adapter = AdapterTensors<Float>(layout: layout, arena: Arena(), for: .adapter)
    try start.file.read(into: adapter)
    var digest = Digest()
    withExtendedLifetime(adapter) {
      digest.update(UnsafeRawBufferPointer(start: adapter.flat.pointer, count: 4 * layout.count))
    }
    for (name, rate) in try start.rates?.run.innerRates().sorted(by: { $0.key < $1.key }) ?? [] {
      digest.update("\(name) \(rate)\n")
    }
    return "\(digest)"
  }

  private func loop(
    _ trainer: Trainer, _ folder: RunFolder, _ description: RunDescription
  ) throws {
    var line = ProgressLine(quiet: options.quiet, verbose: options.verbose)
    func save() throws {
      try folder.checkpoint(trainer, run: description, keep: options.keepCheckpoints)
    }
    var last: StepMetrics?
    do {
      last = try steps(trainer, folder, &line, save)
      guard trainer.step == 0 || trainer.skippedSteps < trainer.step else {
        throw Problem(
          "nothing was learnt: not one of \(trainer.step) steps had a finite loss and gradient")
      }
      try folder.writeResult(of: trainer, base: session.file, type: options.saveType ?? .f32)
      try responseEnd?.write(to: folder.path)
    } catch {
      line.finish()
      guard Interruption.isCause(of: error) else { throw error }
      Interruption.acknowledge()
      try save()
      throw Interrupted(
        "\(Interruption.name): checkpoint of step \(trainer.step) written, --resume goes on")
    }
    line.finish()
    try printResult(last, steps: trainer.step)
  }

  /// Where the responses end that are trained, if they all end alike.
  private var responseEnd: GenerationEnd? {
    guard let tokenizer = session.tokenizer else { return nil }
    return GenerationEnd(
      ofResponses: groups.flatMap(\.triplets).map {
        tokenizer.decodeBytes($0.response, skipSpecialTokens: true)
      })
  }

  private func steps(
    _ trainer: Trainer, _ folder: RunFolder, _ line: inout ProgressLine, _ save: () throws -> Void
  ) throws -> StepMetrics? {
    var last: StepMetrics?
    let total = training.schedule.totalSteps
    let first = trainer.step
    let events = try EventFile.open(
      run: folder.path, wanted: options.tensorboard, after: first)
    let unit = data == nil ? "texts" : "tasks"
    let itemsPerGroup =
      groups.isEmpty
      ? 1 : Double(groups.reduce(0) { $0 + $1.triplets.count }) / Double(groups.count)
    var scores = ""
    func evaluate() throws {
      guard let heldOut, heldOut.isTime(trainer.step, of: total) else { return }
      let metrics = try trainer.evaluate(heldOut.groups)
      try folder.append(metrics)
      try events?.append(metrics)
      scores = text(of: metrics)
    }
    // Before the first step, or what was interrupted after the last one.
    if folder.lastHeldOutStep != first { try evaluate() }
    let start = ContinuousClock.now
    while trainer.step < total {
      let metrics = try trainer.advance()
      last = metrics
      try folder.append(metrics)
      try events?.append(metrics)
      try evaluate()
      let elapsed = (ContinuousClock.now - start).inSeconds
      let done = trainer.step - first
      let items = Double(done * training.batchSize) * itemsPerGroup
      let left = elapsed / Double(done) * Double(total - trainer.step)
      let skipped = metrics.skippedSteps == 0 ? "" : "  \(metrics.skippedSteps) skipped"
      line.show(
        String(
          format:
            "step %d/%d  %@ left  loss %.4f%@  %.2f %@/s  RssAnon %@  grad %.3f  lr %.2g%@%@",
          metrics.step, total, clock(left), metrics.outerLoss, parts(of: metrics),
          items / elapsed, unit, mebibytes(metrics.anonymousBytes), metrics.gradientNorm,
          metrics.learningRate, skipped, scores),
        matters: metrics.step == total)
      if trainer.step % options.saveEvery == 0 || trainer.step == total { try save() }
    }
    return last
  }
}
