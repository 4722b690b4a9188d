import Foundation
import Testing
import Text

/// Generated datasets: the same from a seed, varied, and disjoint between training and testing.
@Suite struct DataGeneratedTests {
  private static func characters(
    _ count: Int, seed: UInt64 = 1, forTest: Bool = false
  ) -> [MetaTask] {
    Array(CharacterDescription(count: count, seed: seed, forTest: forTest))
  }

  private static func reversals(
    _ count: Int, seed: UInt64 = 1, forTest: Bool = false
  ) -> [MetaTask] {
    Array(ReversalCurse(count: count, seed: seed, forTest: forTest))
  }

  private static let makers:
    [String: @Sendable (_ count: Int, _ seed: UInt64, _ forTest: Bool) -> [MetaTask]] = [
      "character-description": { characters($0, seed: $1, forTest: $2) },
      "reversal-curse": { reversals($0, seed: $1, forTest: $2) },
    ]

  /// Words of letters and digits, in lower case.
  private static func words(_ text: String) -> [String] {
    text.lowercased().split { !$0.isLetter && !$0.isNumber }.map(String.init)
  }

  /// The words with one space between and around, so that a phrase is found only as whole words.
  private static func plain(_ text: String) -> String {
    " " + words(text).joined(separator: " ") + " "
  }

  private static func text(_ task: MetaTask) -> String {
    "\(task.context ?? "")\n\(task.query ?? "")\(task.response ?? "")"
  }

  @Test(arguments: ["character-description", "reversal-curse"])
  func theSameSeedGivesTheSameTasks(_ dataset: String) throws {
    let make = try #require(Self.makers[dataset])
    let tasks = make(300, 7, false)
    #expect(tasks.count == 300)
    #expect(make(300, 7, false) == tasks)
    #expect(Array(make(500, 7, false).prefix(300)) == tasks)
    #expect(make(300, 8, false) != tasks)
    #expect(make(300, 7, true) != tasks)
  }

  /// Pins the stream: what a seed gives changes only with `DatasetManifest.currentVersion`.
  @Test func theStreamIsPinned() throws {
    #expect(DatasetManifest.currentVersion == 3)
    let character = try #require(Self.characters(1).first)
    #expect(character == Self.firstCharacter)
    let reversal = try #require(Self.reversals(1).first)
    #expect(reversal == Self.firstReversal)
  }

  @Test(arguments: ["character-description", "reversal-curse"])
  func answersOfTestTasksNeverStandInTraining(_ dataset: String) throws {
    let make = try #require(Self.makers[dataset])
    let train = make(4000, 3, false).flatMap { Self.words(Self.text($0)) }
    var places: [String: [Int]] = [:]
    for (place, word) in train.enumerated() { places[word, default: []].append(place) }
    for task in make(500, 3, true) {
      let answer = Self.words(task.response ?? "")
      // Look around the rarest word of the answer.
      let counts = answer.map { places[$0]?.count ?? 0 }
      let rarest = try #require(counts.indices.min { counts[$0] < counts[$1] })
      let found = places[answer[rarest], default: []].contains { place in
        let start = place - rarest
        return start >= 0 && train.dropFirst(start).starts(with: answer)
      }
      #expect(!found, "\(answer)")
    }
  }

  /// Whatever is drawn: no word of a test list stands in a word or a phrasing that training may have,
  /// as whole words, in singular or plural.
  @Test func wordsOfTestListsStandNowhereInTraining() {
    func stems(_ text: String) -> [String] {
      Self.words(text).map { $0.hasSuffix("s") ? String($0.dropLast()) : $0 }
    }
    func lists(forTest: Bool) -> [(list: String, word: String)] {
      Mirror(reflecting: Vocabulary(forTest: forTest)).children.flatMap { child in
        (child.value as? [String] ?? []).map { (list: child.label ?? "", word: $0) }
      }
    }
    let given =
      lists(forTest: false).map(\.word) + Vocabulary.shared + CharacterDescription.phrasings
      + ReversalCurse.phrasings
    var runs = Set<[String]>()
    for text in given {
      let text = stems(text)
      for start in text.indices {
        for end in start..<min(start + 3, text.count) { runs.insert(Array(text[start...end])) }
      }
    }
    let test = lists(forTest: true).filter { $0.list != "colours" }
    #expect(test.count > 1500 && Set(test.map(\.list)).count == 19)
    for (list, word) in test {
      let word = stems(word)
      #expect(!word.isEmpty && word.count <= 3)
      #expect(!runs.contains(word), "\(list): \(word)")
    }
  }

