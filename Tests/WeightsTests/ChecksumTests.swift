import CCodec
import Testing

@Suite struct ChecksumTests {
  /// The check value of CRC-32C for "123456789", RFC 3720; whole and in two parts.
  @Test func crc32c() {
    #expect(cc_crc32c(0, Array("123456789".utf8), 9) == 0xe306_9283)
    let first = cc_crc32c(0, Array("1234".utf8), 4)
    #expect(cc_crc32c(first, Array("56789".utf8), 5) == 0xe306_9283)
  }
}
