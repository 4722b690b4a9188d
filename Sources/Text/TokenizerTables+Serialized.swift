/// The compact form that weight files hold. Specified in `Docs/weight-format.md`, section
/// "Tokenizer": little-endian u32 throughout, then bytes.
extension TokenizerTables {
  private static let magic: UInt32 = 0x4b4f_5449  // "ITOK"
  private static let version: UInt32 = 1

  func serialized() -> [UInt8] {
    var result: [UInt8] = []
    func put(_ value: UInt32) {
      withUnsafeBytes(of: value.littleEndian) { result.append(contentsOf: $0) }
    }
    put(Self.magic)
    put(Self.version)
    put(UInt32(pretokenizer.rawValue))
    put(flags)
    for id in [bosId, eosId, unknownId] { put(UInt32(bitPattern: id)) }
    put(UInt32(vocabularySize))
    put(UInt32(bytes.count))
    put(UInt32(mergeCount))
    put(UInt32(added.count))
    for offset in offsets.dropFirst() { put(offset) }
    for value in merges { put(value) }
    for token in added {
      put(UInt32(bitPattern: token.id))
      put(token.flags)
    }
    return result + bytes
  }

  private var flags: UInt32 {
    (byteFallback ? 1 : 0) | (ignoreMerges ? 2 : 0) | (fuseUnknown ? 4 : 0)
      | (prependsSpace ? 8 : 0) | (normalizesNFC ? 16 : 0) | (addsBos ? 32 : 0)
  }

  init(serialized data: UnsafeRawBufferPointer) throws(TokenizerError) {
    func word(_ index: Int) -> UInt32 {
      UInt32(littleEndian: data.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self))
    }
    guard data.count >= 44, word(0) == Self.magic else {
      throw TokenizerError("tokenizer: not in serialised form")
    }
    guard word(1) == Self.version else {
      throw TokenizerError("tokenizer: version \(word(1)) is unknown; this reader knows 1")
    }
    guard let pretokenizer = UInt8(exactly: word(2)).flatMap(Pretokenizer.init(rawValue:)) else {
      throw TokenizerError("tokenizer: pre-tokenizer \(word(2)) is unknown")
    }
    guard word(3) < 64 else { throw TokenizerError("tokenizer: flags \(word(3)) are unknown") }
    let (vocabulary, byteCount) = (Int(word(7)), Int(word(8)))
    let (merged, addedCount) = (Int(word(9)), Int(word(10)))
    guard vocabulary <= Int32.max,
      44 + 4 * (vocabulary + 3 * merged + 2 * addedCount) + byteCount == data.count
    else {
      throw TokenizerError("tokenizer: its counts do not fit its size")
    }
    self.pretokenizer = pretokenizer
    byteFallback = word(3) & 1 != 0
    ignoreMerges = word(3) & 2 != 0
    fuseUnknown = word(3) & 4 != 0
    prependsSpace = word(3) & 8 != 0
    normalizesNFC = word(3) & 16 != 0
    addsBos = word(3) & 32 != 0
    bosId = Int32(bitPattern: word(4))
    eosId = Int32(bitPattern: word(5))
    unknownId = Int32(bitPattern: word(6))
    for id in [bosId, eosId, unknownId] where id < -1 || id >= vocabulary {
      throw TokenizerError("tokenizer: special id \(id) is outside the vocabulary")
    }
    var at = 11
    offsets = [0]
    offsets.reserveCapacity(vocabulary + 1)
    for _ in 0..<vocabulary {
      guard word(at) >= offsets[offsets.count - 1], word(at) <= byteCount else {
        throw TokenizerError("tokenizer: token offsets are out of order")
      }
      offsets.append(word(at))
      at += 1
    }
    guard offsets[vocabulary] == byteCount else {
      throw TokenizerError("tokenizer: bytes that belong to no token")
    }
    merges = []
    merges.reserveCapacity(3 * merged)
    for index in 0..<3 * merged {
      guard (index % 3 < 2 ? word(at) : word(at) & ~Self.tieBit) < vocabulary else {
        throw TokenizerError("tokenizer: a merge of an id outside the vocabulary")
      }
      merges.append(word(at))
      at += 1
    }
    for _ in 0..<addedCount {
      guard word(at) < vocabulary, word(at + 1) < 64 else {
        throw TokenizerError("tokenizer: an added token outside the vocabulary")
      }
      added.append(AddedToken(id: Int32(bitPattern: word(at)), flags: word(at + 1)))
      at += 2
    }
    bytes = Array(data[(4 * at)...])
  }
}
