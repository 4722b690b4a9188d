import Foundation
import MetaLearning
import Storage

/// Runs the parts of a plan that are not made yet, and writes the results.
public final class Runner {
  /// How an experiment ended.
  public struct Summary: Sendable, Equatable {
    /// Parts that are made, of all.
    public var done: Int
    /// All parts.
    public var total: Int
    /// Parts that failed, with why.
    public var failed: [String]
    /// Parts that were left out, as something that they need failed.
    public var skipped: [String]
    /// The signal that stopped it.
    public var interrupted: Int32?
  }

  /// A command was told to stop, alone: so is the harness.
  private struct Stopped: Error {
    var status: Int32
  }

  private let plan: Plan
  private let whole: Plan
  private let isSmoke: Bool
  private let children: ChildProcess
  private let say: (String) -> Void
  private var estimates: Estimates
  private var problems: [String: String] = [:]
  private let recipes: [String: Recipe]

  /// A runner of `plan` with the executables in the folder `executables`.
  ///
  /// The results are those of `plan` and those of `whole` that were made earlier by the same commands.
  /// `say` gets what people read, a line or several at a time.
  public init(
    _ plan: Plan, of whole: Plan, executables: String, isSmoke: Bool = false, isQuiet: Bool = false,
    say: @escaping (String) -> Void
  ) {
    self.plan = plan
    self.whole = whole
    self.isSmoke = isSmoke
    self.say = say
    estimates = Estimates(given: plan.experiment.rates)
    children = ChildProcess(executables: executables, isQuiet: isQuiet)
    var identities = InputIdentities()
    recipes = Self.recipes(whole, &identities).merging(Self.recipes(plan, &identities)) { $1 }
  }

  private static func recipes(
    _ plan: Plan, _ identities: inout InputIdentities
  ) -> [String: Recipe] {
    let parts = Dictionary(uniqueKeysWithValues: plan.parts.map { ($0.id, $0) })
    return parts.mapValues { part in
      Recipe(part, among: parts, output: plan.output) { identities.identity($0) }
    }
  }

  private func folder(_ part: Part) -> PartFolder { PartFolder(part, output: plan.output) }

  private func recipe(_ part: Part) -> Recipe {
    // Every part of either plan has one.
    guard let recipe = recipes[part.id] else { preconditionFailure(part.id) }
    return recipe
  }

  private func state(_ part: Part) -> PartFolder.State {
    folder(part).state(recipe: recipe(part), reports: part.result != nil)
  }

  // MARK: The plan

  /// The parts with their states, their command lines and how long they are going to take.
  ///
  /// Throws ``ExperimentError`` where a command line is wrong.
  public func describe() throws -> String {
    learn()
    try refuseWrongCalls(left)
    var lines: [String] = []
    for (place, part) in plan.parts.enumerated() {
      lines.append("[\(place + 1)/\(plan.parts.count)] \(part.title)  (\(part.id))")
      lines.append("    \(stateText(part))")
      lines += part.commands.map { "    $ \(shown($0))" }
    }
    lines.append(outlook())
    return lines.joined(separator: "\n")
  }

  private func stateText(_ part: Part) -> String {
    switch state(part) {
    case .done(let done): return "done in \(Estimates.duration(done.seconds))"
    case .begun:
      return "begun; time left: \(Estimates.text(estimates.guess(part, folder(part))))"
    case .changed(let how): return "\(how): remove \(folder(part).path) to make it again"
    case .new:
      if let missing = missingInput(part) { return "cannot be made: \(missing) cannot be read" }
      return "expected time: " + Estimates.text(estimates.guess(part, folder(part)))
    }
  }

  /// What is not made yet.
  private var left: [Part] {
    plan.parts.filter { part in
      if case .done = state(part) { return false }
      return true
    }
  }

  private func learn() {
    for part in plan.parts {
      if case .done(let done) = state(part) { estimates.learn(part, done) }
    }
  }

