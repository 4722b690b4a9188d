import CCodec
import Testing
import Weights

@Suite struct CodecTests {
  static let floats: [WeightType] = [.f32, .f16, .bf16]
  static let vectors = (0...cc_best_vectors()).map { $0 }

  /// RFC 3720, appendix B.4, and the check value of the CRC catalogue.
  static let published: [([UInt8], UInt32)] = [
    (Array("123456789".utf8), 0xe306_9283),
    ([UInt8](repeating: 0, count: 32), 0x8a91_36aa),
    ([UInt8](repeating: 0xff, count: 32), 0x62a8_ab43),
    (Array(0..<32), 0x46dd_794e),
    ([], 0),
  ]

  @Test(arguments: published)
  func checksumOfPublishedVectors(bytes: [UInt8], expected: UInt32) {
    #expect(cc_crc32c(0, bytes, bytes.count) == expected)
    #expect(cc_crc32c_portable(0, bytes, bytes.count) == expected)
  }

  @Test func checksumContinues() {
    let bytes = Sample.random(.f32, 1, 100).bytes
    let whole = cc_crc32c(0, bytes, bytes.count)
    for cut in [0, 1, 7, 8, 9, 399] {
      let (head, tail) = (Array(bytes[..<cut]), Array(bytes[cut...]))
      #expect(cc_crc32c(cc_crc32c(0, head, cut), tail, tail.count) == whole)
      #expect(cc_crc32c_portable(cc_crc32c_portable(0, head, cut), tail, tail.count) == whole)
    }
  }

  /// Every bit pattern of the 2-byte types, by every set of instructions.
  @Test(arguments: [WeightType.f16, .bf16], vectors)
  func everyHalfComesBack(type: WeightType, vectors: Int32) {
    let bytes = (0...UInt16.max).flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
    expectReversible(bytes, type, vectors: vectors, first: 0, count: 65536)
  }

  /// Parts that start and end anywhere in a run of 64, at the end of the block, and are one element.
  @Test(arguments: floats, vectors)
  func anyPartComesBack(type: WeightType, vectors: Int32) {
    for total in [1, 7, 63, 64, 65, 128, 300] {
      let bytes = Sample.random(type, 1, total).bytes
      for first in Set([0, 1, 62, 63, 64, total / 2, total - 1]) where first >= 0 && first < total {
        for count in Set([1, 2, 63, 64, 65, total - first]) where count <= total - first {
          expectReversible(bytes, type, vectors: vectors, first: first, count: count)
        }
      }
    }
  }

  private func expectReversible(
    _ bytes: [UInt8], _ type: WeightType, vectors: Int32, first: Int, count: Int
  ) {
    let size = type.blockBytes
    let total = bytes.count / size
    var planes = [UInt8](repeating: 0xee, count: 8 * cc_plane_bytes(total))
    var rest = [UInt8](repeating: 0xee, count: total * (size - 1))
    let mode = cc_split(type.rawValue, bytes, total, &planes, &rest)

    // One guard byte (element) behind the part must stay as it was.
    var stored = [UInt8](repeating: 0xaa, count: count * size + 1)
    cc_join(vectors, type.rawValue, mode, planes, rest, total, first, count, &stored)
    let part = Array(bytes[first * size..<(first + count) * size])
    #expect(stored == part + [0xaa])

    var expected = [Float](repeating: 0, count: count)
    #expect(cc_to_f32(type.rawValue, part, &expected, count) == 0)
    var joined = [Float](repeating: 3, count: count + 1)
    cc_join_f32(vectors, type.rawValue, mode, planes, rest, total, first, count, &joined)
    #expect(joined.dropLast().map(\.bitPattern) == expected.map(\.bitPattern))
    #expect(joined.last == 3)
  }

  @Test func planesOfASmallExampleAreAsSpecified() {
    // bf16 1.0, 1.0, −0.5, 2.0: exponents 127, 127, 126, 128; zigzag 0, 0, 1, 2.
    let bytes: [UInt8] = [0x80, 0x3f, 0x80, 0x3f, 0x00, 0xbf, 0x00, 0x40]
    var planes = [UInt8](repeating: 0, count: 64)
    var rest = [UInt8](repeating: 0, count: 4)
    #expect(cc_split(WeightType.bf16.rawValue, bytes, 4, &planes, &rest) == 127)
    #expect(planes[0] == 0b0100)
    #expect(planes[8] == 0b1000)
    #expect(planes.filter { $0 != 0 }.count == 2)
    #expect(rest == [0, 0, 0x80, 0])
  }

  @Test func exactlyBrainFloatIsSeen() {
    var values: [Float] = [1, -0.5, .infinity, 0x1p-133, 3.140625]
    #expect(cc_is_bf16(values, values.count) == 1)
    var halves = [UInt16](repeating: 0, count: values.count)
    cc_truncate_bf16(values, &halves, values.count)
    #expect(halves.map { UInt32($0) << 16 } == values.map(\.bitPattern))
    values[4] = 3.1415927
    #expect(cc_is_bf16(values, values.count) == 0)
  }
}
