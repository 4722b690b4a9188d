import Foundation
import TestSupport
import Testing

/// A command in a block of code of README or Docs.
struct DocumentedCommand: Sendable, CustomTestStringConvertible {
  var page: String
  var line: Int
  /// The words as they stand there.
  var words: [String]

  var place: String { "\(page):\(line)" }
  var testDescription: String { "\(place): \(words.joined(separator: " "))" }
  /// The executable and what of it is called: `imprint train`.
  var name: String { words.prefix(2).joined(separator: " ") }

  /// Words that stand for something, and what is put in their place.
  static let placeholders = ["N": "4", "CHARACTERS": "2000", "$M": ".cache/smollm2.imprint"]

  static let pages: [String] = {
    let docs = (try? FileManager.default.contentsOfDirectory(atPath: Fixtures.root + "Docs")) ?? []
    return ["README.md"] + docs.filter { $0.hasSuffix(".md") }.sorted().map { "Docs/" + $0 }
  }()

  /// The commands of all pages in their order, each alternative of `a|b` by itself.
  static let all: [DocumentedCommand] = pages.flatMap { page -> [DocumentedCommand] in
    var found: [DocumentedCommand] = []
    var isFenced = false
    var open = ""
    for (index, line) in text(page).split(separator: "\n", omittingEmptySubsequences: false)
      .enumerated()
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
      for part in shellParts(open).map(experiment) {
        guard let tool = part[0].split(separator: "/").last.map(String.init),
          ["imprint", "imprint-tools", "imprint-bench"].contains(tool)
        else { continue }
        for words in alternatives([tool] + part.dropFirst()) {
          found.append(DocumentedCommand(page: page, line: index + 1, words: words))
        }
      }
    }
    return found
  }

  static func text(_ page: String) -> String {
    (try? String(contentsOfFile: Fixtures.root + page, encoding: .utf8)) ?? ""
  }

  /// The words with values in the place of placeholders.
  var filledIn: [String] { words.map { Self.placeholders[$0] ?? $0 } }

  /// The YAML of the page that names flags, which is what `--config` means there.
  var configuration: String? {
    Self.text(page).components(separatedBy: "```yaml\n").dropFirst().first?
      .components(separatedBy: "```").first
  }

  /// The commands of a line of shell: words in quotes, pipes, comments; `[…]` of a synopsis is taken
  /// as if it were given, and what goes into a file is left out.
  static func shellParts(_ line: String) -> [[String]] {
    var parts: [[String]] = [[]]
    var word: String?
    var quote: Character?
    /// `$'…'`, with escapes.
    var escapes = false
    var isEscaped = false
    func end() {
      if let finished = word { parts[parts.count - 1].append(finished) }
      word = nil
    }
    scan: for character in line {
      if let open = quote {
        if isEscaped {
          word = (word ?? "") + (character == "n" ? "\n" : String(character))
          isEscaped = false
        } else if escapes, character == "\\" {
          isEscaped = true
        } else if character == open {
          (quote, escapes) = (nil, false)
        } else {
          word = (word ?? "") + String(character)
        }
        continue
      }
      switch character {
      case "'", "\"":
        quote = character
        escapes = word == "$"
        word = escapes ? "" : word ?? ""
      case " ", "[", "]": end()
      case "#" where word == nil: break scan
      case "|" where word != nil: word?.append("|")
      case "|", ";", "&", ">":
        end()
        parts.append([])
      default: word = (word ?? "") + String(character)
      }
    }
    end()
    return parts.filter { !$0.isEmpty }
  }

  /// What `make experiment NAME=… FLAGS="…"` plans, as its command.
  private static func experiment(_ words: [String]) -> [String] {
    guard words.prefix(2) == ["make", "experiment"] else { return words }
    func value(_ name: String) -> String? {
      words.first { $0.hasPrefix(name + "=") }.map { String($0.dropFirst(name.count + 1)) }
    }
    let file = "Benchmarks/experiments/\(value("NAME") ?? "figure-2").yaml"
    return ["imprint-bench", "experiment", file, "--output", ".cache/experiments", "--dry-run"]
      + shellParts(value("FLAGS") ?? "").joined()
  }

  /// The command lines that `--format peft|gguf` stands for.
  private static func alternatives(_ words: [String]) -> [[String]] {
    guard let place = words.firstIndex(where: { $0.contains("|") }) else { return [words] }
    return words[place].split(separator: "|").flatMap { choice -> [[String]] in
      // Each writes something of its own.
      var words = words.map { $0 == "OUT" ? "OUT-\(choice)" : $0 }
      words[place] = String(choice)
      return alternatives(words)
    }
  }
}
