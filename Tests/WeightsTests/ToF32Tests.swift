import CCodec
import Foundation
import TestSupport
import Testing
import Weights

@Suite struct ToF32Tests {
  struct Case: Decodable {
    var raw: Data
    var values: Data
  }

  /// Random blocks and their values by the `gguf` package (0.17), which the kernels must give bit
  /// for bit, but for the two types whose products it takes in another order: 1e-6.
  @Test func valuesAreThoseOfTheReference() throws {
    let data = try Data(contentsOf: URL(filePath: Fixtures.path("dequantized.json")))
    let cases = try JSONDecoder().decode([String: Case].self, from: data)
    #expect(cases.count == 10)
    for (name, test) in cases {
      let type = try #require(WeightType.allCases.first { $0.label.lowercased() == name })
      let count = test.values.count / 4
      var values = [Float](repeating: -1, count: count)
      let raw = [UInt8](test.raw)
      #expect(cc_to_f32(type.rawValue, raw, &values, count) == 0)
      let expected = test.values.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
      let scale = expected.map(abs).max() ?? 1
      for (value, reference) in zip(values, expected) where value.bitPattern != reference.bitPattern
      {
        let difference = abs(value - reference)
        #expect(difference <= 1e-6 * scale, "\(name): \(value) for \(reference)")
      }
    }
  }

  @Test func everyHalfIsItsValue() {
    let bits = (0..<65536).map { UInt16($0) }
    var values = [Float](repeating: 0, count: 65536)
    #expect(cc_to_f32(WeightType.f16.rawValue, bits, &values, 65536) == 0)
    for (pattern, value) in zip(bits, values) {
      let expected = Float(Float16(bitPattern: pattern))
      #expect(value == expected || (value.isNaN && expected.isNaN))
    }
  }

  @Test func unknownTypesAreRefused() {
    var value: Float = 0
    #expect(cc_to_f32(99, [UInt8(0)], &value, 1) == -1)
  }

  /// The check value of CRC-32C for "123456789", RFC 3720.
  @Test func checksum() {
    #expect(cc_crc32c(0, Array("123456789".utf8), 9) == 0xe306_9283)
    let first = cc_crc32c(0, Array("1234".utf8), 4)
    #expect(cc_crc32c(first, Array("56789".utf8), 5) == 0xe306_9283)
  }
}
