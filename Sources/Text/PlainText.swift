import Foundation

/// Plain text for language-model losses: a text file cut at empty lines, or JSON Lines `{"text": …}`.
public enum PlainText {
  private struct Row: Decodable { var text: String }

  /// The paragraphs of the file at `path`, in token ids, each cut to pieces of at most `length` ids.
  ///
  /// Pieces of fewer than `shortest` ids are left out. The format is told from the first byte.
  /// Throws ``JSONLines/Failure`` where the file cannot be read or holds no piece.
  public static func read(
    _ path: String, tokenizer: Tokenizer, length: Int, shortest: Int = 16, limit: Int? = nil
  ) throws(JSONLines.Failure) -> [[Int32]] {
    var pieces: [[Int32]] = []
    for paragraph in try paragraphs(path) {
      let ids = tokenizer.encode(paragraph)
      for start in stride(from: 0, to: ids.count, by: length) {
        let piece = Array(ids[start..<min(start + length, ids.count)])
        if piece.count >= shortest { pieces.append(piece) }
        if pieces.count == limit { return pieces }
      }
    }
    guard !pieces.isEmpty else {
      throw JSONLines.Failure(
        path: path, line: 0, "holds no paragraph of at least \(shortest) tokens")
    }
    return pieces
  }

  private static func paragraphs(_ path: String) throws(JSONLines.Failure) -> [String] {
    guard let handle = FileHandle(forReadingAtPath: path) else {
      throw JSONLines.Failure(path: path, line: 0, "cannot be read")
    }
    if (try? handle.read(upToCount: 1))?.first == 0x7b {
      var lines = try JSONLines(path: path)
      var texts: [String] = []
      while let row = try lines.next(Row.self) { texts.append(row.text) }
      return texts
    }
    guard let data = FileManager.default.contents(atPath: path),
      let text = String(validating: data, as: UTF8.self)
    else { throw JSONLines.Failure(path: path, line: 0, "is not valid UTF-8") }
    var result: [String] = []
    var current = ""
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      let line = line.trimmingCharacters(in: .whitespaces)
      if line.isEmpty {
        if !current.isEmpty { result.append(current) }
        current = ""
      } else {
        current += current.isEmpty ? line : " " + line
      }
    }
    if !current.isEmpty { result.append(current) }
    return result
  }
}
