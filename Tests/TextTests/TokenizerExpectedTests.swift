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
        #expect(tokenizer.decodeBytes(expected) == Array(row.text.utf8))
      }
    }
  }

  /// Rows whose text was cut at a line separator, of which the end is there: the ids of both
  /// tokenizers give the same whole text, which comes back to them.
  @Test func rowsThatWereCut() throws {
    struct Ids: Decodable {
      var llama3: [Int32]
      var smollm2: [Int32]
    }
    let folder = (Fixtures.sharedData ?? "") + "/tokenizer/"
    func tokenizer(_ name: String) throws -> Tokenizer {
      try Tokenizer(
        tokenizerJSON: Data(contentsOf: URL(filePath: folder + name + ".tokenizer.json")))
    }
    let (llama3, smollm2) = (try tokenizer("llama3"), try tokenizer("smollm2"))
    let data = try Data(contentsOf: URL(filePath: folder + "expected-ids.jsonl"))
    var count = 0
    for line in data.split(separator: 0x0a) where line.first != 0x7b && line.last == 0x7d {
      guard let cut = line.firstRange(of: Data("\", \"llama3\"".utf8)) else { continue }
      let rest = Data("{".utf8) + line[(cut.lowerBound + 3)...]
      let ids = try JSONDecoder().decode(Ids.self, from: rest)
      let text = llama3.decode(ids.llama3)
      #expect(text.utf8.elementsEqual(smollm2.decode(ids.smollm2).utf8))
      #expect(llama3.encode(text) == ids.llama3)
      #expect(smollm2.encode(text) == ids.smollm2)
      count += 1
    }
    #expect(count == 2)
  }

  @Test func tinyStories() throws {
    let path = (Fixtures.sharedData ?? "") + "/models/tinystories-656k/tokenizer.json"
    let direct = try Tokenizer(tokenizerJSON: Data(contentsOf: URL(filePath: path)))
    let rows = try TokenizerFixtureTests.rows("tinystories")
    #expect(rows.count > 60)
    for tokenizer in [direct, try Tokenizer(serialized: direct.serialized())] {
      for row in rows {
        #expect(tokenizer.encode(row.text) == row.ids, "\(row.text.debugDescription)")
        #expect(tokenizer.encode(row.text, addSpecialTokens: true) == row.special)
        #expect(tokenizer.decodeBytes(row.ids) == Array(row.decoded.utf8))
      }
    }
  }
}
