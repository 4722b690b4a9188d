import Foundation
import TestSupport
import Testing

/// The commands of README and Docs are run, page by page, in the order in which they stand.
///
/// A page has a folder of its own. What a command makes is there for the next one; of what no command
/// of the page has made there are stand-ins (``StandIns``).
struct DocumentationRunTests {
  /// Flags behind those of the page, so that a command takes a second: the last one counts.
  static let overrides: [String: [String]] = [
    "imprint train": ["--steps", "2", "--batch-size", "2", "--warmup-steps", "1"],
    "imprint finetune": ["--steps", "2", "--batch-size", "2", "--warmup-steps", "1"],
    "imprint-tools synthesize": ["--architecture", "MODEL/config.json"],
    "imprint-bench codec": ["--weights", "65536"],
    "imprint-bench step": ["--context", "16", "--query", "12", "--steps", "1"],
    "imprint-bench memory-rank": [
      "--ranks", "1", "--contexts", "16", "--contexts-per-update", "1", "--query", "12",
      "--budgets", "256", "--sweep-context", "16", "--steps", "1",
    ],
    "imprint-bench experiment": [
      "--smoke", "--model", ".cache/smollm2.imprint", "--quiet",
    ],
  ]
  /// Flags where the page's command has none of them.
  static let defaults: [String: [String]] = [
    "imprint-bench experiment": ["--variants", "base,gold"]
  ]

  @Test(
    arguments: DocumentedCommand.pages.filter { page in
      DocumentedCommand.all.contains { $0.page == page }
    })
  func commandsWork(page: String) throws {
    let standIns = try StandIns()
    for command in DocumentedCommand.all where command.page == page {
      var words = command.filledIn + (Self.overrides[command.name] ?? [])
      if let flags = Self.defaults[command.name], !words.contains(flags[0]) { words += flags }
      for index in words.indices.dropFirst() where words[index - 1] == "--config" {
        try standIns.write(command.configuration, words[index])
      }
      try standIns.makeWhatIsMissing(for: words)
      let result = try Tool.run(
        words[0], Array(words.dropFirst()), folder: standIns.folder.path)
      #expect(
        result.status == 0,
        "\(command.place): \(words.joined(separator: " "))\n\(result.errors)\(result.output)")
    }
  }

  /// What is in the tables is on a page.
  @Test func tablesHaveNothingStale() {
    let names = Set(DocumentedCommand.all.map(\.name))
    #expect(Self.overrides.keys.filter { !names.contains($0) } == [])
    let words = Set(DocumentedCommand.all.flatMap(\.words))
    #expect(DocumentedCommand.placeholders.keys.filter { !words.contains($0) } == [])
    let texts = DocumentedCommand.pages.map(DocumentedCommand.text)
    #expect(StandIns.names.filter { name in !texts.contains { $0.contains(name) } } == [])
  }
}
