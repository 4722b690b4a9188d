import ArgumentParser
import Foundation
import Invocation
import Llama
import LoRA
import MetaLearning
import Operations
import Storage
import Text
import Watching
import Weights

struct Adapt: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Put a text into an adapter: one gradient step instead of a prompt.",
    discussion: """
      Takes the inner step of a run on a document and writes the adapted adapter in PEFT's layout. \
      A long document is cut into contexts at the ends of sentences or lines; they go in as one \
      update on the mean of their losses. A full inner step becomes an adapter of the rank of the \
      document's tokens, or of --rank. See Docs/adapters.md.

      Example: imprint adapt --model smollm2.imprint --adapter RUN --context notes.txt \
      --output notes-adapter

      Then: imprint generate --model smollm2.imprint --adapter notes-adapter --prompt "…"
      """)

  @OptionGroup var config: ConfigOptions

  @Option(help: "The weight file.")
  var model: String

  @Option(help: "The run whose adapter and inner step are used, or a PEFT or GGUF adapter.")
  var adapter: String?

  @Option(help: "The document, a text file ('-' for standard input).")
  var context: String

  @Option(help: "The folder of the new adapter.")
  var output: String

  @Option(help: "The most tokens of a context (default: the longest of the run, or 128).")
  var contextLength: Int?

  @Option(help: "Truncate the adapter to this rank; the error is printed.")
  var rank: Int?

  @OptionGroup var method: MethodOptions

  @Option(help: "Memory to use, for example 512MiB or 25%; the new adapter comes on top.")
  var memory = ByteCount(bytes: 1 << 30)

  @OptionGroup var threads: ThreadOptions

  @Flag(help: "Print one JSON object.")
  var json = false

  @OptionGroup var verbosity: Verbosity

  /// Tokens that a context has room for at least, also where the run's had fewer.
  private static let leastLength = 8

  func validate() throws {
    if let contextLength, contextLength < Self.leastLength {
      throw ValidationError("--context-length must be at least \(Self.leastLength).")
    }
    if adapter == nil { _ = try method.configuration(nil) }
    if let rank, !(1...4096).contains(rank) {
      throw ValidationError("--rank must be 1 to 4096.")
    }
  }

  struct Report: Encodable {
    var output: String
    var contexts: Int
    var tokens: Int
    var innerStep: InnerStep
    var lossBefore: Double
    var lossAfter: Double
    var rank: Int
    var parameters: Int
    var relativeError: Double?
  }

  func run() throws {
    try reportingErrors(interruptible: true) {
      let session = try Session(model: model, threads: threads.count)
      let run = try adapter.flatMap { try RunFolder.behind(adapter: $0) }
      try refuseRun()
      let contexts = try contexts(
        session,
        length: contextLength ?? max(run?.description.contextLength ?? 128, Self.leastLength))
      let maker = try maker(session, run)
      verbosity.note(session.file.summary)
      verbosity.note(
        "context: \(context), \(contexts.count) contexts of at most "
          + "\(contexts.map(\.count).max() ?? 0) tokens")
      if maker.leavesOutParameters, !verbosity.quiet {
        note(
          "imprint: an adapter holds linears alone: the step on norms, biases, embedding and head "
            + "is left out")
      }
      var line = ProgressLine(
        quiet: verbosity.quiet || json, verbose: verbosity.verbose)
      let result = try maker.run(contexts, rank: rank) { done, total in
        line.show("adapting: \(done) of \(total)", matters: done == total)
      }
      line.finish()
      let end = try adapter.flatMap { try GenerationEnd(folder: $0) }
      // Beside no adapter the file is not of ours.
      let replaces = AdapterFile.isFolder(output)
      try AdapterFile.writeFolder(result.adapter, to: output, base: model)
      if let end { try end.write(to: output) } else if replaces { try GenerationEnd.remove(output) }
      try report(result, contexts, maker.configuration.inner)
    }
  }

  private func refuseRun() throws {
    guard !RunFolder(path: output).exists else {
      throw Problem("--output \(output): holds a run; its adapter would be lost")
    }
  }

  private func contexts(_ session: Session, length: Int) throws -> [[Int32]] {
    guard let tokenizer = session.tokenizer else { throw Problem("\(model): has no tokenizer") }
    let most = session.architecture.maxPositionEmbeddings
    guard length <= most else {
      throw Problem("--context-length: \(length) tokens, the model has \(most) positions")
    }
    let name = context == "-" ? "standard input" : context
    let data =
      context == "-"
      ? try FileHandle.standardInput.readToEnd() ?? Foundation.Data()
      : FileManager.default.contents(atPath: context)
    guard let data else { throw Problem("\(name): cannot be read") }
    guard let text = String(validating: data, as: UTF8.self) else {
      throw Problem("\(name): is not UTF-8 text")
    }
    // As everywhere, lines end with a line feed and a byte-order mark is none of the text.
    let plain = String(text.trimmingPrefix("\u{feff}")).replacing("\r\n", with: "\n")
    let contexts = ContextCutter(tokenizer: tokenizer, length: length).contexts(of: plain)
    guard !contexts.isEmpty else { throw Problem("\(name): holds no two tokens to learn from") }
    return contexts
  }

  /// The step of a run, or of the flags from a given or a new adapter.
  private func maker(
    _ session: Session, _ run: (folder: RunFolder, description: RunDescription)?
  ) throws -> DocumentAdapter {
    if let (folder, run) = run {
      if run.training.meta.outer == .full,
        "\(session.file.fingerprint)" == run.modelFingerprint
      {
        throw Problem("\(folder.path): trained every parameter: give --model \(folder.modelPath)")
      }
      return try DocumentAdapter(
        run: folder, weights: session.weights, workers: session.workers, budget: memory.bytes,
        configuration: try method.configuration(run.training.meta))
    }
    let configuration = try method.configuration(nil)
    let start: AdapterTensors<Float>
    if let adapter {
      start = try AdapterFile.tensors(adapter, session.architecture)
    } else if configuration.inner == .full {
      start = DocumentAdapter.none(session.architecture)
    } else {
      start = AdapterTensors(
        layout: AdapterLayout(AdapterConfiguration(), architecture: session.architecture),
        arena: Arena(), for: .adapter)
      start.initialize(seed: 0)
    }
    return DocumentAdapter(
      weights: session.weights, adapter: start, configuration: configuration,
      workers: session.workers, budget: memory.bytes)
  }

  private func report(
    _ result: DocumentAdapter.Result, _ contexts: [[Int32]], _ inner: InnerStep
  ) throws {
    let report = Report(
      output: output, contexts: contexts.count, tokens: contexts.reduce(0) { $0 + $1.count },
      innerStep: inner, lossBefore: result.lossBefore, lossAfter: result.lossAfter,
      rank: result.adapter.layout.maxRank, parameters: result.adapter.layout.count,
      relativeError: result.truncation?.relativeError)
    if json {
      try printJSON(report)
      return
    }
    if verbosity.quiet { return }
    print(
      String(
        format: "%@: %d %@, %d tokens; loss %.4f → %.4f nats a token%@; rank %d, %@",
        output, report.contexts, report.contexts == 1 ? "context" : "contexts", report.tokens,
        report.lossBefore, report.lossAfter,
        result.truncation == nil ? "" : " (before truncation)", report.rank,
        mebibytes(4 * report.parameters)))
    if let truncation = result.truncation {
      print(
        String(
          format: "truncation: relative error %.2g over all linears, at most %.2g (%@)",
          truncation.relativeError, truncation.worst, truncation.worstName))
    }
  }
}
