import Foundation
import Storage

/// The original files of the Reversal Curse's first experiment as tasks.
///
/// Source of the files: Berglund et al. 2023. `d2p` rows say a description and complete a person's
/// name, `p2d` rows the other way round, each as `{"prompt", "completion"}`. Of a person, every
/// row of `X_prompts_train.jsonl` becomes a context, and the rows of `X_reverse_prompts_test.jsonl`
/// are asked of them in turn: a query and response in the direction that the context does not have.
public struct ReversalCurseFiles {
  /// Tasks to train with; no person of theirs is in ``test``.
  public private(set) var train: [MetaTask] = []
  /// Tasks to test with.
  public private(set) var test: [MetaTask] = []
  /// What was left out.
  public private(set) var report = DatasetReport()

  private struct Row: Decodable {
    var prompt: String
    var completion: String
    var text: String { prompt + completion }
  }

  /// Reads the folder; `testShare` of its people, drawn by `seed`, are for testing.
  ///
  /// Throws ``JSONLines/Failure`` naming file, line and field; where a file is missing; and where no
  /// task comes of them.
  public init(folder: String, testShare: Double, seed: UInt64) throws(JSONLines.Failure) {
    var sides: [String: Bool] = [:]
    for direction in ["d2p", "p2d"] {
      func rows(_ name: String) throws(JSONLines.Failure) -> [Row] {
        try Self.rows("\(folder)/\(direction)_\(name).jsonl")
      }
      let contexts = try rows("prompts_train")
      let questions = try rows("reverse_prompts_test")
      // In one of the two, completions are names and nothing else.
      let names = try direction == "d2p" ? rows("prompts_test") : questions
      let people = Self.people(names.map(\.completion))
      // Who is in both directions stays on the side that the first one gave.
      let fresh = people.filter { sides[$0] == nil }
      var random = SplitMix64(dataset: direction, seed: seed, forTest: false)
      let tests = Int((Double(fresh.count) * testShare).rounded())
      for (index, person) in random.shuffled(fresh).enumerated() { sides[person] = index < tests }
      pair(contexts, questions, people: people, sides: sides)
    }
    report.written = train.count + test.count
    guard report.written > 0 else {
      throw JSONLines.Failure(path: folder, line: 0, "gives no task: \(report.line())")
    }
  }

  private mutating func pair(
    _ contexts: [Row], _ questions: [Row], people: [String], sides: [String: Bool]
  ) {
    var seen = Set<String>()
    func who(_ row: Row) -> String? { people.first { row.text.contains($0) } }
    var asked: [String: [Row]] = [:]
    for row in questions {
      if let person = who(row) {
        asked[person, default: []].append(row)
      } else {
        report.drop("question of nobody known")
      }
    }
    var turn: [String: Int] = [:]
    for row in contexts {
      guard let person = who(row) else {
        report.drop("context of nobody known")
        continue
      }
      guard let queries = asked[person] else {
        report.drop("context without a reverse question")
        continue
      }
      guard seen.insert(row.text).inserted else {
        report.drop("repeated context")
        continue
      }
      let query = queries[turn[person, default: 0] % queries.count]
      turn[person, default: 0] += 1
      let task = MetaTask(
        context: row.text, query: query.prompt, response: query.completion)
      if sides[person] == true { test.append(task) } else { train.append(task) }
    }
  }

  /// The names in `completions`, each once, longer ones first so that none hides in another.
  private static func people(_ completions: [String]) -> [String] {
    var seen = Set<String>()
    return completions.map { $0.trimmingCharacters(in: CharacterSet(charactersIn: ". \n")) }
      .filter { !$0.isEmpty && seen.insert($0).inserted }
      .sorted { ($1.count, $0) < ($0.count, $1) }
  }

  private static func rows(_ path: String) throws(JSONLines.Failure) -> [Row] {
    var lines = try JSONLines(path: path)
    var rows: [Row] = []
    while let row = try lines.next(Row.self) { rows.append(row) }
    return rows
  }
}
