import Foundation
import Invocation
import Llama
import LoRA
import MetaLearning
import Storage
import Weights

/// What a run says.
extension TrainingRun {
  /// The plan of `--dry-run`.
  func printPlan(_ plan: MemoryPlan) throws {
    guard options.json else { return print(text(of: plan)) }
    try printJSON(plan.bytes)
  }

  private struct Result: Encodable {
    var output: String
    var steps: Int
    var result: String
    var last: StepMetrics?
  }

  /// What there is at the end, and the metrics of the last step where one was done.
  func printResult(_ last: StepMetrics?, steps: Int) throws {
    let isFull = options.outer == .full
    if options.json {
      try printJSON(
        Result(
          output: options.output, steps: steps,
          result: isFull ? "model.imprint" : "adapter_model.safetensors", last: last))
    } else if !options.quiet {
      print("\(options.output): \(steps) steps, \(isFull ? "model.imprint" : "adapter") written")
    }
  }

  /// The losses of held-out tasks.
  func text(of metrics: HeldOutMetrics) -> String {
    let plain = String(format: "NC %.3f, Prompt %.3f", metrics.ncNLL, metrics.promptNLL)
    return "  held-out "
      + (metrics.ftNLL.map { String(format: "FT %.3f (%@)", $0, plain) } ?? plain)
  }

  /// What the loss is made of, or what is trained beside it, where that says more.
  func parts(of metrics: StepMetrics) -> String {
    let parts = [
      ("prompt", metrics.promptLoss), ("nc", metrics.ncLoss), ("lm", metrics.lmLoss),
    ].compactMap { name, loss in loss.map { String(format: "%@ %.4f", name, $0) } }
    let beside = training.finetuning == nil ? 0 : 1
    return parts.count <= beside ? "" : " (\(parts.joined(separator: ", ")))"
  }

  func text(of plan: MemoryPlan) -> String {
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

extension Session {
  /// What was read, a line for each, for `--verbose`.
  func summary(
    _ data: String?, _ groups: [TaskGroup], _ texts: [[Int32]]
  ) -> String {
    func range(_ counts: [Int]) -> String {
      let (low, high) = (counts.min() ?? 0, counts.max() ?? 0)
      return low == high ? "\(low)" : "\(low) to \(high)"
    }
    var lines = [file.summary]
    if let data {
      let tasks = groups.flatMap(\.triplets)
      lines.append(
        "data: \(data), \(tasks.count) tasks in \(groups.count) groups; contexts of "
          + "\(range(tasks.map(\.context.count))) tokens, queries of "
          + "\(range(tasks.map(\.query.count))), responses of "
          + "\(range(tasks.map(\.response.count)))")
    }
    if !texts.isEmpty {
      lines.append("text: \(texts.count) pieces of \(range(texts.map(\.count))) tokens")
    }
    lines.append("threads: \(workers.count)")
    return lines.joined(separator: "\n")
  }
}
