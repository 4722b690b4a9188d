import ArgumentParser
import Foundation
import Invocation
import Llama
import LoRA
import MetaLearning
import Storage
import Text
import Watching
import Weights

struct Evaluate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compare no context, the context in the prompt, and one gradient step on it.",
    discussion: """
      NC: the query alone. Prompt: context and query. FT: the query after the inner step on the \
      context. Without --adapter the base model is evaluated with a fresh adapter. Exact match is of \
      the response token by token; answer exact match and F1 are of greedy answers in words, as \
      SQuAD's script counts them, and need a tokenizer. Docs/experiments.md describes the report.

      Example: imprint evaluate --model smollm2.imprint --adapter RUN --data test.jsonl \
      --irrelevant-context --retention 1,4,16
      """)

  @OptionGroup var config: ConfigOptions

  @Option(help: "The weight file.")
  var model: String

  @Option(help: "A run folder or a PEFT adapter.")
  var adapter: String?

  @Option(help: "Tasks as JSON Lines.")
  var data: String

  @Option(help: "Plain text whose loss is reported, too.")
  var lmData: String?

  @Option(help: "The most pieces of plain text (default: 64).")
  var lmLimit: Int?

  @Option(help: "Evaluate the first tasks only.")
  var limit: Int?

  @Option(help: "Tasks that share one inner step.")
  var contextsPerUpdate: Int?

  @OptionGroup var method: MethodOptions

  @Option(help: "What joins context and query in Prompt form.")
  var separator: String?

  @Flag(help: "Do not decode greedy answers: no answer exact match and F1.")
  var noAnswers = false

  @Option(
    help: "The most tokens of a greedy answer, or as many as its response has (default: 16).")
  var maxAnswerTokens: Int?

  @Flag(help: "Repeat FT after a step on another task's context.")
  var irrelevantContext = false

  @Option(
    help: ArgumentHelp(
      "Repeat FT on random groups of these many contexts: one update on all of them, and an update on each in turn.",
      valueName: "K,K,…"))
  var retention: ContextCounts?

  @Option(help: "Decides which other context a task meets, and the groups of --retention.")
  var seed: UInt64 = 0

  @Option(help: "Memory to use, for example 512MiB or 25%.")
  var memory = ByteCount(bytes: 1 << 30)

  @OptionGroup var threads: ThreadOptions

  @Option(
    help: "Write the report as JSON to this file ('-' for standard output instead of the table).")
  var json: String?

  @Option(help: "Write the tables in Markdown to this file.")
  var markdown: String?

  @Option(
    help: "Write a JSON line for every task to this file: what each form says, and how well.")
  var perTask: String?

  @Flag(name: .shortAndLong, help: "Print nothing but the result.")
  var quiet = false

  @Flag(name: .shortAndLong, help: "Say what was read, and a line for every batch.")
  var verbose = false

  func validate() throws {
    if quiet, verbose { throw ValidationError("--quiet and --verbose exclude each other.") }
    try requireCounts(
      ("--limit", limit), ("--lm-limit", lmLimit), ("--contexts-per-update", contextsPerUpdate))
    try requireCounts(("--max-answer-tokens", maxAnswerTokens), most: 1 << 20)
    if adapter == nil { _ = try method.configuration(nil) }
    if lmLimit != nil { try refuse("--lm-limit", unless: lmData != nil, "--lm-data") }
    if maxAnswerTokens != nil, noAnswers {
      throw ValidationError("--max-answer-tokens does not go with --no-answers.")
    }
    var files: Set<String> = []
    for (name, path) in [("--json", json), ("--markdown", markdown), ("--per-task", perTask)] {
      guard let path else { continue }
      if path == "-" {
        try refuse("'-', standard output,", unless: name == "--json", "--json")
      } else if !files.insert(URL(filePath: path).standardized.path(percentEncoded: false))
        .inserted
      {
        throw ValidationError("\(name): \(path) is written by another flag already.")
      }
    }
  }

  func run() throws {
    try reportingErrors(interruptible: true) {
      for output in [json, markdown, perTask] {
        try refuseOverwriting(output, of: [model, data, lmData, adapter])
      }
      let session = try Session(model: model, threads: threads.count)
      let run = try adapter.flatMap { try RunFolder.behind(adapter: $0) }?.description
      let groups = try session.groups(
        data, size: contextsPerUpdate ?? run?.training.contextsPerUpdate ?? 1,
        separator: separator ?? run?.separator ?? "\n", limit: limit, quiet: quiet)
      let texts = try lmData.map {
        try session.texts(
          $0,
          length: min(
            run?.training.lmLength ?? 128, session.architecture.maxPositionEmbeddings),
          limit: lmLimit ?? 64, quiet: quiet)
      }
      let isFull = run?.training.meta.outer == .full
      if isFull, let adapter, "\(session.file.fingerprint)" == run?.modelFingerprint {
        throw Problem(
          "\(adapter): trained every parameter: give --model \(RunFolder(path: adapter).modelPath)")
      }
      let source = try isFull ? nil : adapter.map { try AdapterFile(path: $0) }
      let layout = AdapterLayout(
        source?.configuration ?? AdapterConfiguration(), architecture: session.architecture)
      let arena = Arena()
      let tensors = AdapterTensors<Float>(layout: layout, arena: arena, for: .adapter)
      if let source { try source.read(into: tensors) } else { tensors.initialize(seed: 0) }
      if let run, let adapter, !isFull, !quiet,
        "\(session.file.fingerprint)" != run.modelFingerprint
      {
        note("\(adapter): was trained on another weight file than --model")
      }
      // What cannot be written is found before anything is computed.
      let files = try Outputs(
        json: json == "-" ? nil : json, markdown: markdown, perTask: perTask)
      let reader = session.tokenizer.flatMap { tokenizer in
        noAnswers
          ? nil
          : AnswerReader(
            tokenizer: tokenizer, stops: session.endIds, maximum: maxAnswerTokens ?? 16)
      }
      var evaluator = Evaluator(
        weights: session.weights, adapter: tensors,
        configuration: try method.configuration(run?.training.meta), workers: session.workers,
        budget: memory.bytes)
      if let adapter {
        evaluator.readRates = { try RunFolder(path: adapter).readInnerRates(into: $0) }
      }
      if verbose { note(session.summary(data, groups, texts ?? [])) }
      var line = ProgressLine(quiet: quiet, verbose: verbose)
      let report = try evaluator.run(
        groups, texts: texts ?? [],
        options: EvaluationOptions(
          irrelevantContext: irrelevantContext, retention: retention?.counts ?? [], seed: seed,
          reader: reader),
        each: { group, scores in
          for task in TaskReport.tasks(of: group, scores) { try files.perTask?.append(task) }
        }
      ) { what, done, total in
        line.show("\(what): \(done) of \(total)", matters: done == total)
      }
      line.finish()
      try write(report, to: files)
    }
  }

  /// The files of the report, which appear when it is there.
  private struct Outputs {
    let json: AtomicFile?
    let markdown: AtomicFile?
    let perTask: JSONLinesWriter?

    init(json: String?, markdown: String?, perTask: String?) throws {
      self.json = try json.map { try AtomicFile(path: $0) }
      self.markdown = try markdown.map { try AtomicFile(path: $0) }
      self.perTask = try perTask.map { try JSONLinesWriter(path: $0) }
    }
  }

  private func write(_ report: EvaluationReport, to files: Outputs) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    let text = try encoder.encode(report)
    let table = EvaluationTable(report)
    print(json == "-" ? String(decoding: text, as: UTF8.self) : table.text)
    try files.markdown?.append(table.markdown)
    try files.json?.append(Array(text) + [0x0a])
    for file in [files.markdown, files.json] { try file?.commit() }
    try files.perTask?.commit()
  }
}

/// Numbers of contexts as users write them: `1,4,16`.
struct ContextCounts: ExpressibleByArgument {
  let counts: [Int]

  init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
    counts = parts.compactMap { Int($0) }
    guard counts.count == parts.count, counts.allSatisfy({ (1...4096).contains($0) }),
      Set(counts).count == counts.count
    else { return nil }
  }
}
