import Foundation
import Storage
import TestSupport
import Testing
import Text

/// Small tokenizers of every kind, made from our own text, with ids from Hugging Face's library
/// (`tokenizers` 0.22 and 0.23): the strings are odd on purpose. `flags` is `qwen2` with added
/// tokens of every flag; `canonical` is `fallback` with tokens that are equal but for
/// normalisation, and merges as strings.
@Suite struct TokenizerFixtureTests {
  struct Row: Decodable {
    var text: String
    var ids: [Int32]
    var special: [Int32]
    var decoded: String
  }

  static func tokenizer(_ name: String) throws -> Tokenizer {
    let path = Fixtures.path("tokenizers/\(name).json")
    return try Tokenizer(tokenizerJSON: Data(contentsOf: URL(filePath: path)))
  }

  static func rows(_ name: String) throws -> [Row] {
    let data = try Data(contentsOf: URL(filePath: Fixtures.path("tokenizers/expected.json")))
    return try JSONDecoder().decode([String: [Row]].self, from: data)[name] ?? []
  }

  /// Ids that end a text or a turn, by the names of special tokens.
  @Test func endsAreKnown() throws {
    for (name, ids) in [("gpt2", [0, 2] as Set<Int32>), ("qwen2", [0, 2]), ("fallback", [2])] {
      #expect(try Self.tokenizer(name).endIds == ids, "\(name)")
    }
    let metadata = GGUFTokenizerMetadata(
      model: "llama", pre: nil, tokens: [[0x61], [0x62], Array("</s>".utf8)], scores: [0, 0, 0],
      types: [1, 1, 3], merges: [], bosId: nil, eosId: 1, unknownId: nil, addsBos: nil,
      addsSpacePrefix: nil)
    #expect(try Tokenizer(gguf: metadata).endIds == [1, 2])
  }

  @Test(arguments: ["gpt2", "digits", "llama3", "qwen2", "fallback", "flags", "canonical"])
  func idsAreThoseOfTheLibrary(_ name: String) throws {
    let direct = try Self.tokenizer(name)
    let stored = try Tokenizer(serialized: direct.serialized())
    let rows = try Self.rows(name)
    #expect(rows.count > 40)
    for tokenizer in [direct, stored] {
      for row in rows {
        #expect(tokenizer.encode(row.text) == row.ids, "\(row.text.debugDescription)")
        #expect(
          tokenizer.encode(row.text, addSpecialTokens: true) == row.special,
          "\(row.text.debugDescription)")
        // Bytes: strings that differ in normalisation would be equal.
        #expect(
          tokenizer.decodeBytes(row.ids) == Array(row.decoded.utf8), "\(row.text.debugDescription)")
      }
    }
  }

  /// Random scalars of all planes come back as they were.
  @Test(arguments: ["gpt2", "digits", "llama3"]) func anyTextComesBack(_ name: String) throws {
    let tokenizer = try Self.tokenizer(name)
    var random = SplitMix64(seed: 9)
    for _ in 0..<300 {
      var text = String.UnicodeScalarView()
      for _ in 0..<Int.random(in: 0...40, using: &random) {
        let range: ClosedRange<UInt32> =
          Bool.random(using: &random) ? 0...0x7f : 0...0x10ffff
        if let scalar = Unicode.Scalar(UInt32.random(in: range, using: &random)) {
          text.append(scalar)
        }
      }
      let string = String(text)
      #expect(tokenizer.decodeBytes(tokenizer.encode(string)) == Array(string.utf8))
    }
  }

  /// Words without end go through the heap: the same ids as the short way, and no quadratic time.
  @Test func wordsWithoutEnd() throws {
    let tokenizer = try Self.tokenizer("gpt2")
    let long = String(repeating: "theriver", count: 40_000)
    let ids = tokenizer.encode(long)
    #expect(tokenizer.decode(ids) == long)
    #expect(Set(ids).count < 20)
  }

  @Test func specialTokensCanBeLeftOut() throws {
    let tokenizer = try Self.tokenizer("gpt2")
    let ids = tokenizer.encode("<|im_start|>a river<|im_end|>")
    #expect(tokenizer.decode(ids, skipSpecialTokens: true) == "a river")
    #expect(tokenizer.decode(ids + [-1, 99_999]) == "<|im_start|>a river<|im_end|>")
  }

  @Test func damagedSerialisedFormsAreRefused() throws {
    let bytes = try Self.tokenizer("llama3").serialized()
    for length in stride(from: 0, to: bytes.count, by: 97) {
      #expect(throws: TokenizerError.self) {
        try Tokenizer(serialized: Array(bytes.prefix(length)))
      }
    }
    // Every word of the start, and some of the tables, with wild values: no trap.
    for offset in Array(stride(from: 0, to: 200, by: 4)) + [2000, 4000, bytes.count - 4000] {
      for value: UInt8 in [0x00, 0x7f, 0xff] {
        var damaged = bytes
        for index in 0..<4 { damaged[offset / 4 * 4 + index] = value }
        _ = try? Tokenizer(serialized: damaged)
      }
    }
  }

  @Test(arguments: [
    ("\"type\":\"BPE\"", "\"type\":\"Unigram\"", "model.type"),
    ("\"type\":\"ByteLevel\"", "\"type\":\"Metaspace\"", "Metaspace"),
    ("\"continuing_subword_prefix\":null", "\"continuing_subword_prefix\":\"##\"", "subword"),
    ("\"merges\":[[", "\"merges\":[[\"zz\",\"qq\"],[", "merges"),
    ("\"vocab\"", "\"vocabulary\"", "vocab"),
    ("\"add_prefix_space\":false", "\"add_prefix_space\":true", "add_prefix_space"),
    ("\"normalizer\":null", "\"normalizer\":{\"type\":\"Lowercase\"}", "Lowercase"),
    ("\"id\":501", "\"id\":5010", "5010"),
    ("\"id\":501", "\"id\":499", "499"),
    ("\"id\":501", "\"id\":500", "500"),
    ("\"id\":501", "\"id\":-1", "added_tokens[4]"),
    ("\"id\":501", "\"id\":1e99", "added_tokens[4]"),
  ]) func unknownPartsAreNamed(_ find: String, _ replacement: String, _ named: String) throws {
    let path = Fixtures.path("tokenizers/gpt2.json")
    let text = try String(contentsOfFile: path, encoding: .utf8)
    let changed = text.replacingOccurrences(of: find, with: replacement)
    #expect(changed != text)
    let error = #expect(throws: TokenizerError.self) {
      try Tokenizer(tokenizerJSON: Data(changed.utf8))
    }
    #expect(error?.description.contains(named) == true, "\(error?.description ?? "")")
  }
}
