import Foundation
import TestSupport
import Testing
import Weights

/// Reading safetensors files, and every way that one can be wrong.
@Suite struct SafetensorsTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func file(
    header: String, data: Int = 0, length: UInt64? = nil
  ) throws -> SafetensorsFile {
    try file(header: Array(header.utf8), data: data, length: length)
  }

  private func file(header: [UInt8], data: Int, length: UInt64? = nil) throws -> SafetensorsFile {
    var bytes: [UInt8] = []
    bytes.append(littleEndian: length ?? UInt64(header.count))
    let path = try folder.write(
      bytes + header + [UInt8](repeating: 0, count: data), "case.safetensors")
    return try SafetensorsFile(path: path)
  }

  /// Expects a refusal that names the file and says `text`.
  private func refuses(
    _ text: String, sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () throws -> SafetensorsFile
  ) {
    let error = #expect(throws: WeightError.self, sourceLocation: sourceLocation) {
      _ = try body()
    }
    #expect(
      error?.description.contains(text) == true && error?.path.hasSuffix("case.safetensors") == true
        && error?.description.contains("\n") == false,
      "\(error?.description ?? "nothing thrown")", sourceLocation: sourceLocation)
  }

  private func tensor(_ name: String, _ dtype: String, _ shape: String, _ range: String) -> String {
    "\"\(name)\":{\"dtype\":\"\(dtype)\",\"shape\":[\(shape)],\"data_offsets\":[\(range)]}"
  }

  @Test func fileShorterThanItsLength() throws {
    let path = try folder.write([1, 0, 0], "case.safetensors")
    refuses("shorter") { try SafetensorsFile(path: path) }
  }

  @Test func emptyFile() throws {
    let path = try folder.write([], "case.safetensors")
    refuses("shorter") { try SafetensorsFile(path: path) }
  }

  @Test func headerLongerThanFile() {
    refuses("longer than the file") { try file(header: "{}", length: 3) }
  }

  @Test func headerOverCap() {
    refuses("limit") { try file(header: "{}", length: 100_000_001) }
    refuses("limit") { try file(header: "{}", length: .max) }
  }

  @Test func headerNotStartingWithBrace() {
    refuses("expected '{'") { try file(header: " {}") }
    refuses("expected '{'") { try file(header: "[]") }
    refuses("expected '{'") { try file(header: "") }
  }

  @Test func hole() {
    refuses("hole") {
      try file(
        header: "{\(tensor("a", "F32", "1", "0,4")),\(tensor("b", "F32", "1", "8,12"))}", data: 12)
    }
  }

  @Test func holeAtTheStart() {
    refuses("hole") { try file(header: "{\(tensor("a", "F32", "1", "4,8"))}", data: 8) }
  }

  @Test func overlap() {
    refuses("overlaps") {
      try file(
        header: "{\(tensor("a", "F32", "2", "0,8")),\(tensor("b", "F32", "2", "4,12"))}", data: 12)
    }
  }

  @Test func duplicateTensor() {
    refuses("'a' appears twice") {
      try file(
        header: "{\(tensor("a", "F32", "1", "0,4")),\(tensor("a", "F32", "1", "0,4"))}", data: 4)
    }
  }

  @Test func duplicateKeySpelledWithAnEscape() {
    refuses("'a' appears twice") {
      try file(
        header: "{\(tensor("a", "F32", "1", "0,4")),\(tensor("\\u0061", "F32", "1", "0,4"))}",
        data: 4)
    }
  }

  @Test func duplicateKeyInsideATensor() {
    refuses("'dtype' appears twice") {
      try file(
        header: #"{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, data: 4)
    }
  }

  @Test func duplicateMetadataKey() {
    refuses("'k' appears twice") { try file(header: #"{"__metadata__":{"k":"1","k":"2"}}"#) }
  }

  @Test func unknownKey() {
    refuses("'color' is unknown") { try file(header: #"{"a":{"color":"F32"}}"#) }
  }

  @Test func missingKey() {
    refuses("expected dtype, shape and data_offsets") {
      try file(header: #"{"a":{"dtype":"F32","shape":[1]}}"#, data: 4)
    }
  }

  @Test func trailingBytes() {
    refuses("1 bytes after the last tensor") {
      try file(header: "{\(tensor("a", "F32", "1", "0,4"))}", data: 5)
    }
  }

  @Test func textAfterTheHeader() {
    refuses("text after") { try file(header: "{} {}") }
  }

  @Test func offsetsPastTheEnd() {
    refuses("outside the file") {
      try file(header: "{\(tensor("a", "F32", "2", "0,8"))}", data: 4)
    }
  }

  @Test func offsetsBackwards() {
    refuses("outside the file") {
      try file(header: "{\(tensor("a", "F32", "1", "4,0"))}", data: 4)
    }
  }

  @Test func threeOffsets() {
    refuses("expected 2 data_offsets") {
      try file(header: "{\(tensor("a", "F32", "1", "0,4,4"))}", data: 4)
    }
  }

  @Test func sizeOtherThanShape() {
    refuses("expected 12 bytes") {
      try file(header: "{\(tensor("a", "F32", "3", "0,4"))}", data: 4)
    }
  }

  @Test func shapeProductOverflow() {
    refuses("overflows") {
      try file(header: "{\(tensor("a", "F32", "4294967296,4294967296", "0,4"))}", data: 4)
    }
    // 2^62 elements of 4 bytes: only the size in bytes overflows, to 0.
    refuses("overflows") {
      try file(header: "{\(tensor("a", "F32", "4611686018427387904", "0,0"))}")
    }
  }

  @Test func negativeSize() {
    refuses("whole number") { try file(header: "{\(tensor("a", "F32", "-1", "0,4"))}", data: 4) }
  }

  @Test func fractionalSize() {
    refuses("in shape") { try file(header: "{\(tensor("a", "F32", "1.0", "0,4"))}", data: 4) }
  }

  @Test func leadingZero() {
    refuses("whole number") { try file(header: "{\(tensor("a", "F32", "01", "0,4"))}", data: 4) }
  }

  @Test func numberTooLarge() {
    refuses("too large") {
      try file(header: "{\(tensor("a", "F32", "18446744073709551616", "0,4"))}", data: 4)
    }
  }

  @Test func unknownDtype() {
    refuses("dtype 'F33' is unknown") {
      try file(header: "{\(tensor("a", "F33", "1", "0,4"))}", data: 4)
    }
  }

  @Test func invalidUTF8() {
    refuses("invalid UTF-8") { try file(header: [0x7b, 0x22, 0xff, 0x22, 0x3a], data: 0) }
    // A surrogate spelled in UTF-8.
    refuses("invalid UTF-8") {
      try file(header: [0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x3a], data: 0)
    }
  }

  @Test(arguments: [#""\ud800""#, #""\ud800\u0041""#, #""\udc00""#])
  func halfASurrogatePair(_ name: String) {
    refuses("surrogate") { try file(header: "{\(name):{}}") }
  }

  @Test(arguments: [
    "{", "{\"a", "{\"a\"", "{\"a\":", "{\"a\":{", "{\"a\":{}", "{,}", "{\"a\":1}", "{\"a\":{},}",
    "{\"a\\x\":{}}", "{\"a\\u00g0\":{}}", "{\"a\\", "{\"a\nb\":{}}", "{'a':{}}",
  ])
  func invalidJSON(_ header: String) {
    refuses("header: ") { try file(header: header) }
  }

  /// Nesting is limited by the grammar: a header of brackets does not reach the stack's end.
  @Test func deepNesting() {
    refuses("header: ") {
      try file(header: "{\"a\":" + String(repeating: "{\"a\":", count: 1_000_000))
    }
    refuses("header: ") {
      try file(header: "{\"a\":{\"shape\":" + String(repeating: "[", count: 1_000_000))
    }
  }

  @Test func missingFile() {
    refuses("cannot be opened") { try SafetensorsFile(path: folder.file("case.safetensors")) }
  }

  @Test func everyTruncationIsRefused() throws {
    let whole = try Data(
      contentsOf: URL(filePath: Fixtures.path("golden/tiny/lora_r3.safetensors")))
    for count in stride(from: 0, to: whole.count, by: 97) {
      let path = try folder.write(Array(whole.prefix(count)), "case.safetensors")
      #expect(throws: WeightError.self) { try SafetensorsFile(path: path) }
    }
  }

  @Test func noTensors() throws {
    let file = try file(header: "{}  ")
    #expect(file.names.isEmpty && file.metadata.isEmpty)
  }

  @Test func escapesAndMetadata() throws {
    let file = try file(
      header:
        "{\"__metadata__\":{\"k\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00é\"},\n"
        + "\(tensor("x", "F32", "", "0,4"))}", data: 4)
    #expect(file.metadata == ["k": "\"\\/\u{8}\u{c}\n\r\té😀é"])
    #expect(try file.tensor("x").shape.isEmpty)
    #expect(try file.floats("x") == [0])
  }

  @Test func emptyTensorsShareTheirPlace() throws {
    let file = try file(
      header: "{\(tensor("b", "F32", "1", "0,4")),\(tensor("a", "F32", "0,3", "0,0")),"
        + "\(tensor("c", "I64", "0", "4,4"))}", data: 4)
    #expect(file.names == ["a", "b", "c"])
    #expect(try file.floats("a").isEmpty)
  }

  @Test func tensorThatIsNotThere() throws {
    let file = try file(header: "{}")
    let error = #expect(throws: WeightError.self) { try file.tensor("z") }
    #expect(error?.problem == "tensor 'z' is missing")
  }

  @Test func floatsOfAnIntegerTensor() throws {
    let file = try file(header: "{\(tensor("a", "I32", "1", "0,4"))}", data: 4)
    let error = #expect(throws: WeightError.self) { try file.floats("a") }
    #expect(error?.problem == "tensor 'a': expected a floating-point type, found I32")
  }
}
