import ArgumentParser
import MetaLearning

/// Flags of the evaluation while a run trains.
struct HeldOutOptions: ParsableArguments {
  @Option(
    help:
      "Held-out tasks, evaluated now and then: NC, Prompt and, where there is an inner step, FT.")
  var evalData: String?

  @Option(
    name: [.long, .customLong("steps-per-eval")],
    help: "Steps between two evaluations of --eval-data (default: 20).")
  var evalSteps: Int?

  @Option(help: "The most tasks of --eval-data, from the start (default: 32).")
  var evalLimit: Int?

  func validate() throws {
    for (name, value) in [("--eval-steps", evalSteps), ("--eval-limit", evalLimit)] {
      guard let value else { continue }
      try refuse(name, unless: evalData != nil, "--eval-data")
      try requireCounts((name, value))
    }
  }

  /// The tasks and how often, where there are some.
  func tasks(_ options: TrainingOptions, _ session: Session, size: Int) throws -> HeldOutTasks? {
    guard let evalData else { return nil }
    return HeldOutTasks(
      groups: try session.groups(
        evalData, size: size, separator: options.separator ?? "\n", limit: evalLimit ?? 32,
        quiet: options.quiet),
      every: evalSteps ?? 20)
  }
}

/// Held-out tasks and the steps between two evaluations.
struct HeldOutTasks {
  let groups: [TaskGroup]
  let every: Int

  /// Whether it is time, after `step` of `total` steps.
  func isTime(_ step: Int, of total: Int) -> Bool { step % every == 0 || step == total }
}
