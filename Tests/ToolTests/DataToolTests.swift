import Foundation
import TestSupport
import Testing
import Text

/// `imprint data` as users run it.
@Suite struct DataToolTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test func aManifestSaysHowTheFilesWereMade() throws {
    let out = folder.file("made")
    let made = try Tool.run(
      "imprint", "data", "character-description", "--train", "20", "--test", "0", "--seed", "5",
      "--query-form", "question", "--out", out)
    #expect(made.status == 0 && made.output.isEmpty)
    #expect(made.errors == "\(out)/train.jsonl: 20 tasks\n")
    let names = try FileManager.default.contentsOfDirectory(atPath: out).sorted()
    #expect(names == ["manifest.json", "train.jsonl"])
    let manifest = try JSONDecoder().decode(
      DatasetManifest.self, from: Data(contentsOf: URL(filePath: out + "/manifest.json")))
    #expect(
      manifest
        == DatasetManifest(
          dataset: "character-description", seed: 5,
          options: ["query-form": "question", "traits": "15"],
          tasks: ["train.jsonl": 20]))
  }

  /// With `--line-feed` the same tasks end with one, and the manifest says so.
  @Test(arguments: ["character-description", "reversal-curse"])
  func responsesEndWithALineFeed(dataset: String) throws {
    func responses(_ name: String, _ more: String...) throws -> [String] {
      let out = folder.file(name)
      let made = try Tool.run(
        "imprint", ["data", dataset, "--train", "5", "--test", "0", "--out", out] + more)
      #expect(made.status == 0, "\(made.errors)")
      var rows = try JSONLines(path: out + "/train.jsonl")
      var result: [String] = []
      while let task = try rows.next(MetaTask.self) { result.append(try #require(task.response)) }
      return result
    }
    let plain = try responses("plain")
    #expect(plain.count == 5 && !plain.contains { $0.contains("\n") })
    #expect(try responses("ended", "--line-feed") == plain.map { $0 + "\n" })
    let manifest = try JSONDecoder().decode(
      DatasetManifest.self,
      from: Data(contentsOf: URL(filePath: folder.file("ended/manifest.json"))))
    #expect(manifest.options["line-feed"] == "true")
  }

  @Test func whatWasDroppedIsReported() throws {
    let source = try folder.write(Array("= A =\n\n a b c d e f g \n".utf8), "wiki.txt")
    let out = folder.file("wiki.jsonl")
    let made = try Tool.run(
      "imprint", "data", "wikitext", source, "--out", out, "--context-words", "2",
      "--response-words", "2")
    #expect(made.status == 0 && made.output.isEmpty)
    #expect(
      made.errors
        == "\(out): 1 tasks; dropped 1: too short a rest of an article 1; articles 1\n")
  }

  private func content(_ name: String) throws -> Data {
    try Data(contentsOf: URL(filePath: folder.file(name)))
  }

  private func names(_ name: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder.file(name)).sorted()
  }

  /// The files of a dataset are replaced together, or stay as they are.
  @Test func aDatasetIsReplacedAsOne() throws {
    let out = folder.file("made")
    func make(_ flags: String...) throws -> Tool.Result {
      try Tool.run("imprint", ["data", "reversal-curse", "--train", "20", "--out", out] + flags)
    }
    #expect(try make("--test", "5", "--seed", "1").status == 0)
    let files = FileManager.default
    try files.removeItem(atPath: out + "/test.jsonl")
    try files.createDirectory(atPath: out + "/test.jsonl", withIntermediateDirectories: false)
    let (train, manifest) = (try content("made/train.jsonl"), try content("made/manifest.json"))
    let failed = try make("--test", "5", "--seed", "2")
    #expect(failed.status == 1)
    #expect(failed.errors == "imprint: \(out)/test.jsonl: cannot be written: it is a folder\n")
    #expect(try names("made") == ["manifest.json", "test.jsonl", "train.jsonl"])
    #expect(try content("made/train.jsonl") == train)
    #expect(try content("made/manifest.json") == manifest)

    // A side that is not made does not stay from before.
    try files.removeItem(atPath: out + "/test.jsonl")
    #expect(try make("--test", "5", "--seed", "2").status == 0)
    let one = try make("--test", "0", "--seed", "3")
    #expect(one.status == 0 && one.errors.hasPrefix("\(out)/test.jsonl: removed\n"))
    #expect(try names("made") == ["manifest.json", "train.jsonl"])
  }

  /// With a share of 0 there is no test file, not an empty one; with another share nobody is left out.
  @Test func anImportHasNoEmptySide() throws {
    for (name, prompt, completion) in [
      ("d2p_prompts_train", "The mayor is", " Ann Lee."),
      ("d2p_prompts_test", "The mayor is", " Ann Lee"),
      ("d2p_reverse_prompts_test", "Ann Lee is", " the mayor."),
      ("p2d_prompts_train", "Ann Lee is", " the mayor."),
      ("p2d_reverse_prompts_test", "The mayor is", " Ann Lee"),
    ] {
      let row = "{\"prompt\": \"\(prompt)\", \"completion\": \"\(completion)\"}\n"
      try folder.write(Array(row.utf8), "\(name).jsonl")
    }
    func read(_ share: String) throws -> Tool.Result {
      try Tool.run(
        "imprint", "data", "reversal-curse", "--import", folder.path, "--test-share", share,
        "--out", folder.file("made"))
    }
    let half = try read("0.5")
    #expect(half.status == 1 && half.errors.contains("--test-share"))
    let none = try read("0")
    #expect(none.status == 0, "\(none.errors)")
    #expect(try names("made") == ["manifest.json", "train.jsonl"])
  }

  /// What is left out of tasks and text is said once, unless nothing shall be.
  @Test func whatIsLeftOutIsNoted() throws {
    let training = try TinyTraining(folder)
    let flags = ["--contexts-per-update", "3", "--dry-run"]
    let planned = try Tool.run(
      "imprint", training.arguments(folder.file("run"), steps: 1, flags))
    #expect(planned.status == 0, "\(planned.errors)")
    #expect(
      planned.errors == "\(training.data): left out 2 of 8 tasks: they fill no group of 3\n")
    let hushed = try Tool.run(
      "imprint", training.arguments(folder.file("run"), steps: 1, flags + ["--quiet"]))
    #expect(hushed.status == 0 && hushed.errors.isEmpty)

    let source = folder.file("source")
    try FileManager.default.createDirectory(
      atPath: source, withIntermediateDirectories: false)
    try TextModel.write(to: source)
    let model = folder.file("text.imprint")
    #expect(try Tool.run("imprint-tools", "convert", source, model, "--quiet").status == 0)
    let row = #"{"context": "one two three", "query": "four", "response": " five"}"#
    let data = try folder.write(Array(row.utf8), "text.jsonl")
    let prose = String(repeating: "A lamp stands on a hill. ", count: 9)
    let text = try folder.write(Array("short\n\n\(prose)\n".utf8), "text.txt")
    func evaluate(_ flags: String...) throws -> Tool.Result {
      try Tool.run(
        "imprint",
        ["evaluate", "--model", model, "--data", data, "--lm-data", text, "--no-answers"] + flags)
    }
    let evaluated = try evaluate()
    #expect(evaluated.status == 0, "\(evaluated.errors)")
    #expect(evaluated.errors.contains("\(text): left out "))
    #expect(evaluated.errors.contains(" pieces of fewer than 16 tokens\n"))
    #expect(try evaluate("--quiet").errors.isEmpty)
    #expect(try evaluate("--lm-limit", "0").status == 64)
  }

  @Test func badInputAndWrongCalls() throws {
    let out = folder.file("out.jsonl")
    let missing = try Tool.run("imprint", "data", "squad", folder.file("no"), "--out", out)
    #expect(missing.status == 1)
    #expect(missing.errors == "imprint: \(folder.file("no")): cannot be read\n")
    for arguments in [
      ["wikitext", "x", "--out", "y", "--plain", "--query-words", "2"],
      ["wikitext", "x", "--out", "y", "--context-words", "0"],
      ["squad", "x", "--out", "y", "--limit", "0"],
      ["squad", "x", "--out", "y", "--sample", "1000001"],
      ["wikitext", "x", "--out", "y", "--sample", "1000001"],
      ["reversal-curse", "--import", "x", "--train", "3", "--out", "y"],
      ["reversal-curse", "--import", "x", "--test-share", "1.5", "--out", "y"],
      ["character-description", "--train", "-1", "--out", "y"],
    ] {
      #expect(try Tool.run("imprint", ["data"] + arguments).status == 64, "\(arguments)")
    }
  }

  @Test(arguments: ["character-description", "reversal-curse", "squad", "wikitext"])
  func helpHasAnExample(_ command: String) throws {
    let help = try Tool.run("imprint", "data", command, "--help")
    let words = help.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
    #expect(help.status == 0 && words.contains("Example: imprint data \(command)"))
  }
}
