import Foundation
import TestSupport
import Testing

/// What README and Docs tell people to type is what the executables take.
struct DocumentationTests {
  struct Command: Sendable, CustomTestStringConvertible {
    var place: String
    var words: [String]
    var testDescription: String { "\(place): \(words.joined(separator: " "))" }
  }

  static let pages: [String] = {
    let docs = (try? FileManager.default.contentsOfDirectory(atPath: Fixtures.root + "Docs")) ?? []
    return ["README.md"] + docs.filter { $0.hasSuffix(".md") }.sorted().map { "Docs/" + $0 }
  }()

  /// Commands in blocks of code, lines that end in a backslash joined.
  static let commands: [Command] = pages.flatMap { page -> [Command] in
    let text = (try? String(contentsOfFile: Fixtures.root + page, encoding: .utf8)) ?? ""
    var found: [Command] = []
    var isFenced = false
    var open = ""
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
    {
      if line.hasPrefix("```") {
        isFenced.toggle()
        continue
      }
      guard isFenced || line.hasPrefix("    ") else {
        open = ""
        continue
      }
      open += line.trimmingPrefix { $0 == " " }
      if open.hasSuffix("\\") {
        open.removeLast()
        continue
      }
      defer { open = "" }
      for part in shellParts(open) where part.first.map(isTool) == true {
        found.append(Command(place: "\(page):\(index + 1)", words: part))
      }
    }
    return found
  }

  static func isTool(_ word: String) -> Bool {
    ["imprint", "imprint-tools", "imprint-bench"].contains(word)
  }

  /// The commands of a line of shell: words in quotes, pipes, comments; `[…]` of a synopsis is taken
  /// as if it were given, and what goes into a file is left out.
  static func shellParts(_ line: String) -> [[String]] {
    var parts: [[String]] = [[]]
    var word: String?
    var quote: Character?
    func end() {
      if let finished = word { parts[parts.count - 1].append(finished) }
      word = nil
    }
    scan: for character in line {
      if let open = quote {
        if character == open { quote = nil } else { word = (word ?? "") + String(character) }
        continue
      }
      switch character {
      case "'", "\"":
        quote = character
        word = word ?? ""
      case " ", "[", "]": end()
      case "#" where word == nil: break scan
      case "|", ";", "&", ">":
        end()
        parts.append([])
      default: word = (word ?? "") + String(character)
      }
    }
    end()
    return parts.filter { !$0.isEmpty }
  }

  @Test func commandsAreFound() {
    #expect(Self.commands.count > 40)
    #expect(Set(Self.commands.map { $0.words[0] }).count == 3)
    #expect(
      Self.shellParts("echo 'a b' | imprint x --y \"c # d\" [--z N] # e").last
        == ["imprint", "x", "--y", "c # d", "--z", "N"])
  }

  /// Values that stand for something are replaced by one that can be parsed.
  @Test(arguments: commands)
  func commandIsUnderstood(command: Command) throws {
    let folder = try TemporaryFolder()
    var words = command.words
    for (index, word) in words.enumerated() where index > 0 {
      if ["N", "CHARACTERS", "…"].contains(word) {
        words[index] = words[index - 1] == "--query-form" ? "stem" : "1"
      }
      // Configurations that a page shows are beside the commands that use them.
      if words[index - 1] == "--config" {
        words[index] = try Self.configuration(word, command, folder)
      }
    }
    let result = try Tool.run(words[0], Array(words.dropFirst()), checkOnly: true)
    #expect(result.status == 0, "\(result.errors)")
    let unknown = try Tool.run(words[0], words.dropFirst() + ["--no-such-flag"], checkOnly: true)
    #expect(unknown.status == 64)
  }

  /// The YAML of the same page that names flags, as a file.
  private static func configuration(
    _ name: String, _ command: Command, _ folder: TemporaryFolder
  ) throws -> String {
    let page = command.place.prefix { $0 != ":" }
    let text = try String(contentsOfFile: Fixtures.root + page, encoding: .utf8)
    let block = try #require(text.components(separatedBy: "```yaml\n").dropFirst().first)
    let yaml = try #require(block.components(separatedBy: "```").first)
    return try folder.write(Array(yaml.utf8), "config.yaml")
  }

  /// Links lead to files that are there.
  @Test(arguments: pages)
  func linksLeadSomewhere(page: String) throws {
    let text = try String(contentsOfFile: Fixtures.root + page, encoding: .utf8)
    let folder = URL(filePath: Fixtures.root + page).deletingLastPathComponent()
    for match in text.matches(of: /\]\(([^)#:]+)(#[^)]*)?\)/) {
      let target = folder.appending(path: String(match.1)).path(percentEncoded: false)
      #expect(FileManager.default.fileExists(atPath: target), "\(page): \(match.1)")
    }
  }

  /// Targets of make that are named are there.
  @Test(arguments: pages)
  func targetsExist(page: String) throws {
    let text = try String(contentsOfFile: Fixtures.root + page, encoding: .utf8)
    let makefile = try String(contentsOfFile: Fixtures.root + "Makefile", encoding: .utf8)
    for match in text.matches(of: /(?:`|\n    )make ([a-z][a-z-]*)/) {
      #expect(makefile.contains("\n\(match.1):"), "\(page): make \(match.1)")
    }
  }
}
