import Foundation
import TestSupport
import Testing
import Text

/// Real tokenizers against ids from their own libraries, where the data is beside the checkout.
@Suite(.enabled(if: Fixtures.sharedData != nil))
struct TokenizerExpectedTests {
  struct Row: Decodable {
    var text: String
    var llama3: [Int32]
    var smollm2: [Int32]
  }

  static func rows() throws -> [Row] {
    let data = try Data(
      contentsOf: URL(filePath: (Fixtures.sharedData ?? "") + "/tokenizer/expected-ids.jsonl"))
    // Four lines of the file are fragments of rows whose text held a line separator (U+0085,
    // U+2028); their other halves are not in it.
    return try data.split(separator: 0x0a).filter { $0.first == 0x7b && $0.last == 0x7d }.map {
      try JSONDecoder().decode(Row.self, from: Data($0))
    }
  }

  @Test(arguments: ["smollm2", "llama3"]) func everyRow(_ name: String) throws {
    let path = (Fixtures.sharedData ?? "") + "/tokenizer/\(name).tokenizer.json"
    let direct = try Tokenizer(tokenizerJSON: Data(contentsOf: URL(filePath: path)))
    let stored = try Tokenizer(serialized: direct.serialized())
    let rows = try Self.rows()
    #expect(rows.count == 246)
    for tokenizer in [direct, stored] {
      for row in rows {
        let expected = name == "llama3" ? row.llama3 : row.smollm2
        #expect(tokenizer.encode(row.text) == expected, "\(row.text.debugDescription.prefix(80))")
        #expect(tokenizer.decode(expected) == row.text)
      }
    }
  }
}
