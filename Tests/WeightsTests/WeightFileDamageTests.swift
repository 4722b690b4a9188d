import CCodec
import Foundation
import TestSupport
import Testing
import Weights

/// What readers say of damaged files and of files made to deceive.
@Suite struct WeightFileDamageTests {
  let folder: TemporaryFolder
  let good: RawFile
  let samples: [Sample]

  init() throws {
    folder = try TemporaryFolder()
    // Compressed, LZ4 and stored blocks; one tensor of two blocks.
    samples = [
      .gaussian(.bf16, 4, 40, name: "planes"),
      Sample(
        description: .init(name: "lz4", type: .q8_0, rows: 3, columns: 64),
        bytes: [UInt8](repeating: 3, count: 204)),
      .random(.f32, 2, 5, name: "stored"),
      .random(.q4_0, 2, 32_768, name: "two"),
    ]
    let path = folder.file("good.imprint")
    try write(samples, to: path, tokenizer: Array(String(repeating: "abcd", count: 40).utf8))
    good = try RawFile(path)
  }

  private func line(_ file: RawFile) throws -> String? {
    let path = folder.file("bad.imprint")
    try file.write(path)
    return verifyProblem(path)
  }

  @Test func theGoodFileIsGood() throws { #expect(try line(good) == nil) }

  /// A changed byte is found wherever it is, and the line says where.
  @Test func aChangedByteIsFoundAndPlaced() throws {
    let path = folder.file("good.imprint")
    let file = try WeightFile(path: path)
    let blocks = file.tensors.flatMap { tensor in
      (0..<tensor.blockCount).map { "tensor '\(tensor.name)' block \($0)" }
    }
    // Payloads follow one another from byte 64; the table has 16 bytes for each block.
    let table = try blockTable()
    var places: [(Range<Int>, String)] = [
      (0..<8, "magic"), (8..<12, "version"), (12..<64, "preamble"),
    ]
    for (index, block) in blocks.enumerated() {
      let offset = Int(good.integer(table + 16 * index, as: UInt64.self))
      let size = Int(good.integer(table + 16 * index + 8, as: UInt32.self))
      places.append((offset..<offset + size, block))
      places.append((table + 16 * index..<table + 16 * index + 16, block))
    }
    places.append((table + 16 * blocks.count..<good.headerOffset, "tokenizer"))
    places.append((good.headerOffset..<good.bytes.count, "header"))
    #expect(places.map(\.0.count).reduce(0, +) == good.bytes.count)
    for (range, place) in places {
      // Of longer parts some bytes are enough: oneFlippedByteAnywhereIsFound tries each.
      let step = range.count > 4000 ? 611 : range.count > 200 ? 7 : 1
      for offset in stride(from: range.lowerBound, to: range.upperBound, by: step) {
        var bad = good
        bad.bytes[offset] ^= 1 << UInt8(offset % 8)
        let line = try line(bad)
        #expect(line?.contains(place) == true, "offset \(offset): \(line ?? "nothing found")")
      }
    }
  }

  /// Where the block table starts: behind the payloads, before the tokenizer.
  private func blockTable() throws -> Int {
    let header = try JSONSerialization.jsonObject(with: Data(good.bytes[good.headerOffset...]))
    let table = (header as? [String: Any])?["block_table"] as? [String: Any]
    return try #require(table?["offset"] as? Int)
  }

  /// The file with entry `block` of its table changed and all checksums right again.
  private func changingEntry(
    _ block: Int, _ change: (inout RawFile, _ entry: Int) -> Void
  ) throws -> RawFile {
    var file = good
    let table = try blockTable()
    change(&file, table + 16 * block)
    let entries = Array(file.bytes[table..<table + 16 * 5])
    let before = cc_crc32c(0, Array(good.bytes[table..<table + 16 * 5]), entries.count)
    file.bytes = try HostileHeader.replacing(
      "\"checksum\":\(before)", with: "\"checksum\":\(cc_crc32c(0, entries, entries.count))",
      in: file.bytes)
    return file
  }

  @Test func entryOutsideTheFile() throws {
    for offset in [0, 63, UInt64(good.bytes.count), 1 << 62, .max] {
      let file = try changingEntry(0) { $0.set($1, offset) }
      #expect(try line(file)?.hasPrefix("tensor 'planes' block 0") == true, "offset \(offset)")
    }
  }

  @Test func entryOfAbsurdSize() throws {
    for size in [0, 1, 322, UInt32.max] {
      let file = try changingEntry(0) { $0.set($1 + 8, size) }
      #expect(try line(file)?.hasPrefix("tensor 'planes' block 0") == true, "size \(size)")
    }
  }

  @Test func blocksThatShareTheirBytes() throws {
    let file = try changingEntry(4) { file, entry in
      for index in 0..<16 { file.bytes[entry + index] = file.bytes[entry - 16 + index] }
    }
    #expect(try line(file)?.hasPrefix("tensor 'two' block 1: expected offset") == true)
  }

  /// The file with a payload changed, and all checksums right again.
  private func changingPayload(
    _ block: Int, _ change: (inout RawFile, _ payload: Range<Int>) -> Void
  ) throws -> RawFile {
    try changingEntry(block) { file, entry in
      let offset = Int(file.integer(entry, as: UInt64.self))
      let size = Int(file.integer(entry + 8, as: UInt32.self))
      change(&file, offset..<offset + size)
      file.set(entry + 12, cc_crc32c(0, Array(file.bytes[offset..<offset + size]), size))
    }
  }

  @Test func unknownCoding() throws {
    let file = try changingPayload(2) { $0.bytes[$1.lowerBound] = 3 }
    #expect(try line(file)?.contains("tensor 'stored' block 0") == true)
    #expect(try line(file)?.contains("coding 3 is unknown") == true)
  }

  @Test func codingOfAnotherType() throws {
    let file = try changingPayload(3) { $0.bytes[$1.lowerBound] = 2 }
    #expect(try line(file)?.contains("its coding is not for q4_0") == true)
  }

  @Test func storedBlockOfWrongSize() throws {
    let file = try changingPayload(0) { $0.bytes[$1.lowerBound] = 0 }
    #expect(try line(file)?.contains("its size is wrong") == true)
  }

  /// LZ4 that would read or write outside its buffers is refused by verify and by decode.
  @Test(arguments: [0, 1]) func payloadThatIsNotLZ4(block: Int) throws {
    let file = try changingPayload(block) { file, payload in
      for offset in payload.dropFirst(2).prefix(40) { file.bytes[offset] = 0xff }
    }
    let name = samples[block].description.name
    #expect(try line(file)?.contains("payload cannot be decompressed") == true)
    let tensor = try WeightFile(path: folder.file("bad.imprint")).tensor(name)
    let met = problem { _ = try tensor.floats(0..<tensor.rows) }
    #expect(met?.hasPrefix("tensor '\(name)' block 0 at offset") == true)
  }

  @Test func reservedBytesOfThePreamble() throws {
    for offset in [12, 15] {
      var file = good
      file.bytes[offset] = 1
      file.sealPreamble()
      #expect(try line(file) == "preamble: reserved bytes are not zero")
    }
    var file = good
    file.bytes[63] = 1
    #expect(try line(file) == "preamble: reserved bytes are not zero")
  }

  @Test func absurdSizesInThePreamble() throws {
    for (field, value) in [
      (16, UInt64.max), (24, .max), (24, 0), (24, 1 << 63), (32, .max), (32, 0), (32, 1 << 40),
    ] {
      var file = good
      file.set(field, value)
      file.sealPreamble()
      let line = try #require(try line(file))
      #expect(
        line.contains("expected") || line.contains("do not fit"), "\(field) \(value): \(line)")
    }
  }

  /// Sizes that the header claims are held against the file before anything is allocated.
  @Test(arguments: [
    ("\"rows\":4,", "\"rows\":40000000,", "cannot be in this file"),
    ("\"block_rows\":4,", "\"block_rows\":9000000000000000000,", "block_rows"),
    ("\"columns\":32768", "\"columns\":9000000000000000000", "cannot be in this file"),
    ("\"raw_size\":160", "\"raw_size\":1", "tokenizer"),
    ("\"raw_size\":160", "\"raw_size\":161", "tokenizer"),
    ("\"raw_size\":160", "\"raw_size\":1180591620717411303424", "a number in it is absurd"),
  ])
  func absurdSizesInTheHeader(find: String, replacement: String, expected: String) throws {
    var file = good
    file.bytes = try HostileHeader.replacing(find, with: replacement, in: file.bytes)
    let line = try line(file)
    #expect(line?.contains(expected) == true, "\(line ?? "nothing")")
  }
}
