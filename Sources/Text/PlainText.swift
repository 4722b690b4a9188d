/// Plain text for language-model losses: a text file cut at empty lines, or JSON Lines `{"text": …}`.
public enum PlainText {
  /// The fewest ids of a piece that is taken.
  public static let shortest = 16

  /// The paragraphs of the file at `path`, in token ids, each cut to pieces of at most `length` ids; a
  /// paragraph starts with the bos id where the tokenizer asks for it.
  ///
  /// Pieces of fewer than `shortest` ids are left out, and `leftOut` is told how many. Throws
  /// ``JSONLines/Failure`` where the file cannot be read or holds no piece.
  public static func read(
    _ path: String, tokenizer: Tokenizer, length: Int, shortest: Int = PlainText.shortest,
    limit: Int? = nil, leftOut: (_ pieces: Int) -> Void = { _ in }
  ) throws(JSONLines.Failure) -> [[Int32]] {
    var pieces: [[Int32]] = []
    var tooShort = 0
    var paragraphs = try ParagraphReader(path: path)
    while pieces.count < limit ?? .max, let paragraph = try paragraphs.next() {
      let ids = tokenizer.encode(paragraph, addSpecialTokens: true)
      for start in stride(from: 0, to: ids.count, by: length) where pieces.count != limit {
        let piece = Array(ids[start..<min(start + length, ids.count)])
        if piece.count >= shortest { pieces.append(piece) } else { tooShort += 1 }
      }
    }
    leftOut(tooShort)
    guard !pieces.isEmpty else {
      throw JSONLines.Failure(
        path: path, line: 0, "holds no paragraph of at least \(shortest) tokens")
    }
    return pieces
  }
}

/// A row of plain text in JSON Lines.
struct PlainTextRow: Codable { var text: String }

/// The paragraphs of a plain text, one after the other, in memory bounded by the longest.
///
/// In a text file they are separated by empty lines, and their lines are joined by spaces. A file
/// whose first byte that is not white space is `{` is JSON Lines `{"text": …}` instead, each text a
/// paragraph as it is.
public struct ParagraphReader {
  private enum Source {
    case lines(LineReader)
    case rows(JSONLines)
  }

  private var source: Source

  /// Opens the file at `path`. Throws ``JSONLines/Failure`` where it cannot be read.
  public init(path: String) throws(JSONLines.Failure) {
    var lines = try LineReader(path: path)
    source = try lines.peek() == UInt8(ascii: "{") ? .rows(JSONLines(lines)) : .lines(lines)
  }

  /// The next paragraph, which is not empty, or nil at the end.
  ///
  /// Throws ``JSONLines/Failure`` naming the line: not UTF-8, or not a row with a text.
  public mutating func next() throws(JSONLines.Failure) -> String? {
    switch source {
    case .rows(var rows):
      defer { source = .rows(rows) }
      while let row = try rows.next(PlainTextRow.self) {
        if !row.text.isEmpty { return row.text }
      }
      return nil
    case .lines(var lines):
      defer { source = .lines(lines) }
      var paragraph = ""
      while let line = try lines.nextText() {
        let line = line.trimmed
        if line.isEmpty {
          if !paragraph.isEmpty { return paragraph }
        } else {
          if !paragraph.isEmpty { paragraph += " " }
          paragraph += line
        }
      }
      return paragraph.isEmpty ? nil : paragraph
    }
  }
}
