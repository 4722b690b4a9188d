import Foundation
import TestSupport
import Testing
import Text

/// Task files: what is read, and one line for each way that they can be wrong.
@Suite struct TaskFileTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private static let good =
    #"{"context_ids": [1, 2], "query_ids": [3], "response_ids": [4], "separator_ids": [0]}"#

  private func read(_ content: [UInt8], limit: Int? = nil) throws -> [TokenizedTask] {
    let path = try folder.write(content, "tasks.jsonl")
    return try TaskFile.read(path, tokenizer: nil, vocabularySize: 10, limit: limit)
  }

  private func problem(_ content: [UInt8]) -> String {
    do {
      _ = try read(content)
      return "no error"
    } catch {
      return "\(error)".replacingOccurrences(of: folder.path + "/", with: "")
    }
  }

  @Test func idsAreTakenAsTheyAre() throws {
    let task = try #require(try read(Array(Self.good.utf8)).first)
    #expect(task.context == [1, 2] && task.query == [3])
    #expect(task.response == [4] && task.separator == [0])
  }

  /// A text starts with bos where the tokenizer asks for it, as `generate` has it: a context, a query
  /// on its own, plain text, a piece of a document; ids do not.
  @Test func textsStartAsTheTokenizerSays() throws {
    let tokenizer = try TokenizerFixtureTests.tokenizer("fallback")
    let bos = try #require(tokenizer.bosId)
    #expect(tokenizer.startIds == [bos])
    let rows =
      #"{"context": "one two", "query": "three", "response": " four"}"# + "\n"
      + #"{"context_ids": [1, 2], "query_ids": [3], "response": " four"}"#
    let tasks = try TaskFile.read(
      try folder.write(Array(rows.utf8), "texts.jsonl"), tokenizer: tokenizer,
      vocabularySize: tokenizer.vocabularySize)
    #expect(tasks[0].context == [bos] + tokenizer.encode("one two"))
    #expect(tasks[0].start == [bos] && tasks[0].query == tokenizer.encode("three"))
    #expect(
      tasks[0].response == tokenizer.encode(" four") && tasks[1].response == tasks[0].response)
    #expect(tasks[1].context == [1, 2] && tasks[1].start.isEmpty)
    let text = try folder.write(Array("one two three\n\nfour five six".utf8), "text.txt")
    let pieces = try PlainText.read(text, tokenizer: tokenizer, length: 64, shortest: 2)
    #expect(pieces == ["one two three", "four five six"].map { [bos] + tokenizer.encode($0) })
    let contexts = ContextCutter(tokenizer: tokenizer, length: 8)
      .contexts(of: "One two. Three four. Five six. Seven eight. Nine ten.")
    #expect(contexts.count > 1)
    #expect(contexts.allSatisfy { $0.first == bos && (3...9).contains($0.count) })
  }

  @Test func marksCarriageReturnsAndEmptyLinesAreHarmless() throws {
    let text = "\u{feff}\(Self.good)\r\n\r\n \t\n\(Self.good)\r\n\(Self.good)"
    #expect(try read(Array(text.utf8)).count == 3)
    #expect(try read(Array(text.utf8), limit: 2).count == 2)
  }

  @Test(arguments: [
    ("", "tasks.jsonl: holds no task"),
    ("\n\r\n", "tasks.jsonl: holds no task"),
    ("GOOD\n{", "tasks.jsonl, line 2: is not valid JSON"),
    ("GOOD\nGOOD GOOD", "tasks.jsonl, line 2: is not valid JSON"),
    ("GOOD\n[1]", "tasks.jsonl, line 2: expected a JSON object"),
    ("GOOD\n3", "tasks.jsonl, line 2: expected a JSON object"),
    ("{}", "tasks.jsonl, line 1: field 'context' is missing"),
    (
      #"{"context": "a b"}"#,
      "tasks.jsonl, line 1: field 'context' is text, but the model has no tokenizer: give "
        + "'context_ids'"
    ),
    (
      #"{"context": "a b", "context_ids": [1, 2]}"#,
      "tasks.jsonl, line 1: field 'context' is there as 'context_ids', too"
    ),
    (
      #"{"context_ids": [1, 2]}"#,
      "tasks.jsonl, line 1: field 'separator_ids' is missing, and the model has no tokenizer"
    ),
    ("null", "tasks.jsonl, line 1: expected a JSON object"),
    (
      #"{"context_ids": [1, 2], "separator": " "}"#,
      "tasks.jsonl, line 1: field 'separator' is text, but the model has no tokenizer: give "
        + "'separator_ids'"
    ),
    (#"{"separator_ids": [0]}"#, "tasks.jsonl, line 1: field 'context' is missing"),
    (
      #"{"separator_ids": [0], "context_ids": [1, 2], "query_ids": [3]}"#,
      "tasks.jsonl, line 1: field 'response' is missing"
    ),
    (
      #"{"separator_ids": [0], "context_ids": [1], "query_ids": [3], "response_ids": [4]}"#,
      "tasks.jsonl, line 1: field 'context_ids': expected at least 2 tokens, found 1"
    ),
    (
      #"{"separator_ids": [0], "context_ids": [1, 2], "query_ids": [], "response_ids": [4]}"#,
      "tasks.jsonl, line 1: field 'query_ids': expected at least 1 token, found 0"
    ),
    (
      #"{"separator_ids": [0], "context_ids": [1, 2], "query_ids": [3], "response_ids": []}"#,
      "tasks.jsonl, line 1: field 'response_ids': expected at least 1 token, found 0"
    ),
    (
      #"{"separator_ids": [0], "context_ids": [1, 10]}"#,
      "tasks.jsonl, line 1: field 'context_ids': id 10 is outside the vocabulary of 10"
    ),
    (
      #"{"separator_ids": [-1], "context_ids": [1, 2]}"#,
      "tasks.jsonl, line 1: field 'separator_ids': id -1 is outside the vocabulary"
    ),
    (#"{"context": 3}"#, "tasks.jsonl, line 1: field 'context': expected String"),
    (
      #"{"query_ids": 3}"#,
      "tasks.jsonl, line 1: field 'query_ids': expected a list of integers"
    ),
    (#"{"answers": "a"}"#, "tasks.jsonl, line 1: field 'answers': expected a list of texts"),
    (#"{"answers": ["a", 1]}"#, "tasks.jsonl, line 1: field 'answers.[1]': expected String"),
  ])
  func badLinesAreNamed(_ content: String, _ expected: String) {
    let text = content.replacingOccurrences(of: "GOOD", with: Self.good)
    #expect(problem(Array(text.utf8)) == expected)
  }

  @Test func idsThatAreNoNumbersAreNamed() {
    for value in ["2.5", "4294967296", "1e99", "-2147483649"] {
      let message = problem(Array(#"{"context_ids": [1, \#(value)]}"#.utf8))
      #expect(
        message
          == "tasks.jsonl, line 1: field 'context_ids': expected whole numbers of 32 bits",
        "\(value)")
    }
    #expect(
      problem(Array(#"{"context_ids": [1, "a"]}"#.utf8))
        == "tasks.jsonl, line 1: field 'context_ids.[1]': expected Int32")
  }

  @Test func invalidUTF8IsRefused() {
    let bytes = Array(Self.good.utf8) + [0x0a, 0x7b, 0x22, 0xff, 0x22, 0x7d]
    #expect(problem(bytes) == "tasks.jsonl, line 2: is not valid UTF-8")
  }

  /// Deep nesting must not overflow the stack.
  @Test func deepNestingIsRefused() {
    let deep = String(repeating: "[", count: 100_000)
    #expect(problem(Array(#"{"context": \#(deep)"#.utf8)).contains("line 1"))
  }

  @Test func textIsEncodedPartByPart() throws {
    let tokenizer = try TokenizerFixtureTests.tokenizer("fallback")
    let rows = #"{"context": "A river begins", "query": "A", "response": " river"}"#
    let path = try folder.write(Array(rows.utf8), "tasks.jsonl")
    let task = try #require(
      try TaskFile.read(path, tokenizer: tokenizer, vocabularySize: 1 << 20).first)
    #expect(task.context == tokenizer.encode("A river begins", addSpecialTokens: true))
    #expect(task.query == tokenizer.encode("A") && task.response == tokenizer.encode(" river"))
    #expect(task.separator == tokenizer.encode("\n"))
    // What the row says of its separator counts, in text or in ids.
    for (field, expected) in [
      ("\"separator\": \" \"", tokenizer.encode(" ")), ("\"separator_ids\": [3]", [3]),
    ] {
      let own = rows.replacingOccurrences(of: "\"query\"", with: "\(field), \"query\"")
      let path = try folder.write(Array(own.utf8), "own.jsonl")
      let task = try TaskFile.read(path, tokenizer: tokenizer, vocabularySize: 1 << 20)[0]
      #expect(task.separator == expected)
    }
    let empty = rows.replacingOccurrences(of: " river\"}", with: "\"}")
    let bad = try folder.write(Array(empty.utf8), "tasks.jsonl")
    let error = #expect(throws: JSONLines.Failure.self) {
      try TaskFile.read(bad, tokenizer: tokenizer, vocabularySize: 1 << 20)
    }
    #expect(error?.problem == "field 'response': expected at least 1 token, found 0")
  }

  /// A limit counts the pieces that are taken; those that are too short are told.
  @Test func piecesOfText() throws {
    let tokenizer = try TokenizerFixtureTests.tokenizer("fallback")
    let shortest = tokenizer.encode("x", addSpecialTokens: true).count + 1
    let text = try folder.write(Array("x\n\none two three\n\nfour five six".utf8), "text.txt")
    func read(_ limit: Int?) throws -> [Int] {
      var leftOut = 0
      let pieces = try PlainText.read(
        text, tokenizer: tokenizer, length: 64, shortest: shortest, limit: limit
      ) { leftOut += $0 }
      return [pieces.count, leftOut]
    }
    #expect(try read(nil) == [2, 1])
    #expect(try read(1) == [1, 1])
    for limit in [0, -1] {
      #expect(throws: JSONLines.Failure.self) { try read(limit) }
    }
  }
}
