import ArgumentParser
import Foundation
import Llama
import LoRA
import MetaLearning
import Storage
import Text
import Weights

struct Evaluate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compare no context, the context in the prompt, and one gradient step on it.",
    discussion: """
      NC: the query alone. Prompt: context and query. FT: the query after the inner step on the \
      context. Without --adapter the base model is evaluated with a fresh adapter.

      Example: imprint evaluate --model smollm2.imprint --adapter RUN --data test.jsonl
      """)

  @Option(help: "The weight file.")
  var model: String

  @Option(help: "A run folder or a PEFT adapter.")
  var adapter: String?

  @Option(help: "Tasks as JSON Lines.")
  var data: String

  @Option(help: "Plain text whose loss is reported, too.")
  var lmData: String?

  @Option(help: "The most pieces of plain text.")
  var lmLimit = 64

  @Option(help: "Evaluate the first tasks only.")
  var limit: Int?

  @Option(help: "Tasks that share one inner step.")
  var contextsPerUpdate: Int?

  @OptionGroup var method: MethodOptions

  @Option(help: "What joins context and query in Prompt form.")
  var separator: String?

  @Option(help: "Memory to use, for example 512MiB or 25%.")
  var memory = ByteCount(bytes: 1 << 30)

  @Option(help: "Threads (default: all processors).")
  var threads: Int?

  @Option(
    help: "Write the report as JSON to this file ('-' for standard output instead of the table).")
  var json: String?

  @Flag(name: .shortAndLong, help: "Print nothing but the result.")
  var quiet = false

  func validate() throws {
    if let limit, limit < 1 { throw ValidationError("--limit must be positive.") }
    if let contextsPerUpdate, contextsPerUpdate < 1 {
      throw ValidationError("--contexts-per-update must be positive.")
    }
  }

  func run() throws {
    try reportingErrors {
      let session = try Session(model: model, threads: threads)
      let run = adapter.flatMap { path in
        RunFolder(path: path).exists ? try? RunFolder(path: path).description() : nil
      }
      let groups = try session.groups(
        data, size: contextsPerUpdate ?? run?.training.contextsPerUpdate ?? 1,
        separator: separator ?? run?.separator ?? "\n", limit: limit)
      let texts = try lmData.map {
        try session.texts($0, length: run?.training.lmLength ?? 128, limit: lmLimit)
      }
      let isFull = run?.training.meta.outer == .full
      if isFull, let adapter, session.file.fingerprint == run?.modelFingerprint {
        throw Problem(
          "\(adapter): trained every parameter: give --model \(RunFolder(path: adapter).modelPath)")
      }
      let source = try isFull ? nil : adapter.map { try AdapterFile(path: $0) }
      let layout = AdapterLayout(
        source?.configuration ?? AdapterConfiguration(), architecture: session.architecture)
      var configuration = method.configuration(run?.training.meta)
      configuration.outer = .lora
      configuration.order = .first
      configuration.target = .gold
      let planner = MemoryPlanner(
        weights: session.weights, layout: layout, configuration: configuration, groups: groups,
        textRows: texts?.map(\.count).max() ?? 0, prompts: true, workers: session.workers,
        trains: false)
      let (plan, fits) = planner.best(budget: memory.bytes, batchSize: 16)
      guard fits else {
        throw Problem("--memory: at least \(mebibytes(plan.total)) are needed")
      }
      let arena = Arena()
      let tensors = AdapterTensors<Float>(layout: layout, arena: arena, for: .adapter)
      if let source { try source.read(into: tensors) } else { tensors.initialize(seed: 0) }
      let meta = MetaGradient(
        weights: session.weights, adapter: tensors, configuration: configuration,
        limits: plan.limits, policy: .lean,
        workers: session.workers, arena: arena)
      if let adapter { try RunFolder(path: adapter).readInnerRates(into: meta.rates) }
      var line = ProgressLine(quiet: quiet)
      let report = try Evaluation.run(
        meta, groups: groups, texts: texts ?? [], together: plan.together
      ) { done, total in line.show("evaluating \(done) of \(total)", matters: done == total) }
      line.finish()
      try write(report)
    }
  }

  private func write(_ report: EvaluationReport) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    let text = try encoder.encode(report)
    if json == "-" {
      print(String(decoding: text, as: UTF8.self))
      return
    }
    if let json {
      do {
        try text.write(to: URL(filePath: json), options: .atomic)
      } catch {
        throw Problem("\(json): cannot be written")
      }
    }
    print(EvaluationTable.text([("", report)]))
  }
}

/// The table that users see.
enum EvaluationTable {
  static func text(_ reports: [(name: String, report: EvaluationReport)]) -> String {
    func percent(_ estimate: Estimate) -> String {
      String(format: "%5.1f ± %4.1f %%", 100 * estimate.mean, 100 * estimate.standardError)
    }
    func number(_ estimate: Estimate) -> String {
      String(format: "%6.3f ± %5.3f", estimate.mean, estimate.standardError)
    }
    var lines: [String] = []
    for (name, report) in reports {
      if !name.isEmpty { lines.append(name) }
      lines.append("form     exact match       token accuracy    NLL (nats)")
      for (form, row) in [("NC", report.nc), ("Prompt", report.prompt), ("FT", report.ft)] {
        lines.append(
          form.padding(toLength: 7, withPad: " ", startingAt: 0) + "  "
            + percent(row.exactMatch) + "    " + percent(row.tokenAccuracy) + "    "
            + number(row.nll))
      }
      var tail = "\(report.groups) tasks"
      if report.contextsPerUpdate > 1 {
        tail = "\(report.groups) groups of \(report.contextsPerUpdate) contexts"
      }
      tail += String(
        format: "; context NLL %.3f before the step, %.3f after", report.innerLoss.mean,
        report.innerLossAfter.mean)
      if let plain = report.plainText { tail += "; plain text NLL " + number(plain).trimmed }
      lines.append(tail)
    }
    return lines.joined(separator: "\n")
  }
}

extension String {
  fileprivate var trimmed: String { trimmingCharacters(in: .whitespaces) }
}
