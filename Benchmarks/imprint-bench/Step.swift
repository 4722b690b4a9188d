import ArgumentParser
import BenchmarkSuites
import Foundation
import Invocation
import Llama
import MetaLearning
import Storage
import Weights

struct Step: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Time one meta-step and measure the memory it takes.",
    discussion: """
      Measures the rate of sgemm in the same run, the fraction of it that the step achieves on the \
      operations that the method needs, RssAnon, RssFile and VmHWM.

      Example: imprint-bench step --model smollm2.imprint --keep 0
      """)

  @OptionGroup var config: ConfigOptions

  @Option(help: "The weight file.")
  var model: String

  @Option(help: "What the outer loop trains: lora or full.")
  var outer: OuterStep = .lora

  @Option(help: "What the inner step moves: lora or full (default: what the outer loop trains).")
  var inner: InnerStep?

  @Option(help: "How a full inner step's factors are stored: f32 or bf16.")
  var factorStorage: FactorStorage = .f32

  @Option(help: "Which parameters a full inner step moves: linear or all.")
  var innerParameters: InnerParameters = .all

  @Option(help: "gold or teacher.")
  var target: Target = .gold

  @Option(help: "Rank of the adapter.")
  var rank = 8

  @Option(help: "Tokens of the context.")
  var context = 128

  @Option(help: "Tokens of query and response together; the response has 8.")
  var query = 32

  @Option(help: "Groups of tasks of a step.")
  var batch = 1

  @Option(help: "K: tasks of a group, which share one inner step.")
  var contextsPerUpdate = 1

  @Option(help: "Groups that share one sweep over the weights.")
  var together = 1

  @Option(help: "Blocks that keep their activations (default: all; 0 is the leanest).")
  var keep: Int?

  @Option(help: "Scored rows whose logits are in memory at once.")
  var logitRows = 64

  @Option(help: "Measured steps.")
  var steps = 5

  @OptionGroup var threads: ThreadOptions

  @Flag(help: "Leave out the Hessian product.")
  var firstOrder = false

  @Flag(help: "Print JSON.")
  var json = false

  @OptionGroup var verbosity: Verbosity

  func validate() throws {
    if outer == .full, inner == .lora {
      throw ValidationError("--outer full goes with --inner full.")
    }
    guard contextsPerUpdate > 0, rank > 0, context > 1, query > 8, batch > 0, together > 0,
      steps > 0, logitRows > 0
    else {
      throw ValidationError("Sizes must be positive; --context above 1 and --query above 8.")
    }
  }

  func run() throws {
    try reportingErrors {
      let inner = inner ?? (outer == .full ? .full : .lora)
      let suite = StepSuite(
        configuration: MetaConfiguration(
          outer: outer, inner: inner, innerParameters: innerParameters,
          order: firstOrder ? .first : .second, target: target, factorStorage: factorStorage),
        rank: rank, contextTokens: context, queryTokens: query, batch: batch,
        contextsPerUpdate: contextsPerUpdate, together: together,
        keep: keep, logitRows: logitRows, steps: steps)
      let file = try WeightFile(path: model)
      let workers = Workers(count: threads.count)
      verbosity.note(file.summary)
      verbosity.note("threads: \(workers.count)")
      let report = try suite.run(file: file, workers: workers)
      if json {
        try printJSON(report, isLine: true)
        return
      }
      print(
        """
        outer \(report.outer), inner \(report.inner), rank \(rank), context \(context), query + response \(query), batch \
        \(batch) × \(contextsPerUpdate), \(report.keptBlocks) blocks kept, \(report.workers) threads, OpenBLAS \
        \(report.kernel)
        step   \(String(format: "%.3f s median (%.3f – %.3f)", report.median, report.seconds.min() ?? 0, report.seconds.max() ?? 0))
        sgemm  \(String(format: "%.0f GFLOP/s; %.1f GFLOP needed, %.0f %% of sgemm; %.1f done, %.0f %%", report.sgemm, report.neededGFLOP, report.fraction * 100, report.doneGFLOP, report.doneFraction * 100))
        \(phases(report))
        memory RssAnon \(mebibytes(report.peakAnonymous)) peak, RssFile \(mebibytes(report.file)), \
        VmHWM \(mebibytes(report.peakResident))
        plan   \(report.plan.sorted { $0.value > $1.value }.map { "\($0.key) \(mebibytes($0.value))" }.joined(separator: ", "))
        |gradient| \(report.gradientNorm)
        """)
    }
  }

  private func phases(_ report: StepSuite.Report) -> String {
    PhaseTimes.Phase.allCases.compactMap { phase in
      guard let cost = report.phases[phase.rawValue] else { return nil }
      let rate = Double(cost.operations) / 1e9 / max(cost.seconds, 1e-9)
      return "       "
        + String(
          format: "%@ %.3f s, %.1f GFLOP, %.0f %% of sgemm",
          phase.rawValue.padding(toLength: 15, withPad: " ", startingAt: 0), cost.seconds,
          Double(cost.operations) / 1e9, 100 * rate / report.sgemm)
    }.joined(separator: "\n")
  }
}
