import Foundation
import TestSupport
import Testing
import Weights

@Suite struct SafetensorsTests {
  private func file(_ header: String, data: Int, length: UInt64? = nil) -> [UInt8] {
    let text = Array(header.utf8)
    let size = length ?? UInt64(text.count)
    return (0..<8).map { UInt8(truncatingIfNeeded: size >> (8 * UInt64($0))) } + text
      + [UInt8](repeating: 0, count: data)
  }

  private func problem(_ bytes: [UInt8]) throws -> String {
    let folder = try TemporaryFolder()
    let path = try folder.write(bytes, "x.safetensors")
    return #expect(throws: WeightError.self) { try SafetensorsFile(path: path) }?.problem ?? ""
  }

  private func entry(_ dtype: String, _ shape: String, _ start: Int, _ end: Int) -> String {
    "{\"dtype\":\"\(dtype)\",\"shape\":\(shape),\"data_offsets\":[\(start),\(end)]}"
  }

  @Test func whatIsWrittenIsRead() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("x.safetensors")
    let writer = try SafetensorsWriter(
      path: path,
      tensors: [
        .init(name: "a \"b\"", shape: [2, 3]), .init(name: "c", dtype: "BF16", shape: [2]),
      ],
      metadata: ["k": "v\n"])
    let values: [Float] = [1, -2, 3.5, 0, 1e-30, .infinity]
    try values.withUnsafeBytes { try writer.append($0) }
    try [UInt16(0x3f80), 0xc000].withUnsafeBytes { try writer.append($0) }
    try writer.finish()
    let file = try SafetensorsFile(path: path)
    #expect(try file.floats("a \"b\"") == values)
    #expect(try file.floats("c") == [1, -2])
    #expect(file.metadata == ["k": "v\n"])
    #expect(throws: WeightError.self) { try file.tensor("z") }
  }

  @Test func missingBytesAreRefused() throws {
    let folder = try TemporaryFolder()
    let writer = try SafetensorsWriter(
      path: folder.file("x"), tensors: [.init(name: "a", shape: [2])])
    #expect(throws: WeightError.self) { try writer.finish() }
  }

  @Test func shorterThanItsLength() throws {
    #expect(try problem([1, 2, 3]).contains("shorter"))
  }

  @Test func headerLongerThanFile() throws {
    #expect(try problem(file("{}", data: 0, length: 3)).contains("longer than the file"))
  }

  @Test func headerAboveTheCap() throws {
    #expect(try problem(file("{}", data: 0, length: .max)).contains("limit"))
  }

  @Test func invalidJSON() throws {
    #expect(try problem(file("{\"a\":", data: 0)).contains("header"))
    #expect(try problem(file("[]", data: 0)).contains("header"))
  }

  @Test func invalidUTF8() throws {
    var bytes = file("{\"a\":1}", data: 0)
    bytes[10] = 0xff
    #expect(try problem(bytes).contains("header"))
  }

  @Test func unknownType() throws {
    #expect(try problem(file("{\"a\":\(entry("F99", "[1]", 0, 4))}", data: 4)).contains("F99"))
  }

  @Test func shapeProductOverflow() throws {
    let shape = "[4294967296,4294967296,4294967296]"
    #expect(
      try problem(file("{\"a\":\(entry("F32", shape, 0, 4))}", data: 4)).contains("overflows"))
    #expect(
      try problem(file("{\"a\":\(entry("F32", "[-1]", 0, 4))}", data: 4)).contains("negative"))
  }

  @Test func sizeDisagreesWithShape() throws {
    #expect(
      try problem(file("{\"a\":\(entry("F32", "[2]", 0, 4))}", data: 4)).contains("expected 8"))
  }

  @Test func offsetsOutsideTheFile() throws {
    #expect(try problem(file("{\"a\":\(entry("F32", "[2]", 0, 8))}", data: 4)).contains("outside"))
    #expect(try problem(file("{\"a\":\(entry("F32", "[1]", 4, 0))}", data: 4)).contains("outside"))
  }

  @Test func hole() throws {
    #expect(try problem(file("{\"a\":\(entry("F32", "[1]", 4, 8))}", data: 8)).contains("hole"))
  }

  @Test func overlap() throws {
    let header = "{\"a\":\(entry("F32", "[2]", 0, 8)),\"b\":\(entry("F32", "[2]", 4, 12))}"
    #expect(try problem(file(header, data: 12)).contains("overlaps"))
  }

  @Test func trailingBytes() throws {
    let header = "{\"a\":\(entry("F32", "[1]", 0, 4))}"
    #expect(try problem(file(header, data: 5)).contains("1 bytes after"))
  }

  /// Of two entries with one name a reader sees one: the other's bytes are then a hole or a rest.
  @Test func duplicateKey() throws {
    let header = "{\"a\":\(entry("F32", "[1]", 0, 4)),\"a\":\(entry("F32", "[1]", 4, 8))}"
    #expect(try problem(file(header, data: 8)) != "")
  }

  @Test func zeroElements() throws {
    let folder = try TemporaryFolder()
    let path = try folder.write(file("{\"a\":\(entry("F32", "[0,3]", 0, 0))}", data: 0), "x")
    #expect(try SafetensorsFile(path: path).floats("a").isEmpty)
  }
}
