import ArgumentParser
import Foundation
import Invocation
import Text
import Weights

struct Tokenize: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Turn JSON Lines of text into ids, or back.",
    discussion: """
      Reads {"text": …} lines on standard input and writes {"ids": […]} lines; with --decode the \
      other way round.

      Example: echo '{"text": "Hello"}' | imprint-tools tokenize smollm2.imprint
      """)

  @OptionGroup var config: ConfigOptions

  @Argument(help: "A weight file or a tokenizer.json.")
  var file: String

  @Flag(help: "Turn ids into text.")
  var decode = false

  @Flag(help: "Start with the bos id where the tokenizer says so.")
  var addSpecialTokens = false

  @OptionGroup var verbosity: Verbosity

  struct TextLine: Codable { var text: String }
  struct IdsLine: Codable { var ids: [Int32] }

  func validate() throws {
    guard !(decode && addSpecialTokens) else {
      throw ValidationError("--add-special-tokens is for encoding, not for --decode.")
    }
  }

  func run() throws {
    try reportingErrors {
      let tokenizer = try Tokenizer(contentsOf: file)
      verbosity.note("tokenizer: \(file), \(tokenizer.vocabularySize) ids")
      let decoder = JSONDecoder()
      let encoder = JSONEncoder()
      encoder.outputFormatting = .withoutEscapingSlashes
      var lines = StandardInputLines()
      while let line = try lines.next() {
        if line.isEmpty { continue }
        guard String(validating: line, as: UTF8.self) != nil else {
          throw Problem("standard input, line \(lines.number): is not valid UTF-8")
        }
        do {
          if decode {
            let ids = try decoder.decode(IdsLine.self, from: line).ids
            if let id = ids.first(where: { $0 < 0 || $0 >= tokenizer.vocabularySize }) {
              throw Problem(
                "standard input, line \(lines.number): id \(id) is outside the vocabulary of "
                  + "\(tokenizer.vocabularySize)")
            }
            let text = tokenizer.decode(ids)
            print(String(decoding: try encoder.encode(TextLine(text: text)), as: UTF8.self))
          } else {
            let text = try decoder.decode(TextLine.self, from: line).text
            let ids = tokenizer.encode(text, addSpecialTokens: addSpecialTokens)
            print("{\"ids\":[\(ids.map { String($0) }.joined(separator: ","))]}")
          }
        } catch is DecodingError {
          throw Problem(
            "standard input, line \(lines.number): expected "
              + (decode ? "{\"ids\": [numbers]}" : "{\"text\": \"…\"}"))
        }
      }
    }
  }
}

/// The lines of standard input as bytes, cut at line feeds alone, each as soon as it is there.
private struct StandardInputLines {
  /// The number of the line that ``next()`` gave last, from 1.
  private(set) var number = 0
  private var buffer = Data()
  /// Bytes of `buffer` that hold no line feed.
  private var searched = 0
  private var isAtEnd = false

  mutating func next() throws -> Data? {
    while true {
      if let end = buffer.dropFirst(searched).firstIndex(of: 0x0a) {
        defer { buffer = buffer[(end + 1)...] }
        return line(buffer[..<end])
      }
      if isAtEnd {
        defer { buffer = Data() }
        return buffer.isEmpty ? nil : line(buffer)
      }
      searched = buffer.count
      try fill()
    }
  }

  private mutating func line(_ bytes: Data) -> Data {
    number += 1
    searched = 0
    return Data(bytes.last == 0x0d ? bytes.dropLast() : bytes)
  }

  private mutating func fill() throws {
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    let count = read(STDIN_FILENO, &chunk, chunk.count)
    if count < 0 {
      if errno == EINTR { return }
      throw Problem("standard input: cannot be read")
    }
    if count == 0 { isAtEnd = true }
    buffer = Data(buffer)
    buffer.append(contentsOf: chunk[..<count])
  }
}

extension Tokenizer {
  /// The tokenizer in a weight file or a `tokenizer.json`, told from the content.
  convenience init(contentsOf path: String) throws {
    let handle = FileHandle(forReadingAtPath: path)
    let start = (try? handle?.read(upToCount: 8)) ?? Data()
    if start.starts(with: "IMPRINT\0".utf8) {
      guard let data = try WeightFile(path: path).tokenizerData() else {
        throw WeightError(path: path, "has no tokenizer")
      }
      try self.init(serialized: data)
      return
    }
    guard let data = FileManager.default.contents(atPath: path) else {
      throw WeightError(path: path, "cannot be read")
    }
    do {
      try self.init(tokenizerJSON: data)
    } catch {
      throw WeightError(path: path, error.description)
    }
  }
}
