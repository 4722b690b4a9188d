import Foundation
import Storage

/// The original files of the Reversal Curse's first experiment as tasks.
///
/// Source of the files: Berglund et al. 2023. `d2p` rows say a description and complete a person's
/// name, `p2d` rows the other way round, each as `{"prompt", "completion"}`. Of a person, every
/// row of `X_prompts_train.jsonl` becomes a context, and the rows of `X_reverse_prompts_test.jsonl`
/// are asked of them in turn: a query and response in the direction that the context does not have.
/// Names are found as whole words; a row that names several people is left out.
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

  /// Reads the folder; `testShare` of its people, drawn by `seed`, are for testing: of each direction
  /// one at least, and one for training, if there are two and it is neither 0 nor 1. Those of one
  /// direction whose first descriptions are equal stay together.
  ///
  /// Throws ``JSONLines/Failure`` naming file, line and field; where a file is missing or empty; where
  /// no task comes of them; and where a side has none, but for a share of 0 or 1.
  public init(folder: String, testShare: Double, seed: UInt64) throws(JSONLines.Failure) {
    var sides: [String: Bool] = [:]
    for direction in ["d2p", "p2d"] {
      func rows(_ name: String) throws(JSONLines.Failure) -> [Row] {
        try Self.rows("\(folder)/\(direction)_\(name).jsonl")
      }
      let contexts = try rows("prompts_train")
      let questions = try rows("reverse_prompts_test")
      // In one of the two, completions are names and nothing else, in the other descriptions.
      let names = try direction == "d2p" ? rows("prompts_test") : questions
      let people = People(names.map { Self.bare($0.completion) })
      var descriptions: [String: String] = [:]
      for row in direction == "d2p" ? questions : contexts {
        let found = people.named(in: row.text)
        if found.count == 1, let person = found.first, descriptions[person] == nil {
          descriptions[person] = Self.bare(row.completion)
        }
      }
      // Who is in both directions stays on the side that the first one gave.
      let fresh = people.names.filter { sides[$0] == nil }
      var random = SplitMix64(dataset: direction, seed: seed, forTest: false)
      let groups = random.shuffled(fresh).joined(by: { descriptions[$0] ?? $0 })
      var left = Int((Double(fresh.count) * testShare).rounded())
      for (index, group) in groups.enumerated() {
        var isTest = left > 0
        if testShare > 0, testShare < 1, groups.count > 1 {
          isTest = index == 0 || (isTest && index < groups.count - 1)
        }
        for person in group { sides[person] = isTest }
        if isTest { left -= group.count }
      }
      pair(contexts, questions, people: people, sides: sides)
    }
    report.written = train.count + test.count
    try report.refuseNothing(of: folder)
    if testShare > 0, testShare < 1, train.isEmpty || test.isEmpty {
      throw JSONLines.Failure(
        path: folder, line: 0,
        "gives no task to \(train.isEmpty ? "train" : "test") with: expected another --test-share")
    }
  }

  private mutating func pair(
    _ contexts: [Row], _ questions: [Row], people: People, sides: [String: Bool]
  ) {
    var seen = Set<String>()
    var asked: [String: [Row]] = [:]
    for row in questions {
      if let person = who(row, in: "question", people) { asked[person, default: []].append(row) }
    }
    var turn: [String: Int] = [:]
    for row in contexts {
      guard let person = who(row, in: "context", people) else { continue }
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
    for (person, queries) in asked {
      for _ in 0..<max(0, queries.count - turn[person, default: 0]) {
        report.drop("question that no context is left for")
      }
    }
  }

  /// Whom the row is about; nil, and counted, where that is nobody known or several people.
  private mutating func who(_ row: Row, in kind: String, _ people: People) -> String? {
    let found = people.named(in: row.text)
    if found.count == 1 { return found.first }
    report.drop(found.isEmpty ? "\(kind) of nobody known" : "names several people")
    return nil
  }

  /// A completion without what ends it.
  private static func bare(_ completion: String) -> String {
    completion.trimmingCharacters(in: CharacterSet(charactersIn: ". \n"))
  }

  private static func rows(_ path: String) throws(JSONLines.Failure) -> [Row] {
    var lines = try JSONLines(path: path)
    var rows: [Row] = []
    while let row = try lines.next(Row.self) { rows.append(row) }
    guard !rows.isEmpty else { throw JSONLines.Failure(path: path, line: 0, "holds no row") }
    return rows
  }
}

/// People by their names.
private struct People {
  /// Each once, longer ones first.
  let names: [String]
  private let byWords: [[String]: String]
  /// The most words of a name.
  private let longest: Int

  init(_ given: [String]) {
    names = Set(given).filter { !$0.isEmpty }.sorted { ($1.count, $0) < ($0.count, $1) }
    byWords = Dictionary(
      names.map { (Self.words($0), $0) }, uniquingKeysWith: { first, _ in first })
    longest = byWords.keys.map(\.count).max() ?? 0
  }

  /// Who is named in `text` by whole words; a name that is part of a longer one does not count.
  func named(in text: String) -> Set<String> {
    let words = Self.words(text)
    var found = Set<String>()
    var start = 0
    while start < words.count {
      var length = min(longest, words.count - start)
      while length > 0 {
        if let name = byWords[Array(words[start..<start + length])] {
          found.insert(name)
          break
        }
        length -= 1
      }
      start += max(1, length)
    }
    return found
  }

  private static func words(_ text: String) -> [String] {
    text.split { !$0.isLetter && !$0.isNumber }.map(String.init)
  }
}
