/// How a text is cut before byte pairs are merged.
public enum Pretokenizer: UInt8, CaseIterable, Sendable {
  /// Not at all: byte pairs merge across the whole text (Llama 2).
  case none = 0
  /// GPT-2's pattern.
  case gpt2 = 1
  /// Every digit alone, then GPT-2's pattern (SmolLM2).
  case digitsGPT2 = 2
  /// Llama 3's pattern: numbers in threes.
  case llama3 = 3
  /// Qwen2's pattern: as Llama 3's, digits alone.
  case qwen2 = 4
}

/// What a tokenizer is, in flat arrays: this is what is stored.
struct TokenizerTables: Sendable {
  var pretokenizer: Pretokenizer = .gpt2
  /// Unknown characters become `<0xXX>` tokens; spaces are `▁` (Llama 2).
  var byteFallback = false
  /// A word that is a token is not cut (Llama 3).
  var ignoreMerges = false
  /// Unknown characters in a row become one unknown token.
  var fuseUnknown = false
  /// `▁` is put before each piece of text.
  var prependsSpace = false
  /// Text is brought to NFC first (Qwen2).
  var normalizesNFC = false
  /// A text's ids start with ``bosId`` where special tokens are asked for.
  var addsBos = false
  var bosId: Int32 = -1
  var eosId: Int32 = -1
  var unknownId: Int32 = -1
  /// Bytes of every token, one after the other; token i is offsets[i] ..< offsets[i + 1].
  var bytes: [UInt8] = []
  var offsets: [UInt32] = [0]
  /// By rank: left, right and merged id. The highest bit of the last (``tieBit``) says that the
  /// merge has the rank of the one before it.
  var merges: [UInt32] = []
  var added: [AddedToken] = []

  static let tieBit: UInt32 = 1 << 31

  var vocabularySize: Int { offsets.count - 1 }
  var mergeCount: Int { merges.count / 3 }

  /// Appends the next token.
  mutating func append(_ token: some Sequence<UInt8>) {
    bytes.append(contentsOf: token)
    offsets.append(UInt32(bytes.count))
  }

  func token(_ id: Int) -> ArraySlice<UInt8> {
    bytes[Int(offsets[id])..<Int(offsets[id + 1])]
  }
}

/// A token that is found in the text before anything else.
struct AddedToken: Sendable {
  var id: Int32
  /// It marks structure, not text: left out when special tokens are skipped.
  var special = true
  /// It is looked for in the normalised text.
  var normalized = false
  /// White space before it belongs to it.
  var stripsLeft = false
  /// White space after it belongs to it.
  var stripsRight = false
  /// It counts only where no letter, digit or underscore is next to it.
  var singleWord = false
  /// It is a token of the vocabulary too: text between added tokens can come to it.
  var inVocabulary = false

  var flags: UInt32 {
    (special ? 1 : 0) | (normalized ? 2 : 0) | (stripsLeft ? 4 : 0) | (stripsRight ? 8 : 0)
      | (singleWord ? 16 : 0) | (inVocabulary ? 32 : 0)
  }

  init(id: Int32, flags: UInt32) {
    self.id = id
    special = flags & 1 != 0
    normalized = flags & 2 != 0
    stripsLeft = flags & 4 != 0
    stripsRight = flags & 8 != 0
    singleWord = flags & 16 != 0
    inVocabulary = flags & 32 != 0
  }

  init(id: Int32, special: Bool) {
    self.id = id
    self.special = special
  }
}
