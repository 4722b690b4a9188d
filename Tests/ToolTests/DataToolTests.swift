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
      made.errors == "\(out): 1 tasks; dropped 1: too short a rest of an article 1\n")
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
