import Foundation
import TestSupport
import Testing
import Text

/// The original files of the Reversal Curse as tasks.
@Suite struct ReversalCurseFilesTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func rows(_ rows: [(String, String)], _ name: String) throws {
    let text = try rows.map { prompt, completion in
      let row = try JSONEncoder().encode(["prompt": prompt, "completion": completion])
      return String(decoding: row, as: UTF8.self)
    }
    try folder.write(Array(text.joined(separator: "\n").utf8), name)
  }

  private func writeOriginal() throws {
    let people = [("Ann Lee", "the mayor of Oslo"), ("Bo Ek", "the pilot of \"Sky.\"")]
    try rows(
      people.flatMap {
        [("Known as \($0.1),", " \($0.0) is old."), ("You know \($0.1)?", " \($0.0).")]
      }
        + [("Who is nobody?", " Nobody.")],
      "d2p_prompts_train.jsonl")
    try rows(people.map { ("In the world of \($0.1),", " \($0.0)") }, "d2p_prompts_test.jsonl")
    try rows(
      people.flatMap { [("\($0.0) was", " \($0.1)."), ("One calls \($0.0)", " \($0.1).")] },
      "d2p_reverse_prompts_test.jsonl")
    let others = [("Cy Orr", "the king of Rome"), ("Di Fox", "the cook of Bern")]
    try rows(
      others.map { ("\($0.0), known for being", " \($0.1).") }, "p2d_prompts_train.jsonl")
    try rows(
      others.map { ("Known as \($0.1), was", " \($0.0)") }, "p2d_reverse_prompts_test.jsonl")
  }

  /// What is lost with a part of the files is counted, and an empty one is refused.
  @Test func whatIsMissingIsSaid() throws {
    try writeOriginal()
    try rows([("Known as the mayor of Oslo,", " Ann Lee is old.")], "d2p_prompts_train.jsonl")
    let files = try ReversalCurseFiles(folder: folder.path, testShare: 0, seed: 1)
    #expect(files.report.dropped == ["question that no context is left for": 3])
    let empty = try folder.write([], "d2p_prompts_train.jsonl")
    #expect(
      errorText { _ = try ReversalCurseFiles(folder: folder.path, testShare: 0, seed: 1) }
        == "\(empty): holds no row")
  }

  @Test func reversalsOfTheOriginalFiles() throws {
    try writeOriginal()
    let files = try ReversalCurseFiles(folder: folder.path, testShare: 0.5, seed: 1)
    #expect(files.train.count == 3 && files.test.count == 3)
    #expect(files.report.dropped == ["context of nobody known": 1])
    let all = files.train + files.test
    #expect(
      all.contains(
        MetaTask(
          context: "Known as the mayor of Oslo, Ann Lee is old.", query: "Ann Lee was",
          response: " the mayor of Oslo.")))
    #expect(
      all.contains(
        MetaTask(
          context: "You know the mayor of Oslo? Ann Lee.", query: "One calls Ann Lee",
          response: " the mayor of Oslo.")))
    #expect(
      all.contains(
        MetaTask(
          context: "Cy Orr, known for being the king of Rome.",
          query: "Known as the king of Rome, was",
          response: " Cy Orr")))
    for name in ["Ann Lee", "Bo Ek", "Cy Orr", "Di Fox"] {
      func has(_ tasks: [MetaTask]) -> Bool {
        tasks.contains { $0.context?.contains(name) == true }
      }
      #expect(has(files.train) != has(files.test), "\(name)")
    }
    let none = try ReversalCurseFiles(folder: folder.path, testShare: 0, seed: 1)
    #expect(none.test.isEmpty && none.train.count == 6)
  }

  /// Names are whole words, the longest that there are; who is one of several is nobody's task.
  @Test func reversalNamesAreWholeWords() throws {
    try writeOriginal()
    let people = [("Ann Lee", "the mayor"), ("Bo Ek", "the pilot"), ("Ann Lee Fox", "the cook")]
    try rows(
      people.map { ("Known as \($0.1),", " \($0.0)'s mother is old.") }
        + [("The wife of Ann Lee is", " Bo Ek."), ("The king is", " Bo Ekman.")],
      "d2p_prompts_train.jsonl")
    try rows(people.map { ("In the world of \($0.1),", " \($0.0)") }, "d2p_prompts_test.jsonl")
    try rows(people.map { ("\($0.0) was", " \($0.1).") }, "d2p_reverse_prompts_test.jsonl")
    let files = try ReversalCurseFiles(folder: folder.path, testShare: 0.5, seed: 1)
    #expect(files.report.dropped == ["context of nobody known": 1, "names several people": 1])
    let all = files.train + files.test
    #expect(all.count == 5)
    for (name, description) in people {
      let task = all.first { $0.context == "Known as \(description), \(name)'s mother is old." }
      #expect(task?.query == "\(name) was" && task?.response == " \(description).")
    }
  }

  /// However small or large a share is, somebody is left on each side.
  @Test(arguments: [0.01, 0.99]) func reversalSidesHaveSomebody(_ share: Double) throws {
    try writeOriginal()
    let files = try ReversalCurseFiles(folder: folder.path, testShare: share, seed: 1)
    #expect(files.train.count == 3 && files.test.count == 3)
  }

  @Test func reversalPeopleOfOneDescriptionStayTogether() throws {
    try writeOriginal()
    let names = ["Cy Orr", "Di Fox", "Ed Elm"]
    func description(_ name: String) -> String { name == "Ed Elm" ? "the king" : "the queen" }
    try rows(
      names.map { ("\($0), known for being", " \(description($0)).") }, "p2d_prompts_train.jsonl")
    try rows(
      names.map { ("Known as \(description($0)), was", " \($0)") },
      "p2d_reverse_prompts_test.jsonl")
    for seed: UInt64 in 0..<10 {
      let files = try ReversalCurseFiles(folder: folder.path, testShare: 0.5, seed: seed)
      let tested = names.filter { name in
        files.test.contains { $0.context?.contains(name) == true }
      }
      #expect(tested == ["Cy Orr", "Di Fox"] || tested == ["Ed Elm"])
    }
  }

  @Test func reversalSidesWithNobodyAreRefused() throws {
    try rows([("The mayor is", " Ann Lee.")], "d2p_prompts_train.jsonl")
    try rows([("The mayor is", " Ann Lee")], "d2p_prompts_test.jsonl")
    try rows([("Ann Lee is", " the mayor.")], "d2p_reverse_prompts_test.jsonl")
    try rows([("Ann Lee is", " the mayor.")], "p2d_prompts_train.jsonl")
    try rows([("The mayor is", " Ann Lee")], "p2d_reverse_prompts_test.jsonl")
    func read(_ share: Double) -> String {
      folder.errorText {
        _ = try ReversalCurseFiles(folder: folder.path, testShare: share, seed: 1)
      }
    }
    #expect(read(0.5).hasSuffix("gives no task to train with: expected another --test-share"))
    #expect(read(0.1).hasSuffix("gives no task to test with: expected another --test-share"))
    #expect(read(0) == "no error" && read(1) == "no error")
  }

  @Test func reversalProblemsAreNamed() throws {
    func read() -> String {
      folder.errorText { _ = try ReversalCurseFiles(folder: folder.path, testShare: 0.5, seed: 1) }
    }
    #expect(read() == "d2p_prompts_train.jsonl: cannot be read")
    try writeOriginal()
    try folder.write(Array("{\"prompt\": \"a\"}\n".utf8), "p2d_prompts_train.jsonl")
    #expect(read() == "p2d_prompts_train.jsonl, line 1: field 'completion' is missing")
  }
}
