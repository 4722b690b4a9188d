import ArgumentParser
import Foundation
import Invocation
import TestSupport
import Testing

/// A command with every kind of flag.
private struct Sample: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sample", subcommands: [Work.self])

  struct Work: ParsableCommand {
    @Option var config: [String] = []
    @Option(name: [.long, .customLong("learning-rate")]) var lr = 0.5
    @Option var batchSize: Int?
    @Option var name: String?
    @Option(parsing: .upToNextOption) var modules: [String] = []
    @Option var pattern: String?
    @Flag var mild = false
    @Flag(inversion: .prefixedNo) var mask: Bool?
    @Flag(name: .shortAndLong) var quiet = false
    @Argument var file: String?
  }
}

struct InvocationTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func file(_ text: String, _ name: String = "run.yaml") throws -> String {
    try folder.write(Array(text.utf8), name)
  }

  private func parse(_ words: [String]) throws -> Sample.Work {
    let invocation = try Invocation(Sample.self, words)
    return try #require(try Sample.parseAsRoot(invocation.words) as? Sample.Work)
  }

  private func problem(_ text: String) throws -> String {
    let path = try file(text)
    do {
      _ = try Invocation(Sample.self, ["work", "--config", path])
      return "none"
    } catch { return "\(error)".replacing(path, with: "FILE") }
  }

  @Test func everyKindOfFlag() throws {
    let path = try file(
      """
      learning_rate: 1e-3
      batch-size: 8
      name: "-x y = z"
      modules: [q_proj, v_proj]
      pattern: {down_proj: 4, "layers.0.q_proj": 16}
      mild: true
      mask: false
      quiet: no
      """)
    let work = try parse(["work", "--config", path, "input"])
    #expect(work.lr == 1e-3 && work.batchSize == 8 && work.name == "-x y = z")
    #expect(work.modules == ["q_proj", "v_proj"])
    #expect(work.pattern == "down_proj=4,layers.0.q_proj=16")
    #expect(work.mild && work.mask == false && !work.quiet && work.file == "input")
  }

  @Test func theCommandLineWins() throws {
    let path = try file("lr: 1\nbatch-size: 8\nmodules: [a, b]\nmask: true\nmild: true\n")
    for words in [
      ["--lr", "2", "--modules", "c", "--no-mask", "--config", path],
      ["--config=" + path, "--learning-rate=2", "--modules=c", "--no-mask"],
    ] {
      let work = try parse(["work"] + words)
      #expect(work.lr == 2 && work.batchSize == 8 && work.modules == ["c"])
      #expect(work.mask == false && work.mild)
    }
    // What comes after "--" is no flag.
    #expect(try parse(["work", "--config", path, "--", "--lr"]).file == "--lr")
  }

  @Test func laterFilesWin() throws {
    let (one, two) = (try file("lr: 1\nname: a\n", "1.yaml"), try file("lr: 2\n", "2.yaml"))
    let work = try parse(["work", "--config", one, "--config", two])
    #expect(work.lr == 2 && work.name == "a")
  }

  @Test func withoutAFileNothingChanges() throws {
    for words in [[], ["work", "--lr"], ["nothing", "--config", "x"], ["--help"]] {
      #expect(try Invocation(Sample.self, words).words == words)
    }
    #expect(try parse(["work", "--config", try file("# nothing\n")]).lr == 0.5)
    #expect(try parse(["work", "--config", try file("name: null\n")]).name == nil)
  }

  @Test func problemsAreNamed() throws {
    #expect(
      try problem("lr: 1\nbach_size: 3\n")
        == "FILE, line 2: 'bach_size' is no flag of sample work: did you mean 'batch-size'?")
    #expect(try problem("config: x\n").contains("'config' is no flag"))
    #expect(try problem("help: true\n").contains("'help' is no flag"))
    #expect(try problem("lr: 1\nlearning-rate: 2\n").contains("line 2: 'learning-rate' and 'lr'"))
    #expect(try problem("mask: true\nno-mask: true\n").contains("are the same flag"))
    #expect(try problem("lr: 1\nlr: 2\n").contains("'lr' is given twice"))
    #expect(try problem("mild: 3\n") == "FILE, line 1: 'mild': expected true or false")
    #expect(try problem("modules: {a: b}\n").contains("'modules': expected a value"))
    #expect(try problem("modules: [[a]]\n").contains("'modules': expected a list of texts"))
    #expect(try problem("- lr\n") == "FILE: expected a mapping of flags to values")
    #expect(try problem("lr: [1\n").hasPrefix("FILE, line"))
    #expect(try problem("lr: 1\n\tname: a\n").contains("is not YAML"))
    #expect(throws: (any Error).self) {
      try Invocation(Sample.self, ["work", "--config", folder.file("none")])
    }
  }

  /// What a run writes is read back as the same flags, whatever the texts are.
  @Test(arguments: ["plain", "a\"b\\c", " ", "\n", "null", "# no", "yes", "-1", "é ü", "{a: b}"])
  func resolvedFlagsAreReadBack(name: String) throws {
    let config = try file("batch-size: 3\nmild: true\nmodules: [a, \"b c\"]\n", "given.yaml")
    let words = ["work", "--config", config, "--name=\(name)", "--no-mask", "-q"]
    let text = try Invocation(Sample.self, words).resolved()
    #expect(text.hasPrefix("# sample work --config THIS-FILE\nlr: 0.5\n"))
    #expect(!text.contains("quiet") && !text.contains("given.yaml"))
    let again = try parse(["work", "--config", try file(text, "resolved.yaml")])
    #expect(again.lr == 0.5 && again.batchSize == 3 && again.name == name && again.mild)
    #expect(again.modules == ["a", "b c"] && again.mask == false && !again.quiet)
  }
}
