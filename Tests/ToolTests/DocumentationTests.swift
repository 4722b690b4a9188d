import Foundation
import TestSupport
import Testing

/// What README and Docs tell people to type is what the executables take. That it works is shown by
/// ``DocumentationRunTests``.
struct DocumentationTests {
  typealias Command = DocumentedCommand

  @Test func commandsAreFound() {
    #expect(Command.all.count > 40)
    #expect(Set(Command.all.map { $0.words[0] }).count == 3)
    #expect(
      Command.shellParts("echo 'a b' | imprint x --y \"c # d\" $'e\\nf' [--z N] # g").last
        == ["imprint", "x", "--y", "c # d", "e\nf", "--z", "N"])
  }

  @Test(arguments: Command.all)
  func commandIsUnderstood(command: Command) throws {
    let folder = try TemporaryFolder()
    var words = command.filledIn
    for index in words.indices.dropFirst() where words[index - 1] == "--config" {
      let yaml = try #require(command.configuration)
      words[index] = try folder.write(Array(yaml.utf8), "config.yaml")
    }
    let result = try Tool.run(words[0], Array(words.dropFirst()), checkOnly: true)
    #expect(result.status == 0, "\(result.errors)")
    let unknown = try Tool.run(words[0], words.dropFirst() + ["--no-such-flag"], checkOnly: true)
    #expect(unknown.status == 64)
  }

  /// Links lead to files that are there.
  @Test(arguments: Command.pages)
  func linksLeadSomewhere(page: String) throws {
    let folder = URL(filePath: Fixtures.root + page).deletingLastPathComponent()
    for match in Command.text(page).matches(of: /\]\(([^)#:]+)(#[^)]*)?\)/) {
      let target = folder.appending(path: String(match.1)).path(percentEncoded: false)
      #expect(FileManager.default.fileExists(atPath: target), "\(page): \(match.1)")
    }
  }

  /// Targets of make that are named are there.
  @Test(arguments: Command.pages)
  func targetsExist(page: String) throws {
    let makefile = try String(contentsOfFile: Fixtures.root + "Makefile", encoding: .utf8)
    for match in Command.text(page).matches(of: /(?:`|\n    )make ([a-z][a-z-]*)/) {
      #expect(makefile.contains("\n\(match.1):"), "\(page): make \(match.1)")
    }
  }
}
