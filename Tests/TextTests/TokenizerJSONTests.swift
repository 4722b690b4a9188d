import Foundation
import TestSupport
import Testing
import Text

/// `tokenizer.json` as JSON: exact strings, and files that are broken.
@Suite struct TokenizerJSONTests {
  static func file(vocabulary: String, merges: String = "[]", added: String = "[]") -> String {
    """
    {"added_tokens":\(added),"normalizer":null,"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},
     "model":{"merges":\(merges),"vocab":\(vocabulary)}}
    """
  }

  static func tokenizer(_ json: String) throws -> Tokenizer {
    try Tokenizer(tokenizerJSON: Data(json.utf8))
  }

  @Test func escapesAreUndone() throws {
    let tokenizer = try Self.tokenizer(
      Self.file(
        vocabulary: #"{"\u0061":0,"\"":1,"\\":2,"\u0120":3,"\/":4,"a\u0120":5}"#,
        merges: #"["\u0061 \u0120"]"#,
        added: #"[{"id":6,"content":"\ud83d\ude00\n\t\r\b\f"},{"id":7,"content":"é\u00e9"}]"#))
    #expect(tokenizer.decode([0, 1, 2, 3, 4, 5]) == "a\"\\ /a ")
    #expect(tokenizer.decode([6, 7]) == "😀\n\t\r\u{8}\u{c}éé")
    #expect(tokenizer.encode("aa\"\\/éé") == [0, 0, 1, 2, 4, 7])
  }

  /// An added token is text, not spelled in the byte-level alphabet, where "é" is byte 0xe9: it
  /// comes back as it was. Hugging Face's library gives U+FFFD here; we differ on purpose.
  @Test func addedTokensAreNotSpelledInBytes() throws {
    let tokenizer = try Self.tokenizer(
      Self.file(vocabulary: #"{"a":0}"#, added: #"[{"id":1,"content":"é!"}]"#))
    #expect(tokenizer.encode("aé!a") == [0, 1, 0])
    #expect(tokenizer.decode([0, 1, 0]) == "aé!a")
  }

  @Test(arguments: [
    (#"{"a":0,"a":1}"#, "'a' is there twice"),
    (#"{"a":0,"b":0}"#, "two tokens have the id 0"),
    (#"{"a":0,"b":7}"#, "id 7"),
    (#"{"a":-1}"#, "expected an id"),
    (#"{"a":0.5}"#, "expected an id"),
    (#"{"a":3000000000}"#, "expected an id"),
    (#"{"a":1e999}"#, "expected an id"),
    (#"{"a":"0"}"#, "expected a value"),
    (#"{"a":0,}"#, "not valid JSON"),
    (#"{"a" 0}"#, "expected ':'"),
    (#"{"a":0 "b":1}"#, "expected ','"),
    (#"{"\x":0}"#, "expected an escape"),
    (#"{"\u00zz":0}"#, "hexadecimal"),
    (#"{"\ud800":0}"#, "half of a pair"),
    (#"{"\udc00":0}"#, "half of a pair"),
    (#"{"\ud800\u0041":0}"#, "second half"),
    ("{\"\u{1}\":0}", "control character"),
    (#"{"€":0}"#, "byte-level alphabet"),
    (#"[["a",0]]"#, "expected an object of tokens"),
    ("{}", "id -1"),
  ]) func badVocabularies(_ vocabulary: String, _ named: String) {
    let error = #expect(throws: TokenizerError.self) {
      try Self.tokenizer(Self.file(vocabulary: vocabulary))
    }
    #expect(error?.description.contains(named) == true, "\(error?.description ?? "")")
    #expect(error?.description.contains("\n") == false)
  }

  @Test(arguments: [
    (#"[["a"]]"#, "model.merges[0]: expected two parts"),
    (#"["a a","a"]"#, "model.merges[1]"),
    (#"["a  a"]"#, "model.merges[0]"),
    (#"["a a"]"#, "not in the vocabulary"),
    ("{}", "model.merges"),
  ]) func badMerges(_ merges: String, _ named: String) {
    let error = #expect(throws: TokenizerError.self) {
      try Self.tokenizer(Self.file(vocabulary: #"{"a":0}"#, merges: merges))
    }
    #expect(error?.description.contains(named) == true, "\(error?.description ?? "")")
  }

  @Test func badFiles() throws {
    for text in ["", "[]", "null", "{}", "{\"model\":3}", "\"", "{\"model\":{}}", "tru", "{\"a\":"]
    {
      #expect(throws: TokenizerError.self, "\(text)") { try Self.tokenizer(text) }
    }
    let good = Self.file(vocabulary: #"{"a":0}"#)
    _ = try Self.tokenizer("\u{feff}" + good + " \n")
    #expect(throws: TokenizerError.self) { try Self.tokenizer(good + "x") }
    #expect(throws: TokenizerError.self) {
      try Tokenizer(tokenizerJSON: Data(good.utf8) + Data([0xff]))
    }
    // Nesting that would use up the stack.
    let deep = String(repeating: "[", count: 100_000)
    let error = #expect(throws: TokenizerError.self) {
      try Self.tokenizer("{\"normalizer\":" + deep)
    }
    #expect(error?.description.contains("levels") == true)
  }

  @Test func truncatedFilesAreRefused() throws {
    let bytes = try Data(contentsOf: URL(filePath: Fixtures.path("tokenizers/canonical.json")))
    for length in stride(from: 0, to: bytes.count, by: 61) {
      #expect(throws: TokenizerError.self) { try Tokenizer(tokenizerJSON: bytes.prefix(length)) }
    }
  }
}
