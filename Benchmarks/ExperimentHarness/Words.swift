import Invocation

/// A command line as an experiment file has it: words with variables.
///
/// Words are separated by white space. `'…'` is taken as it is; in `"…"` variables are replaced; `\n`
/// and `\t` in quotes are a line feed and a tab. A word that is `$name` alone becomes the words of the
/// variable's value, which may be none or several; elsewhere `$name` and `${name}` are replaced by
/// the value as it is. A path is taken as it is everywhere: it may have spaces and dollars.
struct Words {
  private enum Piece: Equatable {
    case text(String)
    case variable(String)
  }

  private struct Word {
    var pieces: [Piece] = []
    var isQuoted = false
  }

  private var words: [Word] = []

  /// Reads `line`. Throws ``ExperimentError`` where a quote is not closed or a `$` names nothing.
  init(_ line: String) throws {
    var scanner = Scanner(line)
    while scanner.skipSpace() {
      var word = Word()
      while let next = scanner.peek, !next.isWhitespace {
        switch next {
        case "'", "\"":
          word.isQuoted = true
          word.pieces += try scanner.quoted()
        case "$": word.pieces.append(try scanner.variable())
        default: word.pieces.append(.text(String(scanner.take())))
        }
      }
      words.append(word)
    }
  }

  /// The words with variables replaced by `paths`, or by `values`, whose own variables are replaced too.
  func expanded(
    _ values: [String: String], paths: [String: String] = [:], depth: Int = 0
  ) throws -> [String] {
    guard depth < 16 else { throw ExperimentError("settings refer to one another in a circle") }
    func value(_ name: String) throws -> String {
      guard let value = values[name] else {
        let known = Set(values.keys).union(paths.keys).sorted().map { "$\($0)" }
        throw ExperimentError(
          "unknown variable '$\(name)': there are \(known.joined(separator: " "))"
            + NearestName.hint("$" + name, among: known))
      }
      return value
    }
    return try words.flatMap { word -> [String] in
      if !word.isQuoted, word.pieces.count == 1, case .variable(let name) = word.pieces[0],
        paths[name] == nil
      {
        return try Words(try value(name)).expanded(values, paths: paths, depth: depth + 1)
      }
      return [
        try word.pieces.map { piece in
          switch piece {
          case .text(let text): return text
          case .variable(let name):
            if let path = paths[name] { return path }
            let text = try value(name)
            return text.contains("$")
              ? try Words("\"\(text)\"").expanded(values, paths: paths, depth: depth + 1)[0] : text
          }
        }.joined()
      ]
    }
  }

  /// `words` as a shell reads them back.
  static func shell(_ words: [String]) -> String {
    words.map { word in
      let isPlain =
        !word.isEmpty
        && word.unicodeScalars.allSatisfy {
          ("a"..."z").contains($0) || ("A"..."Z").contains($0) || ("0"..."9").contains($0)
            || "-_./,:=+%@".unicodeScalars.contains($0)
        }
      if isPlain { return word }
      if word.contains("\n") || word.contains("\t") {
        let escaped = word.replacing("\\", with: "\\\\").replacing("'", with: "\\'")
          .replacing("\n", with: "\\n").replacing("\t", with: "\\t")
        return "$'\(escaped)'"
      }
      return "'\(word.replacing("'", with: "'\\''"))'"
    }.joined(separator: " ")
  }

  private struct Scanner {
    private let characters: [Character]
    private var place = 0

    init(_ text: String) { characters = Array(text) }

    var peek: Character? { place < characters.count ? characters[place] : nil }

    mutating func take() -> Character {
      defer { place += 1 }
      return characters[place]
    }

    /// Goes to the next word. Returns whether there is one.
    mutating func skipSpace() -> Bool {
      while let next = peek, next.isWhitespace { place += 1 }
      return peek != nil
    }

    mutating func variable() throws -> Piece {
      _ = take()
      let isBraced = peek == "{"
      if isBraced { _ = take() }
      var name = ""
      while let next = peek, next.isLetter || next.isNumber || next == "_" { name.append(take()) }
      if isBraced {
        guard peek == "}" else { throw ExperimentError("'${\(name)' is not closed") }
        _ = take()
      }
      guard !name.isEmpty else { throw ExperimentError("a '$' is not followed by a name") }
      return .variable(name)
    }

    mutating func quoted() throws -> [Piece] {
      let quote = take()
      var pieces: [Piece] = [.text("")]
      func append(_ character: Character) {
        if case .text(let text) = pieces[pieces.count - 1] {
          pieces[pieces.count - 1] = .text(text + String(character))
        } else {
          pieces.append(.text(String(character)))
        }
      }
      while let next = peek {
        if next == quote {
          _ = take()
          return pieces
        }
        if next == "$", quote == "\"" {
          pieces.append(try variable())
        } else if next == "\\", place + 1 < characters.count, "nt".contains(characters[place + 1]) {
          _ = take()
          append(take() == "n" ? "\n" : "\t")
        } else {
          append(take())
        }
      }
      throw ExperimentError("a quote is not closed")
    }
  }
}
