import ArgumentParser
import BenchmarkSuites
import Foundation
import Invocation
import MetaLearning
import Weights

struct MemoryRank: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measure memory and time of training against rank, context and memory budget.",
    discussion: """
      Every case trains in a process of its own: the leanest plan for every combination of ranks, \
      variants, contexts and contexts per update, then --memory budgets at one rank. Results go to \
      results.json and results.csv in --out; a case that is there is not run again. \
      Benchmarks/plots draws them.

      Example: imprint-bench memory-rank --model smollm2.imprint --out memory --quick
      """)

  @OptionGroup var config: ConfigOptions

  @Option(help: "The weight file.")
  var model: String

  @Option(help: "The folder of the results.")
  var out: String

  @Option(help: "Ranks, or none.")
  var ranks: NumberList = "1,2,4,8,16,32,64,128,256"

  @Option(
    parsing: .upToNextOption,
    help: "Inner steps: lora, full, and full-outer (every parameter, where the trainer has it).")
  var variants: [Variant] = Variant.allCases

  @Option(help: "Tokens of a context.")
  var contexts: NumberList = "32,128,512"

  @Option(help: "K: contexts that share one inner step.")
  var contextsPerUpdate: NumberList = "1,4"

  @Option(help: "Tokens of query and response together; the response has 8.")
  var query = 32

  @Option(help: "Memory budgets of the sweep in MiB, or none.")
  var budgets: NumberList = "96,128,192,256,384,512,768,1024,1536,2048"

  @Option(help: "Rank of the sweep over budgets.")
  var sweepRank = 8

  @Option(help: "Tokens of a context of that sweep.")
  var sweepContext = 128

  @Option(help: "Tasks of a step of that sweep.")
  var sweepBatch = 8

  @Option(help: "Measured steps of a case.")
  var steps = 3

  @Option(help: "Steps before them that are not measured.")
  var warmUp = 1

  @Option(help: "No further step of a case once the measured ones took so many seconds.")
  var seconds = 20.0

  @OptionGroup var threads: ThreadOptions

  @Flag(help: "A few minutes: four ranks, one context, K = 1, four budgets.")
  var quick = false

  @Flag(help: "Measure again what is in --out.")
  var force = false

  @OptionGroup var verbosity: Verbosity

  func validate() throws {
    for (name, list) in [
      ("--ranks", ranks), ("--contexts", contexts), ("--contexts-per-update", contextsPerUpdate),
      ("--budgets", budgets),
    ] where list.values.contains(where: { $0 < 1 }) {
      throw ValidationError("\(name): expected positive numbers.")
    }
    guard !contexts.values.contains(1), sweepContext > 1 else {
      throw ValidationError("A context has at least 2 tokens.")
    }
    guard query > 8 else { throw ValidationError("--query must be above 8.") }
    guard sweepRank > 0, sweepBatch > 0, steps > 0, warmUp >= 0, seconds > 0
    else { throw ValidationError("Sizes must be positive.") }
  }

  func run() throws {
    try reportingErrors {
      let file = try WeightFile(path: model)
      var store = try MemoryRankStore(folder: out, file: file, path: model, replacing: force)
      let cases = grid.cases
      verbosity.note(file.summary)
      verbosity.note("cases: \(cases.count), results in \(out)")
      var failed = 0
      for (index, training) in cases.enumerated() {
        let number = "[\(index + 1)/\(cases.count)]"
        if !force, let old = store.result(of: training) {
          say("\(number) \(Self.line(old)) (known)")
          continue
        }
        let measurement = try measure(training)
        say("\(number) \(Self.line(measurement))")
        try store.add(measurement)
        if measurement.failure != nil { failed += 1 }
      }
      Self.show(MemoryRankFit.fits(store.contents.measurements))
      print("\(out)/results.json, \(out)/results.csv")
      if failed > 0 { throw Problem("\(failed) cases failed; a second run tries them again") }
    }
  }

  private var grid: MemoryRankGrid {
    MemoryRankGrid(
      ranks: quick ? ranks.values.filter { [1, 8, 64, 256].contains($0) } : ranks.values,
      variants: variants.map(\.steps),
      contexts: quick ? contexts.values.filter { $0 == 128 } : contexts.values,
      contextsPerUpdate: quick
        ? contextsPerUpdate.values.filter { $0 == 1 } : contextsPerUpdate.values,
      queryTokens: query,
      budgets: (quick
        ? budgets.values.filter { [128, 256, 512, 1024].contains($0) } : budgets.values)
        .map { $0 << 20 },
      sweep: (sweepRank, sweepContext, sweepBatch))
  }

  /// Runs `training` in a process of its own.
  private func measure(_ training: TrainingCase) throws -> TrainingMeasurement {
    let text = String(decoding: try JSONEncoder().encode(training), as: UTF8.self)
    let answer = try OwnProcess.run(
      [
        "memory-case", "--model", model, "--training", text, "--steps", "\(steps)", "--warm-up",
        "\(warmUp)", "--seconds", "\(seconds)",
      ] + (threads.count.map { ["--threads", "\($0)"] } ?? []))
    if answer.failure == nil,
      let measurement = try? JSONDecoder().decode(TrainingMeasurement.self, from: answer.output)
    {
      return measurement
    }
    return TrainingMeasurement(training, failure: answer.failure ?? "no answer")
  }

  private static func line(_ measurement: TrainingMeasurement) -> String {
    let title = measurement.training.title
    if let refusal = measurement.refusal { return "\(title): skipped: \(refusal)" }
    if let failure = measurement.failure { return "\(title): failed: \(failure)" }
    func mebibytes(_ bytes: Int) -> String { String(format: "%.1f", Double(bytes) / 1_048_576) }
    var text = String(
      format: "%@: RssAnon %@ MiB (plan %@), RssFile %@, VmHWM %@, %.3f s/step", title,
      mebibytes(measurement.peakAnonymous), mebibytes(measurement.planned),
      mebibytes(measurement.file), mebibytes(measurement.peakResident), measurement.median)
    if measurement.secondsPerTask < measurement.median {
      text += String(format: ", %.3f s/task", measurement.secondsPerTask)
    }
    if measurement.bytesRead > 0 { text += ", read \(mebibytes(measurement.bytesRead)) MiB" }
    return text
  }

  private static func show(_ fits: [MemoryRankFit]) {
    guard !fits.isEmpty else { return }
    print("\nBytes of RssAnon per adapter parameter (target: \(MemoryRankFit.target))")
    for fit in fits {
      let parts = fit.planned.map { String(format: "%@ %.2f", $0.component, $0.bytesPerParameter) }
      print(
        String(
          format: "%@, context %d, K %d: %.2f over %d ranks, %@; without adapter %.1f MiB; "
            + "residuals up to %.1f %%\n    plan: %@", fit.variant, fit.contextTokens,
          fit.contextsPerUpdate, fit.bytesPerParameter, fit.ranks,
          fit.bytesPerParameter <= MemoryRankFit.target ? "within the target" : "above the target",
          fit.intercept / 1_048_576, fit.largestResidual * 100, parts.joined(separator: ", ")))
    }
    print("")
  }
}

/// A variant as the command line names it.
enum Variant: String, CaseIterable, ExpressibleByArgument {
  case lora, full
  case fullOuter = "full-outer"

  var steps: (outer: OuterStep, inner: InnerStep) {
    switch self {
    case .lora: (.lora, .lora)
    case .full: (.lora, .full)
    case .fullOuter: (.full, .full)
    }
  }
}

/// Whole numbers with commas between them, or `none`.
struct NumberList: ExpressibleByArgument, ExpressibleByStringLiteral {
  let values: [Int]

  init?(argument: String) {
    if argument == "none" {
      values = []
      return
    }
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
    guard !parts.contains(nil) else { return nil }
    values = parts.compactMap { $0 }
  }

  init(stringLiteral value: String) { values = value.split(separator: ",").compactMap { Int($0) } }

  var defaultValueDescription: String { values.map(String.init).joined(separator: ",") }
}
