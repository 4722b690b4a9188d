import ArgumentParser
import Foundation
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

  @Argument(help: "A weight file or a tokenizer.json.")
  var file: String

  @Flag(help: "Turn ids into text.")
  var decode = false

  @Flag(help: "Start with the bos id where the tokenizer says so.")
  var addSpecialTokens = false

  struct TextLine: Codable { var text: String }
  struct IdsLine: Codable { var ids: [Int32] }

  func run() throws {
    try reportingErrors {
      let tokenizer = try Tokenizer(contentsOf: file)
      let decoder = JSONDecoder()
      let encoder = JSONEncoder()
      encoder.outputFormatting = .withoutEscapingSlashes
      var number = 0
      while let line = readLine(strippingNewline: true) {
        number += 1
        if line.isEmpty { continue }
        let data = Data(line.utf8)
        do {
          if decode {
            let text = tokenizer.decode(try decoder.decode(IdsLine.self, from: data).ids)
            print(String(decoding: try encoder.encode(TextLine(text: text)), as: UTF8.self))
          } else {
            let text = try decoder.decode(TextLine.self, from: data).text
            let ids = tokenizer.encode(text, addSpecialTokens: addSpecialTokens)
            print(String(decoding: try encoder.encode(IdsLine(ids: ids)), as: UTF8.self))
          }
        } catch is DecodingError {
          throw Problem(
            "standard input, line \(number): expected \(decode ? "{\"ids\": [numbers]}" : "{\"text\": \"…\"}")"
          )
        }
      }
    }
  }
}

extension Tokenizer {
  /// The tokenizer in a weight file or a `tokenizer.json`, told from the content.
  convenience init(contentsOf path: String) throws {
    let handle = FileHandle(forReadingAtPath: path)
    let start = try handle?.read(upToCount: 8) ?? Data()
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