  /// How much is left, in one line.
  private func outlook() -> String {
    var (seconds, known, unknown) = (0.0, 0, 0)
    var hasGiven = false
    for part in plan.parts where problems[part.id] == nil {
      if case .done = state(part) { continue }
      if let guess = estimates.guess(part, folder(part)) {
        seconds += guess.seconds
        known += 1
        hasGiven = hasGiven || guess.isGiven
      } else {
        unknown += 1
      }
    }
    if known + unknown == 0 { return "nothing is left to do" }
    var text = "left: \(known + unknown) \(known + unknown == 1 ? "part" : "parts")"
    if known > 0 { text += ", \(known) of them about \(Estimates.duration(seconds))" }
    if unknown > 0 { text += known > 0 ? ", \(unknown) unknown" : ", how long is unknown yet" }
    if hasGiven, let given = estimates.given {
      let times = estimates.pace.map { "\(Estimates.ratio($0)) × " } ?? ""
      text += " (before it is measured: \(times)\(given.of))"
    }
    return text
  }

  private func shown(_ words: [String]) -> String {
    if words[0] == "cat" { return words.joined(separator: " ") }
    return Words.shell([children.path(words[0])] + words.dropFirst())
  }

  // MARK: Running

  /// Makes what is not made yet, part by part; a part that fails leaves out those that need it.
  ///
  /// Throws ``ExperimentError`` where the output folder cannot be used.
  public func run() throws -> Summary {
    let lock = try lockOutput()
    defer { withExtendedLifetime(lock) {} }
    try refuseChanged()
    Interruption.watch()
    learn()
    let left = self.left
    try refuseMissing(left)
    try refuseWrongCalls(left)
    say("\(plan.experiment.title): \(plan.parts.count) parts in \(plan.output)")
    if left.count < plan.parts.count {
      say("\(plan.parts.count - left.count) are done already")
    }
    say(outlook())
    for (place, part) in plan.parts.enumerated() where Interruption.received == nil {
      if case .done = state(part) { continue }
      say("\n[\(place + 1)/\(plan.parts.count)] \(part.title)")
      if let need = part.needs.first(where: { problems[$0] != nil }) {
        problems[part.id] = "left out: it needs \(need)"
        say("    left out: it needs \(need)")
        continue
      }
      do {
        try make(part)
      } catch let stopped as Stopped {
        problems[part.id] = "was stopped (exit code \(stopped.status)): run the command again"
        break
      } catch {
        if Interruption.received != nil { break }
        problems[part.id] = "\(error)"
        say("    FAILED: \(error)")
        say("    the other parts go on; the log is \(folder(part).logPath)")
      }
      if part.result != nil { try writeResults() }
    }
    try writeResults()
    return summary()
  }

  /// Parts that other settings or files have made are neither made again nor left out of the results.
  private func refuseChanged() throws {
    let changed = plan.parts.compactMap { part -> String? in
      guard case .changed(let how) = state(part) else { return nil }
      return "\(folder(part).path) \(how)"
    }
    guard let first = changed.first else { return }
    let others = changed.count == 1 ? "" : " (and \(changed.count - 1) more)"
    throw ExperimentError(
      """
      --output: \(first)\(others): give what it was made with or another --output, or remove it to \
      make it again
      """)
  }

  /// What is not there is said before hours of other parts.
  private func refuseMissing(_ left: [Part]) throws {
    let needing = left.filter { missingInput($0) != nil }
    guard let first = needing.first, let path = missingInput(first) else { return }
    let others = needing.count == 1 ? "" : " and \(needing.count - 1) more"
    throw ExperimentError(
      """
      \(path): cannot be read, and \(first.id)\(others) cannot be made without: name another file by \
      --set or --model, or leave out what needs it by --data or --variants
      """)
  }

  /// What is no command line is said before hours of other parts.
  private func refuseWrongCalls(_ left: [Part]) throws {
    for part in left {
      for words in part.commands where words[0] != "cat" {
        let problem = try children.problem(words)
        if Interruption.received != nil { return }
        if let problem {
          throw ExperimentError("\(part.id): \(problem) (\(shown(words)))")
        }
      }
    }
  }

  private func missingInput(_ part: Part) -> String? {
    let read = part.commands.flatMap { Part.inputs($0).map(\.path) }
    return recipe(part).inputs.first { $0.identity == nil && read.contains($0.path) }?.path
  }

