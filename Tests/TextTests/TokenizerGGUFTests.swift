import Foundation
import TestSupport
import Testing
import Text

/// Tokenizers from the metadata of GGUF files.
@Suite struct TokenizerGGUFTests {
  static func metadata(
    _ model: String, pre: String? = nil, tokens: [[UInt8]], scores: [Double] = [],
    types: [Int] = [], merges: [[UInt8]] = [], unknownId: Int? = nil, addsSpacePrefix: Bool? = nil
  ) -> GGUFTokenizerMetadata {
    GGUFTokenizerMetadata(
      model: model, pre: pre, tokens: tokens, scores: scores, types: types, merges: merges,
      bosId: nil, eosId: nil, unknownId: unknownId, addsBos: nil, addsSpacePrefix: addsSpacePrefix)
  }

  /// The byte-level fixtures as a GGUF file would hold them give the library's ids.
  @Test(arguments: [
    ("gpt2", "gpt-2"), ("digits", "smollm"), ("llama3", "llama-bpe"), ("qwen2", "qwen2"),
  ]) func byteLevel(_ name: String, _ pre: String) throws {
    struct File: Decodable {
      struct Added: Decodable {
        var id: Int
        var content: String
        var special: Bool
      }
      struct Model: Decodable {
        enum Merge: Decodable {
          case text(String)
          init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let text = try? container.decode(String.self) {
              self = .text(text)
            } else {
              self = .text(try container.decode([String].self).joined(separator: " "))
            }
          }
          var bytes: [UInt8] {
            switch self {
            case .text(let text): Array(text.utf8)
            }
          }
        }
        var vocab: [String: Int]
        var merges: [Merge]
      }
      var added_tokens: [Added]
      var model: Model
    }
    let data = try Data(contentsOf: URL(filePath: Fixtures.path("tokenizers/\(name).json")))
    let file = try JSONDecoder().decode(File.self, from: data)
    let count = 1 + max(file.model.vocab.values.max() ?? 0, file.added_tokens.map(\.id).max() ?? 0)
    var tokens = [[UInt8]](repeating: [], count: count)
    var types = [Int](repeating: 1, count: count)
    for (text, id) in file.model.vocab { tokens[id] = Array(text.utf8) }
    for token in file.added_tokens {
      tokens[token.id] = Array(token.content.utf8)
      types[token.id] = token.special ? 3 : 4
    }
    let direct = try Tokenizer(
      gguf: Self.metadata(
        "gpt2", pre: pre, tokens: tokens, types: types, merges: file.model.merges.map(\.bytes)))
    // GGUF has no flags for the fixtures' two plain added tokens.
    let rows = try TokenizerFixtureTests.rows(name).filter {
      !$0.text.contains("foo_bar") && !$0.text.contains("qux")
    }
    #expect(rows.count > 35)
    for tokenizer in [direct, try Tokenizer(serialized: direct.serialized())] {
      for row in rows {
        #expect(tokenizer.encode(row.text) == row.ids, "\(row.text.debugDescription)")
        #expect(tokenizer.decodeBytes(row.ids) == Array(row.decoded.utf8))
      }
    }
  }

  /// A small model trained by SentencePiece 0.2 on our own text, with that library's ids.
  @Test func sentencePiece() throws {
    struct File: Decodable {
      struct Row: Decodable {
        var text: String
        var ids: [Int32]
      }
      var tokens: [String]
      var scores: [Double]
      var types: [Int]
      var rows: [Row]
    }
    let path = Fixtures.path("tokenizers/sentencepiece.json")
    let file = try JSONDecoder().decode(File.self, from: Data(contentsOf: URL(filePath: path)))
    let direct = try Tokenizer(
      gguf: Self.metadata(
        "llama", tokens: file.tokens.map { Array($0.utf8) }, scores: file.scores,
        types: file.types, unknownId: 0))
    #expect(file.rows.count == 70)
    for tokenizer in [direct, try Tokenizer(serialized: direct.serialized())] {
      for row in file.rows {
        #expect(tokenizer.encode(row.text) == row.ids, "\(row.text.debugDescription)")
        if !row.text.contains("▁") {
          #expect(tokenizer.decodeBytes(row.ids) == Array(row.text.utf8))
        }
      }
    }
  }

  /// Of equal scores the leftmost pair merges first, whichever token it comes to.
  @Test func equalScoresMergeFromTheLeft() throws {
    let tokens = ["a", "b", "ab", "aba", "ba"].map { Array($0.utf8) }
    func ids(_ scores: [Double], _ text: String) throws -> [Int32] {
      try Tokenizer(
        gguf: Self.metadata("llama", tokens: tokens, scores: scores, addsSpacePrefix: false)
      ).encode(text)
    }
    // ab and ba are equal: "bab" is ba b, though ab comes first in the vocabulary.
    #expect(try ids([0, 0, -1, -9, -1], "bab") == [4, 1])
    #expect(try ids([0, 0, -1, -9, -2], "bab") == [1, 2])
    #expect(try ids([0, 0, -1, -9, -1], "abab") == [2, 2])
    #expect(try ids([0, 0, -1, -2, -3], "aba") == [3])
    // The heap does the same.
    let long = String(repeating: "bab", count: 60)
    #expect(
      try ids([0, 0, -1, -9, -1], long) == (0..<60).flatMap { _ in [4, 1] as [Int32] })
  }

  @Test(arguments: [
    (metadata("bert", tokens: [[0x61]]), "tokenizer.ggml.model"),
    (metadata("gpt2", pre: "unheard-of", tokens: [[0x61]]), "unheard-of"),
    (metadata("gpt2", tokens: [[0x61]], merges: [Array("a b".utf8)]), "a b"),
    (metadata("gpt2", tokens: [[0x61]], merges: [Array("ab".utf8)]), "merges"),
    (metadata("gpt2", tokens: [[0x61]], types: [1, 1]), "token_type"),
    (metadata("llama", tokens: [[0x61]], scores: []), "scores"),
    (metadata("llama", tokens: [[0x61]], scores: [.nan]), "scores"),
    (metadata("llama", tokens: [[0x61]], scores: [0], unknownId: 1), "unknown_token_id"),
    (metadata("llama", tokens: [[0x61]], scores: [0], unknownId: -5), "unknown_token_id"),
  ]) func whatIsWrongIsNamed(_ metadata: GGUFTokenizerMetadata, _ named: String) {
    let error = #expect(throws: TokenizerError.self) { try Tokenizer(gguf: metadata) }
    #expect(error?.description.contains(named) == true, "\(error?.description ?? "")")
  }
}
