import CCodec
import TestSupport
import Testing
import Weights

/// Stored elements to f32, against the `gguf` Python package.
@Suite struct ToF32Tests {
  private static func convert(
    _ type: WeightType, _ bytes: [UInt8], count: Int, misalignedBy shift: Int = 0
  ) -> [UInt32] {
    let source = [UInt8](repeating: 0xa5, count: shift) + bytes
    var result = [Float](repeating: .nan, count: count + 1)
    let code = source.withUnsafeBytes {
      cc_to_f32(type.rawValue, $0.baseAddress.map { $0 + shift }, &result, count)
    }
    #expect(code == 0)
    #expect(result[count].isNaN, "wrote past the end")
    return result.prefix(count).map(\.bitPattern)
  }

  static let blockTypes = WeightType.allCases.filter { $0.blockElements > 1 }

  /// Bit for bit: each product and sum is rounded on its own, in the reference's order.
  @Test(arguments: blockTypes) func blocksHaveTheBitsOfTheReference(_ type: WeightType) throws {
    let file = try SafetensorsFile(path: Fixtures.path("dequantization/blocks.safetensors"))
    let name = "\(type)".lowercased()
    let blocks = Array(file.bytes(try file.tensor(name + ".blocks")))
    let expected = try file.floats(name + ".values").map(\.bitPattern)
    #expect(expected.count == 1024)
    #expect(blocks.count == 1024 / type.blockElements * type.blockBytes)
    for shift in [0, 1] {
      #expect(Self.convert(type, blocks, count: 1024, misalignedBy: shift) == expected)
    }
    // Each block alone: the end of one is not the start of another.
    for block in 0..<1024 / type.blockElements {
      let bytes = blocks[block * type.blockBytes..<(block + 1) * type.blockBytes]
      let values = expected[block * type.blockElements..<(block + 1) * type.blockElements]
      #expect(
        Self.convert(type, Array(bytes), count: type.blockElements).elementsEqual(values),
        "block \(block)")
    }
  }

  @Test func everyF16IsExact() {
    let all = (0...UInt16.max).map { $0 }
    let bytes = all.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
    let values = Self.convert(.f16, bytes, count: all.count)
    for (half, bits) in zip(all, values) {
      let expected = Float(Float16(bitPattern: half))
      // A NaN only has to stay one.
      let same = expected.isNaN ? Float(bitPattern: bits).isNaN : bits == expected.bitPattern
      #expect(same, "\(half)")
    }
  }

  @Test func everyBF16IsExact() {
    let all = (0...UInt16.max).map { $0 }
    let bytes = all.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
    #expect(Self.convert(.bf16, bytes, count: all.count) == all.map { UInt32($0) << 16 })
  }

  @Test func unknownTypeIsRefused() {
    var value: Float = 7
    #expect(cc_to_f32(99, [UInt8](repeating: 0, count: 4), &value, 1) == -1)
    #expect(value == 7)
  }
}
