import Foundation
import TestSupport
import Testing
import Text

/// Lines, JSON rows and paragraphs, read from files.
@Suite struct DataLinesTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func lines(_ bytes: [UInt8], longest: Int = 1 << 28) throws -> [String] {
    var reader = try LineReader(path: try folder.write(bytes, "lines"), longestLine: longest)
    var result: [String] = []
    while let line = try reader.nextText() { result.append(line) }
    #expect(reader.line == result.count)
    return result
  }

  @Test(arguments: [
    ("", []), ("\n", [""]), ("a", ["a"]), ("a\n", ["a"]), ("a\n\nb", ["a", "", "b"]),
    ("a\r\nb\r\n", ["a", "b"]), ("a\r", ["a"]), ("\r\n", [""]), ("a\rb\n", ["a\rb"]),
    ("\u{feff}a\n\u{feff}b", ["a", "\u{feff}b"]), ("\u{feff}", [""]),
    ("a\u{2028}b\u{85}c\n", ["a\u{2028}b\u{85}c"]),
  ])
  func endsAndMarks(_ text: String, _ expected: [String]) throws {
    // Compared as scalars: Swift's `==` would take canonically equal texts for the same.
    let found = try lines(Array(text.utf8))
    #expect(found.map { Array($0.utf8) } == expected.map { Array($0.utf8) })
  }

  @Test func linesAcrossChunks() throws {
    // Lines of many lengths around the size of a read (2^18).
    let lengths = [0, 1, 262_143, 262_144, 262_145, 10, 600_000, 3]
    let text = lengths.enumerated().map { String(repeating: "\($0.offset)", count: $0.element) }
    #expect(try lines(Array(text.joined(separator: "\n").utf8)) == text)
  }

  @Test func aLineOfTenMegabytes() throws {
    let long = String(repeating: "x", count: 10 << 20)
    let path = try folder.write(Array("{\"text\": \"\(long)\"}\n{\"text\": \"b\"}".utf8), "long")
    var paragraphs = try ParagraphReader(path: path)
    #expect(try paragraphs.next()?.utf8.count == 10 << 20)
    #expect(try paragraphs.next() == "b")
    #expect(try paragraphs.next() == nil)
  }

  @Test func aLineBeyondTheBoundIsRefused() throws {
    let bytes = [UInt8](repeating: 0x61, count: 1 << 20)
    let message = errorText { _ = try lines([0x61, 0x0a] + bytes, longest: 1000) }
    #expect(message.hasSuffix("lines, line 2: is longer than 1000 bytes"))
  }

  @Test func invalidUTF8NamesTheLine() throws {
    for bytes: [UInt8] in [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80]] {
      let message = errorText { _ = try lines([0x61, 0x0a] + bytes + [0x0a]) }
      #expect(message.hasSuffix("lines, line 2: is not valid UTF-8"))
    }
  }

  @Test func peekPassesWhiteSpace() throws {
    for text in ["x", " x", "\n\r\n\tx\n", "\u{feff}\n x"] {
      var reader = try LineReader(path: try folder.write(Array(text.utf8), "peek"))
      #expect(try reader.peek() == UInt8(ascii: "x"), "\(text)")
      #expect(reader.line == 0)
    }
    let spaces = [UInt8](repeating: 0x20, count: 1 << 20)
    var reader = try LineReader(path: try folder.write(spaces, "peek"))
    #expect(try reader.peek() == nil)
    let message = errorText {
      var reader = try LineReader(path: try folder.write(spaces, "peek"), longestLine: 1000)
      _ = try reader.peek()
    }
    #expect(message.hasSuffix("peek, line 1: is more than 1000 bytes of white space"))
  }

  @Test func peekDoesNotTake() throws {
    for text in ["xy\nz", "\u{feff}xy\nz"] {
      var reader = try LineReader(path: try folder.write(Array(text.utf8), "peek"))
      #expect(try reader.peek() == UInt8(ascii: "x"))
      #expect(try reader.nextText() == "xy")
      #expect(try reader.peek() == UInt8(ascii: "z"))
      #expect(try reader.nextText() == "z")
      #expect(try reader.peek() == nil)
    }
    var empty = try LineReader(path: try folder.write([], "peek"))
    #expect(try empty.peek() == nil)
  }

  @Test func foldersAndMissingFilesAreNamed() throws {
    for path in [folder.path, folder.file("nothing")] {
      #expect(errorText { _ = try JSONLines(path: path) } == "\(path): cannot be read")
    }
  }

  private func paragraphs(_ text: String) throws -> [String] {
    var reader = try ParagraphReader(path: try folder.write(Array(text.utf8), "text"))
    var result: [String] = []
    while let paragraph = try reader.next() { result.append(paragraph) }
    return result
  }

  @Test func paragraphsOfText() throws {
    #expect(try paragraphs("\n\n a\nb \n\n \t\nc") == ["a b", "c"])
    #expect(try paragraphs("") == [])
    #expect(try paragraphs("\u{feff}a\r\n\r\nb\r\n") == ["a", "b"])
  }

  @Test func paragraphsOfRows() throws {
    let rows = "\u{feff}{\"text\": \"a\\n\\nb\"}\r\n\n{\"text\": \"\"}\n{\"text\": \"c\", \"n\": 1}"
    #expect(try paragraphs(rows) == ["a\n\nb", "c"])
    let message = errorText { _ = try paragraphs("{\"text\": \"a\"}\n{\"txt\": 1}") }
    #expect(message.hasSuffix("text, line 2: field 'text' is missing"))
  }

  /// White space in front of the first row does not make prose of rows.
  @Test func rowsBehindWhiteSpace() throws {
    #expect(try paragraphs("\n {\"text\": \"a\"}\n \t\n{\"text\": \"b\"}") == ["a", "b"])
    #expect(try paragraphs("\u{feff}\r\n\r\n{\"text\": \"a\"}") == ["a"])
    let message = errorText { _ = try paragraphs(" \n\n{\"text\": 1}") }
    #expect(message.hasSuffix("text, line 3: field 'text': expected String"))
  }

  @Test func aWriterLeavesAllOrNothing() throws {
    let path = folder.file("rows.jsonl")
    let task = MetaTask(context: "a/b\n", query: "\"q\"", response: " é")
    do {
      let writer = try JSONLinesWriter(path: path)
      try writer.append(task)
    }
    #expect(folder.names == [])
    #expect(try TaskWriter.write(Array(repeating: task, count: 5000), to: path) == 5000)
    #expect(folder.names == ["rows.jsonl"])
    var rows = try JSONLines(path: path)
    var count = 0
    while let row = try rows.next(MetaTask.self) {
      #expect(row == task)
      count += 1
    }
    #expect(count == 5000)
    let prepared = try TaskWriter.prepare([task], at: folder.file("later.jsonl"))
    #expect(prepared.count == 1 && !folder.names.contains("later.jsonl"))
    try prepared.commit()
    #expect(folder.names == ["later.jsonl", "rows.jsonl"])
    let missing = folder.file("no/such/rows.jsonl")
    #expect(
      errorText { try TaskWriter.write([task], to: missing) }
        == "\(missing): cannot be written: No such file or directory")
  }
}