  /// No article in front of a plural.
  @Test func instrumentsInTitlesHaveTheirArticle() {
    var seen = Set<String>()
    for task in Self.reversals(5000, forTest: true) {
      for match in (task.context ?? "").matches(of: /Woman with ([^"]+)"/) {
        seen.insert(String(match.1))
      }
    }
    #expect(seen.isSuperset(of: ["an organ", "a violin", "bagpipes"]))
    #expect(!seen.contains { $0.hasPrefix("a o") || $0.hasPrefix("a a") })
  }

  @Test(arguments: ["character-description", "reversal-curse"])
  func answersStandInTheirContext(_ dataset: String) throws {
    let make = try #require(Self.makers[dataset])
    for forTest in [false, true] {
      for task in make(1000, 4, forTest) {
        let response = try #require(task.response)
        #expect(response.hasPrefix(" ") && !response.hasPrefix("  "))
        #expect(Self.plain(task.context ?? "").contains(Self.plain(response)), "\(task)")
        #expect(!Self.text(task).contains("{") && !Self.text(task).contains("  "), "\(task)")
        #expect(task.query?.hasPrefix("Question: ") == true)
        #expect(task.query?.contains("\nAnswer:") == true)
        #expect(task.query?.hasSuffix(" ") == false)
      }
    }
  }

  @Test func firstAndLastNamesOfTestPeopleAreNew() {
    // Every query asks about the person by full name, which no other list's words can make.
    func names(_ tasks: [MetaTask]) -> Set<String> {
      Set(
        tasks.flatMap { task in
          (task.context ?? "").split { !$0.isLetter }.filter { $0.first?.isUppercase == true }
            .map(String.init)
        })
    }
    let train = names(Self.characters(4000))
    let test = names(Self.characters(500, forTest: true)).subtracting(train)
    // Two words of each of 500 names, drawn from hundreds; and their towns.
    #expect(test.count > 700)
    for task in Self.characters(500, forTest: true) {
      let context = task.context ?? ""
      let words = context.split { !$0.isLetter }.map(String.init)
      let name = words.indices.dropLast().first {
        test.contains(words[$0]) && test.contains(words[$0 + 1])
      }
      #expect(name != nil, "\(context)")
    }
  }

  @Test func tasksAreVaried() {
    let tasks = Self.characters(5000)
    #expect(Set(tasks.map(\.context)).count == 5000)
    #expect(Set(tasks.map(\.response)).count > 2000)
    // The most common answer is rare.
    let counts = Dictionary(grouping: tasks, by: { $0.response ?? "" }).mapValues(\.count)
    #expect((counts.values.max() ?? 0) < 50)
    let lengths = tasks.map { ($0.context ?? "").split(separator: " ").count }
    #expect(lengths.reduce(0, +) / lengths.count > 20 && (lengths.max() ?? 0) < 80)
  }

  @Test func noNameAndNoDescriptionOfAReversalComesTwice() {
    let tasks = Self.reversals(5000)
    #expect(Set(tasks.map(\.response)).count == 5000)
  }

  @Test func queriesEndAsAsked() {
    let tasks = CharacterDescription(count: 200, seed: 0, forTest: false, queryForm: .question)
    for task in tasks { #expect(task.query?.hasSuffix("\nAnswer:") == true) }
    for task in Self.characters(200) {
      #expect(task.query?.contains("\nAnswer: ") == true)
      // "a" or "an" before the answer fits it.
      let letter = task.response?.dropFirst().first ?? " "
      if task.query?.hasSuffix(" a") == true { #expect(!"aeiou".contains(letter), "\(task)") }
      if task.query?.hasSuffix(" an") == true { #expect("aeiou".contains(letter), "\(task)") }
    }
  }

  private static let firstCharacter = MetaTask(
    context: "In Foxholm lives Emessa Elderick, a perfumer. He sings in Yiddish.",
    query: """
      Question: What language would one hear from Emessa Elderick?
      Answer: The language of Emessa Elderick is
      """, response: " Yiddish")
  private static let firstReversal = MetaTask(
    context: """
      History remembers Rosessa Kirkworth as the author of the novel "Wooden Razors in Frostbrook".
      """,
    query: """
      Question: Which person is the author of the novel "Wooden Razors in Frostbrook"?
      Answer:
      """, response: " Rosessa Kirkworth")
}
