/// Byte-pair encoding as the Llama family uses it: text to ids and back.
///
/// Typical flow:
///
///     let tokenizer = try Tokenizer(serialized: file.tokenizerData())
///     let ids = tokenizer.encode("The capital of France is")
///     print(tokenizer.decode(ids))
///
/// Two kinds exist: byte-level BPE (GPT-2, SmolLM2, Llama 3, Qwen2), whose decoding gives back any
/// UTF-8 text as it was (Qwen2 normalises to NFC first), and BPE with byte fallback (Llama 2).
public final class Tokenizer: Sendable {
  let tables: TokenizerTables
  let merger: BytePairMerger
  /// The tokens that text can come to, by their bytes.
  let vocabulary: HashIndex
  /// Ids of the 256 bytes: as byte-level symbols, or as `<0xXX>`; -1 where there is none.
  let byteIds: [Int32]
  let plainAdded: AddedTokenFinder
  let normalizedAdded: AddedTokenFinder
  let addedById: [Int32: AddedToken]

  init(tables: TokenizerTables) throws(TokenizerError) {
    var vocabulary = HashIndex(count: tables.vocabularySize)
    addedById = Dictionary(tables.added.map { ($0.id, $0) }) { first, _ in first }
    for id in 0..<tables.vocabularySize where tables.offsets[id] < tables.offsets[id + 1] {
      if addedById[Int32(id)].map({ !$0.inVocabulary }) ?? false { continue }
      let token = tables.token(id)
      vocabulary.insert(id, HashIndex.hash(token)) { tables.token($0).elementsEqual(token) }
    }
    func id(_ bytes: [UInt8]) -> Int32 {
      vocabulary.find(HashIndex.hash(bytes)) { tables.token($0).elementsEqual(bytes) }
        .map { Int32($0) } ?? -1
    }
    byteIds = (0..<256).map { byte in
      guard tables.byteFallback else { return id([UInt8(byte)]) }
      let hex = String(byte, radix: 16, uppercase: true)
      return id(Array("<0x\(hex.count == 1 ? "0" : "")\(hex)>".utf8))
    }
    self.tables = tables
    self.vocabulary = vocabulary
    merger = BytePairMerger(tables)
    func patterns(_ normalized: Bool) -> [(pattern: [UInt8], token: AddedToken)] {
      tables.added.filter { $0.normalized == normalized }.map {
        let content = Array(tables.token(Int($0.id)))
        return (normalized ? tables.normalize(content) : content, $0)
      }
    }
    plainAdded = AddedTokenFinder(patterns(false))
    normalizedAdded = AddedTokenFinder(patterns(true))
  }

  /// A tokenizer in its serialised form. Throws ``TokenizerError`` naming what is wrong.
  public convenience init(serialized: [UInt8]) throws(TokenizerError) {
    let result = serialized.withUnsafeBytes { bytes -> Result<TokenizerTables, TokenizerError> in
      do throws(TokenizerError) {
        return .success(try TokenizerTables(serialized: bytes))
      } catch {
        return .failure(error)
      }
    }
    try self.init(tables: result.get())
  }

  /// The compact form that weight files hold.
  public func serialized() -> [UInt8] { tables.serialized() }

  /// The number of ids.
  public var vocabularySize: Int { tables.vocabularySize }
  /// The id that starts a text, if the model has one.
  public var bosId: Int32? { tables.bosId < 0 ? nil : tables.bosId }
  /// The id that ends a text, if the model has one.
  public var eosId: Int32? { tables.eosId < 0 ? nil : tables.eosId }
  /// What stands in front of every text: the bos id where the tokenizer says so, else nothing.
  public var startIds: [Int32] { tables.addsBos && tables.bosId >= 0 ? [tables.bosId] : [] }
}
