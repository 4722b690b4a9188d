import ArgumentParser
import Invocation
import LoRA
import MetaLearning
import Operations

struct Finetune: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Fine-tune an adapter or a model plainly, without an inner step.",
    discussion: """
      Trains a LoRA on tasks in Prompt form (context, separator, query, response), in NC form \
      (query, response) or both, and on plain text. Writes the same run folder as imprint train, \
      whose --adapter goes on from it.

      Example: imprint finetune --model smollm2.imprint --data train.jsonl --output run \
      --forms prompt,nc --lora-dropout 0.05
      """)

  @OptionGroup var config: ConfigOptions

  @OptionGroup var options: TrainingOptions

  @Option(help: "Tasks as JSON Lines.")
  var data: String?

  @Option(
    help:
      "Forms to train tasks in, with shares of the loss or without: prompt,nc or prompt=0.7,nc=0.3 (default: prompt,nc)."
  )
  var forms: String?

  @Flag(help: "Train each task in one form, drawn with the shares, instead of in both.")
  var mixForms = false

  @Flag(
    inversion: .prefixedNo,
    help: "Score responses only, or every token of a task (default: responses).")
  var maskPrompt: Bool?

  @OptionGroup var heldOut: HeldOutOptions

  @OptionGroup var adapter: AdapterOptions

  func validate() throws {
    if data == nil, options.lmData == nil {
      throw ValidationError("Give --data, --lm-data or both.")
    }
    if data == nil {
      for (name, isGiven) in [
        ("--forms", forms != nil), ("--mix-forms", mixForms),
        ("--separator", options.separator != nil && heldOut.evalData == nil),
        ("--mask-prompt", maskPrompt == true), ("--no-mask-prompt", maskPrompt == false),
      ] where isGiven {
        throw ValidationError("\(name) goes with --data.")
      }
      if options.lmWeight != nil {
        throw ValidationError(
          "--lm-weight goes with --data: alone, plain text has no other weight.")
      }
      if options.lmBatchSize != nil {
        throw ValidationError("--lm-batch-size goes with --data: alone, --batch-size counts texts.")
      }
    } else if options.lmData != nil, options.lmWeight ?? 0 == 0 {
      throw ValidationError("--lm-data beside --data goes with --lm-weight.")
    }
    try options.refuseFlags(of: adapter)
    let shares = try FormShares(forms)
    if mixForms, shares.prompt == 0 || shares.nc == 0 {
      throw ValidationError("--mix-forms goes with two --forms.")
    }
    if options.separator != nil, shares.prompt == 0, heldOut.evalData == nil {
      throw ValidationError("--separator goes with the Prompt form: --forms has nc alone.")
    }
  }

  func run() throws {
    try reportingErrors(interruptible: true) {
      let run = try TrainingStart(options)
      let session = try Session(model: options.model, threads: run.threads)
      let groups = try data.map { try options.groups($0, session, size: 1) } ?? []
      let texts = try options.texts(session)
      let held = try heldOut.tasks(options, session, size: 1)
      let source = try adapter.source()
      var training = try options.configuration(
        try adapter.configuration(session.architecture, from: source),
        FinetuningConfiguration.method(training: options.outer),
        items: data == nil ? texts.count : groups.count)
      let shares = try FormShares(forms)
      let plain = FinetuningConfiguration(
        promptShare: data == nil ? 0 : shares.prompt, ncShare: data == nil ? 0 : shares.nc,
        mixesForms: mixForms, masksPrompt: maskPrompt ?? true)
      training.finetuning = plain
      if data == nil {
        training.lmWeight = 1
        training.lmBatchSize = options.batchSize
      }
      let tasks = groups.flatMap(\.triplets).flatMap { task in
        plain.forms.map { LossExample(task, $0, weight: 1).size }
      }
      let asked = (held?.groups ?? []).flatMap(\.triplets).flatMap { task in
        TaskForm.allCases.map { LossExample(task, $0, weight: 1).size }
      }
      try TrainingRun(
        options: options, session: session, training: training,
        planner: MemoryPlanner(
          weights: session.weights,
          layout: AdapterLayout(training.adapter, architecture: session.architecture),
          configuration: training.meta,
          sequences: tasks + asked + texts.map { LossExample(text: $0, weight: 1).size },
          workers: session.workers),
        data: data, groups: groups, texts: texts, heldOut: held, teacherMaxTokens: nil,
        start: adapter.start(source)
      ).run(run)
    }
  }
}

/// `prompt,nc`, `prompt=0.7,nc=0.3`: shares that sum to one.
struct FormShares {
  private(set) var prompt = 0.0
  private(set) var nc = 0.0

  /// Reads the flag's value, or its default.
  init(_ text: String?) throws {
    var weights: [TaskForm: Double] = [:]
    for part in (text ?? "prompt,nc").split(separator: ",", omittingEmptySubsequences: false) {
      let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard let form = TaskForm(rawValue: String(pair[0])) else {
        throw ValidationError("--forms: '\(pair[0])' is none of prompt, nc.")
      }
      let weight = pair.count == 1 ? 1 : Double(pair[1]) ?? 0
      guard weight > 0, weight.isFinite else {
        throw ValidationError("--forms: the share of \(form.rawValue) must be a positive number.")
      }
      guard weights.updateValue(weight, forKey: form) == nil else {
        throw ValidationError("--forms: \(form.rawValue) is given twice.")
      }
    }
    let sum = weights.values.reduce(0, +)
    prompt = (weights[.prompt] ?? 0) / sum
    nc = (weights[.nc] ?? 0) / sum
  }
}
