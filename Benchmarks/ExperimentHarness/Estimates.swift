import Foundation

/// How long parts will take, from what has been measured in the same output folder, or before that
/// from the experiment's rates, at the pace that what was measured had beside them.
struct Estimates: Sendable {
  /// A guess and what it is from.
  struct Guess: Sendable, Equatable {
    var seconds: Double
    var basis: String
    /// Whether nothing like it was measured here.
    var isGiven = false
  }

  /// What is known before anything was measured.
  let given: Experiment.Rates?
  private var measured: [(id: String, likeness: [String], seconds: Double, tasks: Double)] = []

  init(given: Experiment.Rates? = nil) { self.given = given }

  /// Takes a part that is made into account.
  mutating func learn(_ part: Part, _ done: PartFolder.Done) {
    guard done.seconds > 0 else { return }
    measured.removeAll { $0.id == part.id }
    measured.append((part.id, part.likeness, done.seconds, max(done.tasks ?? 1, 1)))
  }

  /// How long what was measured took, as a multiple of the given rates' time; nil where nothing that
  /// has one took some seconds.
  var pace: Double? {
    guard let given else { return nil }
    var (here, there) = (0.0, 0.0)
    for part in measured {
      guard let rate = part.likeness.lazy.compactMap({ given.seconds[$0] }).first else { continue }
      here += part.seconds
      there += rate * part.tasks
    }
    return here >= Self.shortestPace && there > 0 ? here / there : nil
  }

  /// Seconds that have to be measured before they say how fast a machine is.
  private static let shortestPace = 10.0

  /// How long `part` will take; nil where nothing like it has been measured, or how much work it is
  /// is not known yet.
  func guess(_ part: Part, _ folder: PartFolder) -> Guess? {
    let tasks = Self.tasks(part)
    let steps = folder.stepSeconds
    if let total = Self.steps(part), !steps.isEmpty {
      let left = max(0, Double(total) - Double(steps.count))
      return Guess(
        seconds: left * steps.sorted()[steps.count / 2], basis: "from its own \(steps.count) steps")
    }
    guard let tasks else { return nil }
    for likeness in part.likeness {
      let alike = measured.filter { $0.likeness.contains(likeness) }
      if let last = alike.last {
        let rate = alike.reduce(0) { $0 + $1.seconds / $1.tasks } / Double(alike.count)
        return Guess(seconds: rate * max(tasks, 1), basis: "from \(last.id)")
      }
      if let rate = given?.seconds[likeness] {
        let times = pace.map { "; others took \(Self.ratio($0)) times as long here" } ?? ""
        return Guess(
          seconds: rate * max(tasks, 1) * (pace ?? 1), basis: "not measured here yet\(times)",
          isGiven: true)
      }
    }
    return nil
  }

  /// Steps of a training part, as far as its flags and its data say.
  static func steps(_ part: Part) -> Int? {
    guard part.kind == .train || part.kind == .finetune else { return nil }
    if let steps = part.flag("--steps") ?? part.flag("--max-steps") { return Int(steps) }
    guard let file = part.tasks, let lines = lines(file) else { return nil }
    let epochs = part.flag("--epochs").flatMap { Int($0) } ?? 1
    let steps = Double(epochs) * Double(lines / contexts(part)) / Double(batch(part))
    return Int(min(max(1, steps), 1e15))
  }

  /// How much work a part is, in tasks; nil where that is not known.
  static func tasks(_ part: Part) -> Double? {
    switch part.kind {
    case .train, .finetune:
      return steps(part).map { Double($0) * Double(batch(part)) * Double(contexts(part)) }
    case .data, .merge: return 1
    case .evaluate:
      guard let file = part.tasks, var count = lines(file) ?? part.expectedTasks else { return nil }
      if let limit = part.flag("--limit").flatMap({ Int($0) }) { count = min(count, limit) }
      // Beside three forms and an inner step: another inner step and form, and for each number of
      // contexts two.
      let repeats =
        part.flag("--retention").map {
          $0.split(separator: ",").count { $0 != "1" } * 2
        } ?? 0
      let controls = repeats + (part.hasFlag("--irrelevant-context") ? 1 : 0)
      return Double(count) * (1 + 0.6 * Double(controls))
    }
  }

  private static func batch(_ part: Part) -> Int {
    max(1, part.flag("--batch-size").flatMap { Int($0) } ?? 16)
  }

  private static func contexts(_ part: Part) -> Int {
    max(1, part.flag("--contexts-per-update").flatMap { Int($0) } ?? 1)
  }

  private static func lines(_ path: String) -> Int? {
    FileManager.default.contents(atPath: path).map { data in data.count { $0 == 0x0a } }
  }

  /// For people: `about 12 min (from …)`, or that nothing is known.
  static func text(_ guess: Guess?) -> String {
    guard let guess else {
      return "unknown (nothing like it has been measured here yet, or its data are not made)"
    }
    return "about \(duration(guess.seconds)) (\(guess.basis))"
  }

  /// `0.55`.
  static func ratio(_ value: Double) -> String { String(format: "%.2f", value) }

  /// `45 s`, `12 min`, `3 h 05 min`.
  static func duration(_ seconds: Double) -> String {
    if seconds < 90 { return "\(Int(seconds.rounded(.up))) s" }
    let minutes = Int((seconds / 60).rounded())
    if minutes < 90 { return "\(minutes) min" }
    let rest = minutes % 60
    return "\(minutes / 60) h \(rest < 10 ? "0" : "")\(rest) min"
  }
}
