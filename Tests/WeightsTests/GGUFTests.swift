import Foundation
import TestSupport
import Testing
import Weights

@Suite struct GGUFTests {
  private func problem(_ build: (inout GGUFBuilder) -> Void) throws -> String {
    var builder = GGUFBuilder()
    build(&builder)
    return try problem(builder.file())
  }

  private func problem(_ bytes: [UInt8]) throws -> String {
    let folder = try TemporaryFolder()
    let path = try folder.write(bytes, "x.gguf")
    let error = #expect(throws: WeightError.self) { try GGUFFile(path: path) }
    #expect(error?.description.contains("\n") == false)
    return error?.problem ?? ""
  }

  @Test(arguments: [UInt32(2), 3]) func bothVersionsAreRead(_ version: UInt32) throws {
    let folder = try TemporaryFolder()
    var builder = GGUFBuilder()
    builder.version = version
    builder.add("general.architecture", "llama")
    builder.add("n", 7)
    builder.add("x", Float(0.5))
    builder.tensor("a", [2, 3], [1, 2, 3, 4, 5, 6])
    builder.tensor("b", [32], type: 8, [UInt8](repeating: 1, count: 34))
    let file = try GGUFFile(path: try folder.write(builder.file(), "x.gguf"))
    #expect(try file.string("general.architecture") == "llama")
    #expect(try file.integer("n") == 7)
    #expect(try file.number("x") == 0.5)
    #expect(throws: WeightError.self) { try file.integer("x") }
    #expect(throws: WeightError.self) { try file.string("missing") }
    #expect(file.tensors.map(\.shape) == [[2, 3], [32]])
    #expect(file.tensors.map(\.type) == [.f32, .q8_0])
    #expect(Array(file.bytes(file.tensors[0]).prefix(4)) == [0, 0, 0x80, 0x3f])
  }

  @Test func wrongMagic() throws { #expect(try problem(Array("GGML1234".utf8)).contains("magic")) }

  @Test func unknownVersion() throws {
    #expect(try problem { $0.version = 4 }.contains("version 4"))
  }

  @Test func everyTruncationIsRefused() throws {
    var builder = GGUFBuilder()
    builder.add("key", "value")
    builder.add(
      "numbers", type: 9, raw: [4, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0])
    builder.tensor("a", [4], [1, 2, 3, 4])
    let bytes = builder.file()
    for length in 0..<bytes.count { _ = try problem(Array(bytes.prefix(length))) }
  }

  @Test func absurdCounts() throws {
    #expect(try problem { $0.tensorCount = .max }.contains("tensor count"))
    #expect(try problem { $0.metadataCount = 1 << 40 }.contains("metadata count"))
  }

  @Test func stringLongerThanFile() throws {
    let text = try problem {
      $0.add("k", type: 8, raw: [255, 255, 255, 255, 255, 255, 255, 127])
    }
    #expect(text.contains("does not fit"))
  }

  @Test func arrayLongerThanFile() throws {
    let text = try problem {
      $0.add("k", type: 9, raw: [4, 0, 0, 0, 255, 255, 255, 255, 255, 0, 0, 0])
    }
    #expect(text.contains("do not fit"))
  }

  @Test func nestedArray() throws {
    let text = try problem { $0.add("k", type: 9, raw: [9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]) }
    #expect(text.contains("nested"))
  }

  @Test func unknownMetadataType() throws {
    #expect(try problem { $0.add("k", type: 77, raw: []) }.contains("type 77"))
  }

  @Test func truthValueOutOfRange() throws {
    #expect(try problem { $0.add("k", type: 7, raw: [2]) }.contains("expected 0 or 1"))
  }

  @Test func duplicateKey() throws {
    let text = try problem {
      $0.add("k", 1)
      $0.add("k", 2)
    }
    #expect(text.contains("appears twice"))
  }

  @Test(arguments: [0, 3, 1 << 30]) func alignment(_ value: Int) throws {
    #expect(try problem { $0.add("general.alignment", value) }.contains("alignment"))
  }

  @Test func duplicateTensor() throws {
    let text = try problem {
      $0.tensor("a", [1], [1])
      $0.tensor("a", [1], [2])
    }
    #expect(text.contains("appears twice"))
  }

  @Test func dimensionProductOverflow() throws {
    let text = try problem { $0.tensor("a", [1 << 32, 1 << 32, 1 << 10], type: 0, []) }
    #expect(text.contains("overflows"))
  }

  @Test func zeroDimension() throws {
    #expect(try problem { $0.tensor("a", [0], type: 0, []) }.contains("dimension"))
  }

  @Test func tooManyDimensions() throws {
    #expect(
      try problem { $0.tensor("a", [1, 1, 1, 1, 1], type: 0, [0, 0, 0, 0]) }.contains("1 to 4"))
  }

  @Test func unknownTensorType() throws {
    #expect(try problem { $0.tensor("a", [4], type: 99, []) }.contains("type 99"))
  }

  @Test func rowsThatAreNotWholeBlocks() throws {
    #expect(try problem { $0.tensor("a", [33], type: 8, []) }.contains("whole blocks"))
  }

  @Test func offsetPastTheEnd() throws {
    #expect(
      try problem {
        $0.tensor("a", [4], type: 0, [UInt8](repeating: 0, count: 16), offset: 1 << 40)
      }
      .contains("past the end"))
  }

  @Test func offsetOverflow() throws {
    #expect(
      try problem {
        $0.tensor("a", [4], type: 0, [UInt8](repeating: 0, count: 16), offset: .max - 31)
      }.contains("past the end"))
  }

  @Test func unalignedOffset() throws {
    #expect(
      try problem { $0.tensor("a", [4], type: 0, [UInt8](repeating: 0, count: 64), offset: 3) }
        .contains("aligned"))
  }

  @Test func overlappingTensors() throws {
    let text = try problem {
      $0.tensor("a", [16], type: 0, [UInt8](repeating: 0, count: 64))
      $0.tensor("b", [16], type: 0, [UInt8](repeating: 0, count: 64), offset: 32)
    }
    #expect(text.contains("overlap"))
  }
}
