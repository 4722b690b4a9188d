import Foundation
import TestSupport
import Testing
import Text

/// SQuAD and WikiText as tasks.
@Suite struct DataImportedTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func file(_ content: String, _ name: String = "source") throws -> String {
    try folder.write(Array(content.utf8), name)
  }

  private func tasks(_ path: String) throws -> [MetaTask] {
    var rows = try JSONLines(path: path)
    var result: [MetaTask] = []
    while let task = try rows.next(MetaTask.self) { result.append(task) }
    return result
  }

  // MARK: SQuAD

  private static let squad = #"""
    {"version": "v2.0", "data": [
      {"title": "Mills", "paragraphs": [
        {"context": " The mill was built in 1702 by Ada Fenn. ", "qas": [
          {"id": "1", "question": " When was the mill built?", "is_impossible": false,
           "answers": [{"text": "1702", "answer_start": 23}, {"text": "in 1702", "answer_start": 20}]},
          {"id": "2", "question": "Who burned it?", "is_impossible": true, "answers": [],
           "plausible_answers": [{"text": "Ada Fenn", "answer_start": 31}]},
          {"id": "3", "question": "Who built it?", "answers": [{"text": "Ada Fenn"}]},
          {"id": "4", "question": " ", "answers": [{"text": "1702"}]},
          {"id": "5", "question": "Which river?", "answers": []},
          {"id": "6", "question": "Which town?", "answers": [{"text": "Calder"}]}]},
        {"context": "", "qas": [{"question": "What?", "answers": [{"text": "x"}]}]}]},
      {"title": "Empty", "paragraphs": []}]}
    """#

  @Test func squadTakesFirstAnswersAndCountsTheRest() throws {
    let out = folder.file("out.jsonl")
    let report = try SQuAD().convert(try file(Self.squad), to: out)
    #expect(
      report.line()
        == "2 tasks; dropped 5: answer not in its context 1, empty context 1, empty question 1, no answer 1, unanswerable 1"
    )
    let context = "The mill was built in 1702 by Ada Fenn."
    #expect(
      try tasks(out) == [
        MetaTask(
          context: context, query: "Question: When was the mill built?\nAnswer:", response: " 1702",
          answers: ["1702", "in 1702"]),
        MetaTask(
          context: context, query: "Question: Who built it?\nAnswer:", response: " Ada Fenn"),
      ])
  }

  @Test func squadLimits() throws {
    let out = folder.file("out.jsonl")
    let source = try file(Self.squad)
    #expect(try SQuAD(limit: 1, responseEnd: "\n").convert(source, to: out).written == 1)
    #expect(try tasks(out).map(\.response) == [" 1702\n"])
    let message = folder.errorText { _ = try SQuAD(longestContext: 10).convert(source, to: out) }
    #expect(message.contains("gives no task") && message.contains("context too long 3"))
  }

  /// A sample is as large as asked, in order, from all of the file, and the same for a seed.
  @Test func squadSamples() throws {
    let paragraphs = (0..<40).map { paragraph in
      let questions = (0..<5).map {
        #"{"question": "Q\#(paragraph * 5 + $0)?", "answers": [{"text": "A"}]}"#
      }
      return #"{"context": "A\#(paragraph)", "qas": [\#(questions.joined(separator: ","))]}"#
    }
    let source = try file(#"{"data": [{"paragraphs": [\#(paragraphs.joined(separator: ","))]}]}"#)
    func sample(_ count: Int, _ seed: UInt64) throws -> [String] {
      let out = folder.file("out.jsonl")
      _ = try SQuAD(sample: (count, seed)).convert(source, to: out)
      return try tasks(out).compactMap(\.query)
    }
    let all = (0..<200).map { "Question: Q\($0)?\nAnswer:" }
    #expect(try sample(200, 1) == all && sample(1000, 1) == all)
    let some = try sample(20, 1)
    let places = some.compactMap { all.firstIndex(of: $0) }
    #expect(places.count == 20 && places == places.sorted() && Set(places).count == 20)
    #expect(places[0] < 60 && places[19] >= 140)
    #expect(try sample(20, 1) == some && sample(20, 2) != some)
  }

  @Test(arguments: [
    ("", "source: is not valid JSON (SQuAD JSON was expected)"),
    ("[]", "source: expected a JSON object (SQuAD JSON was expected)"),
    ("{}", "source: field 'data' is missing (SQuAD JSON was expected)"),
    (
      #"{"data": [{"paragraphs": [{"context": "a"}]}]}"#,
      "source: field 'data.[0].paragraphs.[0].qas' is missing (SQuAD JSON was expected)"
    ),
    (
      #"{"data": [{"paragraphs": [{"context": 3}]}]}"#,
      "source: field 'data.[0].paragraphs.[0].context': expected String (SQuAD JSON was expected)"
    ),
    (#"{"data": []}"#, "source: gives no task: 0 tasks; dropped nothing"),
    (#"{"data": 3}"#, "source: field 'data': expected a list (SQuAD JSON was expected)"),
    (#"{"data": [3]}"#, "source: field 'data.[0]': expected an object (SQuAD JSON was expected)"),
    (
      #"{"data": [{"paragraphs": [{"context": "a"#,
      "source: is not valid JSON: its end is no '}' (SQuAD JSON was expected)"
    ),
  ])
  func squadProblemsAreNamed(_ content: String, _ expected: String) throws {
    let source = try file(content)
    #expect(
      folder.errorText { _ = try SQuAD().convert(source, to: folder.file("out")) } == expected)
    #expect(folder.names == ["source"])
  }

  // MARK: The source is not the output

  @Test func theSourceIsNotOverwritten() throws {
    let source = try file(Self.squad)
    try FileManager.default.createSymbolicLink(
      atPath: folder.file("link"), withDestinationPath: source)
    for name in ["source", "link"] {
      let out = folder.file(name)
      let expected = "\(name): is the same file as the source source"
      #expect(folder.errorText { _ = try SQuAD().convert(source, to: out) } == expected)
      #expect(folder.errorText { _ = try WikiText().convert(source, to: out) } == expected)
      #expect(folder.errorText { _ = try WikiText().paragraphs(source, to: out) } == expected)
    }
    #expect(try String(contentsOfFile: source, encoding: .utf8) == Self.squad)
    #expect(folder.names == ["link", "source"])
  }

  // MARK: WikiText

  private static let wikiText = """

     = First =\u{20}

     one two three four five six seven eight nine ten\u{20}
     eleven twelve thirteen fourteen\u{20}

     = = Part = =\u{20}

     a b <unk> d e f g\u{20}

     = Second =\u{20}

     s t u v w x = = y z A B C D E F G H I\u{20}
     = not a heading =\u{20}
    """

  @Test func wikiTextCutsArticlesIntoPieces() throws {
    let out = folder.file("out.jsonl")
    let report = try WikiText(contextWords: 9, queryWords: 1, responseWords: 2)
      .convert(try file(Self.wikiText), to: out)
    #expect(
      report.line()
        == "3 tasks; dropped 1: too short a rest of an article 1; articles 2; heading-like lines inside text 1"
    )
    #expect(
      try tasks(out) == [
        MetaTask(
          context: "one two three four five six seven eight nine", query: "ten",
          response: "\neleven twelve", separator: " "),
        MetaTask(context: "s t u v w x = = y", query: "z", response: " A B", separator: " "),
        MetaTask(
          context: "C D E F G H I\n= not", query: "a", response: " heading =", separator: " "),
      ])
  }

  @Test func wikiTextAsksSeveralQueriesOfAContext() throws {
    let out = folder.file("out.jsonl")
    let source = try file(Self.wikiText)
    let text = WikiText(contextWords: 3, queryWords: 1, responseWords: 2, queriesPerContext: 2)
    #expect(
      try text.convert(source, to: out).line()
        == "7 tasks; dropped 3: <unk> in query or response 1, too short a rest of an article 2; articles 2; heading-like lines inside text 1"
    )
    #expect(
      try tasks(out).prefix(3) == [
        MetaTask(context: "one two three", query: "four", response: " five six", separator: " "),
        MetaTask(
          context: "one two three", query: "seven", response: " eight nine", separator: " "),
        MetaTask(
          context: "ten\neleven twelve", query: "thirteen", response: " fourteen\na",
          separator: " "),
      ])
    // The limit counts tasks, and may fall within a context.
    var three = text
    three.limit = 3
    #expect(try three.convert(source, to: out).written == 3)
  }

  @Test func wikiTextSamples() throws {
    let out = folder.file("out.jsonl")
    let source = try file(" = T = \n\n" + (0..<400).map { "w\($0)" }.joined(separator: " "))
    func sample(_ count: Int, _ seed: UInt64) throws -> [Int] {
      let text = WikiText(contextWords: 2, responseWords: 1, sample: (count, seed))
      #expect(try text.convert(source, to: out).dropped.isEmpty)
      return try tasks(out).map { try #require(Int($0.query?.dropFirst() ?? "")) / 4 }
    }
    #expect(try sample(100, 1) == Array(0..<100) && sample(1000, 1) == Array(0..<100))
    let some = try sample(20, 1)
    #expect(some.count == 20 && some == some.sorted() && Set(some).count == 20)
    #expect(some.contains { $0 < 25 } && some.contains { $0 > 75 })
    #expect(try sample(20, 1) == some && sample(20, 2) != some)
    // Pins the draws.
    #expect(try sample(5, 1) == [21, 39, 54, 66, 77])
  }

  /// With several queries a sample is of contexts, each whole.
  @Test func wikiTextSamplesContextsWithTheirQueries() throws {
    let out = folder.file("out.jsonl")
    let source = try file(" = T = \n\n" + (0..<400).map { "w\($0)" }.joined(separator: " "))
    let report = try WikiText(
      contextWords: 2, responseWords: 1, queriesPerContext: 2, sample: (10, 1)
    ).convert(source, to: out)
    #expect(report.written == 20)
    let starts = try tasks(out).map {
      try #require(Int($0.context?.dropFirst().prefix { $0 != " " } ?? "")) / 6
    }
    let expected = [3, 14, 16, 19, 21, 25, 26, 34, 39, 54]
    #expect(starts == expected.flatMap { [$0, $0] })
  }

  /// A sample takes two readings, which a pipe or a device does not have.
  @Test func wikiTextSamplesRegularFiles() throws {
    let text = WikiText(sample: (1, 0))
    #expect(
      folder.errorText { _ = try text.convert("/dev/null", to: folder.file("out")) }
        == "/dev/null: --sample reads the file twice: expected a regular file")
    #expect(
      folder.errorText { _ = try text.convert(folder.file("none"), to: folder.file("out")) }
        == "none: cannot be read")
    #expect(folder.names == [])
  }

  /// Headings that do not follow an empty line are text, and counted.
  @Test func wikiTextCountsWhatLooksLikeAHeading() throws {
    let out = folder.file("out.jsonl")
    let source = try file(" = A = \na b c d\n = B = \n = = C = = \ne f g h\n")
    let report = try WikiText(contextWords: 1, queryWords: 1, responseWords: 1)
      .convert(source, to: out)
    #expect(
      report.line()
        == "5 tasks; dropped 1: too short a rest of an article 1; articles 1; heading-like lines inside text 2"
    )
    let plain = try WikiText().paragraphs(source, to: out, shortest: 1)
    #expect(plain.written == 4 && plain.articles == 1 && plain.headingLikeLines == 2)
  }

  @Test func wikiTextAsksForNoUnknownWord() throws {
    let out = folder.file("out.jsonl")
    let report = try WikiText(contextWords: 1, queryWords: 1, responseWords: 1)
      .convert(try file(Self.wikiText), to: out)
    let found = try tasks(out)
    #expect(report.dropped["<unk> in query or response"] == 1)
    for task in found { #expect(task.query != "<unk>" && task.response != " <unk>") }
    #expect(found.count == report.written && found.contains { $0.context == "four" })
  }

  @Test func wikiTextParagraphs() throws {
    let out = folder.file("out.jsonl")
    let report = try WikiText().paragraphs(try file(Self.wikiText), to: out, shortest: 20)
    #expect(
      report.line(of: "rows")
        == "3 rows; dropped 2: paragraph too short 2; articles 2; heading-like lines inside text 1"
    )
    var paragraphs = try ParagraphReader(path: out)
    #expect(try paragraphs.next() == "one two three four five six seven eight nine ten")
  }

  @Test(arguments: [
    ("a guest @-@ starring role , which was new .", "a guest-starring role, which was new."),
    ("1 @,@ 234 @.@ 5 km ( 3 mi ) away", "1,234.5 km (3 mi) away"),
    ("He said \" Well , yes \" ; then left .", "He said \"Well, yes\"; then left."),
    ("Boulter 's part and the actors ' parts", "Boulter's part and the actors' parts"),
    ("from 2000 – 2005 – a long time", "from 2000–2005 – a long time"),
    ("5 % of $ 20 and / or [ a ] : ?", "5% of $20 and/or [a]:?"),
    ("( \" a \" )", "(\"a\")"), ("they could n't and wouldn 't", "they couldn't and wouldn't"),
    ("the ' blue ' one", "the 'blue' one"), ("", ""), (". @-@", ".-"),
  ])
  func tokenisationIsUndone(_ tokens: String, _ text: String) throws {
    let out = folder.file("out.jsonl")
    let source = try file("\(tokens) end\n")
    _ = try WikiText().paragraphs(source, to: out, shortest: 1)
    var paragraphs = try ParagraphReader(path: out)
    let expected = tokens.hasSuffix("@-@") ? text + "end" : (text.isEmpty ? "end" : text + " end")
    #expect(try paragraphs.next() == expected)
  }

  @Test func wikiTextProblemsAreNamed() throws {
    let out = folder.file("out.jsonl")
    let bad = try folder.write([0x61, 0x0a, 0xff], "bad")
    #expect(
      folder.errorText { _ = try WikiText().convert(bad, to: out) }
        == "bad, line 2: is not valid UTF-8")
    let short = try file(" a b c ")
    #expect(
      folder.errorText { _ = try WikiText().convert(short, to: out) }.contains("gives no row"))
    #expect(folder.names == ["bad", "source"])
  }

  // MARK: The real files, where they are

  private static let shared = Fixtures.root + "../shared/data"
  private static var hasShared: Bool { FileManager.default.fileExists(atPath: shared) }

  @Test(.enabled(if: hasShared, "the reference data is not beside the checkout"))
  func realFiles() throws {
    let out = folder.file("out.jsonl")
    let squad = try SQuAD().convert(Self.shared + "/squad/train-v1.1-extra.json", to: out)
    #expect(squad.written == 3535)
    let text = try WikiText().convert(Self.shared + "/wikitext/wiki.test-part.raw", to: out)
    #expect(text.written > 800)
    for task in try tasks(out) { #expect(task.context?.contains(" @-@ ") == false) }
    let files = try ReversalCurseFiles(
      folder: Self.shared + "/reversal-curse", testShare: 0.25, seed: 0)
    #expect(files.train.count + files.test.count == 1800 && files.report.dropped.isEmpty)
  }
}
