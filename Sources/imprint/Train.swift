import ArgumentParser
import Foundation
import Invocation
import Llama
import LoRA
import MetaLearning
import Operations
import Text
import Watching
import Weights

struct Train: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "Meta-train an adapter: one gradient step on a context shall do what its prompt does.",
    discussion: """
      Writes a run folder: the configuration, metrics as JSON Lines, checkpoints, and the adapter \
      in PEFT's layout.

      Example: imprint train --model smollm2.imprint --data train.jsonl --output run \
      --batch-size 8 --steps 60 --prompt-weight 0.3
      """)

  @OptionGroup var config: ConfigOptions

  @OptionGroup var options: TrainingOptions

  @Option(help: "Tasks as JSON Lines.")
  var data: String

  @OptionGroup var method: MethodOptions

  @Option(help: "The outer loss: gold (the responses) or teacher (the prompted base).")
  var target: Target = .gold

  @Option(help: "The most tokens of a teacher's response (default: 16).")
  var teacherMaxTokens: Int?

  @Flag(
    help: """
      Learn an inner rate for every tensor that the inner step moves (Meta-SGD), starting at \
      --inner-lr or, without it, at those that the run of --adapter has learned.
      """)
  var learnInnerLr = false

  @Option(help: "Adam's learning rate for the logarithms of learned inner rates (default: 0.01).")
  var innerLrLr: Double?

  @Option(help: "How a full inner step's factors are stored: f32, or bf16 in half the memory.")
  var factorStorage: FactorStorage?

  @Flag(help: "Leave out the Hessian product: half the time, another gradient.")
  var firstOrder = false

  @Option(help: "K: contexts that share one inner step.")
  var contextsPerUpdate = 1

  @Option(
    help: """
      The most tasks that share one context: those whose contexts are the same text are asked after \
      one inner step on it.
      """)
  var queriesPerContext = 1

  @Option(
    help: "Weight of the loss of the same tasks in Prompt form; of one a context, drawn anew.")
  var promptWeight = 0.0

  @OptionGroup var heldOut: HeldOutOptions

  @OptionGroup var adapter: AdapterOptions

  func validate() throws {
    try validateMethod()
    try requireCounts(
      ("--contexts-per-update", contextsPerUpdate), ("--queries-per-context", queriesPerContext),
      ("--teacher-max-tokens", teacherMaxTokens))
    try requireWeights(("--prompt-weight", promptWeight))
    if options.lmData != nil, options.lmWeight ?? 0 == 0 {
      throw ValidationError("--lm-data and --lm-weight go together.")
    }
    if adapter.loraDropout != nil {
      throw ValidationError(
        "--lora-dropout goes with imprint finetune: an exact meta-gradient needs one function.")
    }
  }

  private func validateMethod() throws {
    let isFull = method.inner == .full || options.outer == .full
    if options.outer == .full {
      try refuse("--outer full", unless: method.inner != .lora, "--inner full")
    }
    try options.refuseFlags(of: adapter)
    if factorStorage != nil { try refuse("--factor-storage", unless: isFull, "--inner full") }
    _ = try meta()
    if let innerLrLr {
      try refuse("--inner-lr-lr", unless: learnInnerLr, "--learn-inner-lr")
      try requirePositive("--inner-lr-lr", innerLrLr)
    }
    if teacherMaxTokens != nil {
      try refuse("--teacher-max-tokens", unless: target == .teacher, "--target teacher")
    }
  }

  func run() throws {
    try reportingErrors(interruptible: true) {
      let run = try TrainingStart(options)
      let session = try Session(model: options.model, threads: run.threads)
      let given = try options.groups(
        data, session, size: contextsPerUpdate, queries: queriesPerContext)
      let source = try adapter.source()
      var shape = try adapter.configuration(session.architecture, from: source)
      shape.dropout = 0
      let texts = try options.texts(session)
      let held = try heldOut.tasks(options, session, size: contextsPerUpdate)
      var meta = try meta()
      let start = try startingRates(adapter.start(source), meta)
      let groups = target == .teacher && !options.dryRun ? try taught(given, session) : given
      if let rates = start?.rates { meta.innerLearningRate = rates.start }
      var training = try options.configuration(shape, meta, items: groups.count)
      training.contextsPerUpdate = contextsPerUpdate
      training.queriesPerContext = queriesPerContext == 1 ? nil : queriesPerContext
      training.promptWeight = promptWeight
      training.innerRateLearningRate = innerLrLr ?? 0.01
      try TrainingRun(
        options: options, session: session, training: training,
        planner: MemoryPlanner(
          weights: session.weights,
          layout: AdapterLayout(shape, architecture: session.architecture),
          configuration: training.meta, groups: groups, heldOut: held?.groups ?? [],
          textRows: texts.map(\.count).max() ?? 0,
          prompts: held == nil || training.prompts == .allSharing ? training.prompts : .all,
          workers: session.workers, trains: true),
        data: data, groups: groups, texts: texts, heldOut: held,
        teacherMaxTokens: target == .teacher ? teacherMaxTokens ?? 16 : nil,
        start: start
      ).run(run)
    }
  }

  /// `start` with its learned inner rates, where this run learns those of the same tensors and
  /// --inner-lr does not say where they start.
  private func startingRates(
    _ start: AdapterStart?, _ meta: MetaConfiguration
  ) throws -> AdapterStart? {
    guard var start, learnInnerLr, method.innerLr == nil else { return start }
    guard let (folder, run) = try RunFolder.behind(adapter: start.path) else { return start }
    let theirs = run.training.meta
    guard theirs.learnsInnerRates, theirs.inner == meta.inner,
      theirs.inner == .lora || theirs.innerParameters == meta.innerParameters
    else { return start }
    start.rates = (folder, theirs.innerLearningRate)
    return start
  }

  private func meta() throws -> MetaConfiguration {
    var meta = try method.configuration(nil, fallback: options.outer == .full ? .full : .lora)
    meta.outer = options.outer
    meta.learnsInnerRates = learnInnerLr
    meta.factorStorage = factorStorage ?? .f32
    meta.order = firstOrder ? .first : .second
    meta.target = target
    return meta
  }

  /// The tasks with the teacher's responses; what it says is kept beside the data.
  private func taught(_ groups: [TaskGroup], _ session: Session) throws -> [TaskGroup] {
    let maximumTokens = teacherMaxTokens ?? 16
    let longest =
      groups.flatMap(\.triplets).map { $0.prompted.count - $0.response.count }.max() ?? 0
    let positions = session.architecture.maxPositionEmbeddings
    guard longest + maximumTokens <= positions else {
      throw Problem(
        "--teacher-max-tokens: \(maximumTokens) after a prompt of \(longest) tokens, the model has \(positions) positions"
      )
    }
    // v3: what the teacher says, with the line feed that ends it; a row for each part.
    let key = "v3-\(session.file.fingerprint)-\(fingerprint(groups))-\(maximumTokens)"
    let end = AnswerEnd(
      stops: session.endIds, closing: session.tokenizer?.lineFeeds ?? [], maximum: maximumTokens)
    var line = ProgressLine(quiet: options.quiet, verbose: options.verbose)
    let outcome = try Teacher.respond(
      groups, weights: session.weights, workers: session.workers, end: end,
      budget: options.memory.bytes - MemoryPlanner.measuredFloor(workers: session.workers),
      cache: TeacherCache(path: "\(data).teacher-\(key).jsonl", key: key)
    ) { done, total in line.show("teacher: \(done) of \(total)", matters: done == total) }
    line.finish()
    if outcome.silent > 0, !options.quiet {
      note("teacher: says nothing to \(outcome.silent) tasks, which keep the response they have")
    }
    return outcome.groups
  }
}