  private func summary() -> Summary {
    var summary = Summary(
      done: 0, total: plan.parts.count, failed: [], skipped: [],
      interrupted: Interruption.received)
    for part in plan.parts {
      if case .done = state(part) {
        summary.done += 1
      } else if let problem = problems[part.id] {
        if problem.hasPrefix("left out") {
          summary.skipped.append("\(part.id): \(problem)")
        } else {
          summary.failed.append("\(part.id): \(problem)")
        }
      }
    }
    return summary
  }

  private func make(_ part: Part) throws {
    let folder = folder(part)
    let recipe = recipe(part)
    say("    expected time: \(Estimates.text(estimates.guess(part, folder)))")
    try folder.begin(recipe: recipe)
    let start = ContinuousClock.now
    let earlier = folder.stepSeconds
    var most: Int?
    for words in part.commands {
      let words = resumed(words, part, folder)
      say("    $ \(shown(words))")
      if words[0] == "cat" {
        try join(words)
        continue
      }
      let outcome = try children.run(words, log: folder.logPath)
      if outcome.status != 0 {
        if Interruption.received == nil, [129, 130, 143].contains(outcome.status) {
          throw Stopped(status: outcome.status)
        }
        throw ExperimentError(
          "exit code \(outcome.status): \(ChildProcess.reason(folder.lastOutput))")
      }
      if let bytes = outcome.anonymousBytes { most = max(most ?? 0, bytes) }
    }
    if Interruption.received != nil { throw ExperimentError("interrupted") }
    let executable =
      part.commands.last?.first == "imprint"
      ? InputIdentities.identity(of: children.executables + "/imprint") : nil
    if part.result != nil, folder.report == nil {
      throw ExperimentError("wrote no report that can be read")
    }
    var seconds = (ContinuousClock.now - start).inSeconds
    if !earlier.isEmpty { seconds += earlier.reduce(0, +) }
    let recorded = folder.recordedBytes
    let done = PartFolder.Done(
      recipe: recipe, commands: part.commands.map(shown), seconds: seconds,
      anonymousBytes: [most, recorded].compactMap(\.self).max(), tasks: Estimates.tasks(part),
      finished: Date.now.ISO8601Format(), executable: executable)
    try folder.finish(done)
    estimates.learn(part, done)
    let memory = done.anonymousBytes.map { ", at most \($0 >> 20) MiB of anonymous memory" } ?? ""
    say("    done in \(Estimates.duration(seconds))\(memory); \(outlook())")
  }

  /// A training command that goes on where its run was, or starts where there is no checkpoint yet.
  private func resumed(_ words: [String], _ part: Part, _ folder: PartFolder) -> [String] {
    guard part.kind == .train || part.kind == .finetune, folder.run.exists else { return words }
    return words + ["--resume"]
  }

  /// `cat A B > C`, in one piece or not at all.
  private func join(_ words: [String]) throws {
    guard words.count > 3, words[words.count - 2] == ">" else {
      throw ExperimentError("cat: expected 'cat FILES > FILE'")
    }
    var bytes: [UInt8] = []
    for path in words[1..<words.count - 2] {
      guard let data = FileManager.default.contents(atPath: path) else {
        throw ExperimentError("\(path): cannot be read")
      }
      bytes += data
      if bytes.last != 0x0a { bytes.append(0x0a) }
    }
    try AtomicFile.write(bytes, to: words[words.count - 1])
  }

  private func lockOutput() throws -> FolderLock {
    do {
      try FileManager.default.createDirectory(
        atPath: plan.output, withIntermediateDirectories: true)
    } catch {
      throw ExperimentError("--output: \(plan.output) cannot be made")
    }
    do {
      return try FolderLock(folder: plan.output)
    } catch {
      throw ExperimentError("--output: \(error.path) \(error.problem)")
    }
  }

  private func writeResults() throws {
    let shown = plan.adding(from: whole) { done($0) != nil }
    try Results(shown, isSmoke: isSmoke, problems: problems, done: done).write()
  }

  private func done(_ part: Part) -> PartFolder.Done? {
    if case .done(let done) = state(part) { return done }
    return nil
  }
}
