import Foundation
import TestSupport
import Testing
import Weights

/// Reading GGUF files, and every way that one can be wrong.
@Suite struct GGUFTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func open(_ bytes: [UInt8]) throws -> GGUFFile {
    try GGUFFile(path: folder.write(bytes, "case.gguf"))
  }

  /// Expects a refusal that names the file and says `text`.
  private func refuses(
    _ text: String, sourceLocation: SourceLocation = #_sourceLocation,
    _ change: (inout GGUFBuilder) -> Void
  ) {
    var builder = Self.right
    change(&builder)
    refuses(text, builder.bytes, sourceLocation: sourceLocation)
  }

  private func refuses(
    _ text: String, _ bytes: [UInt8], sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let error = #expect(throws: WeightError.self, sourceLocation: sourceLocation) {
      _ = try open(bytes)
    }
    #expect(
      error?.description.contains(text) == true && error?.path.hasSuffix("case.gguf") == true
        && error?.description.contains("\n") == false,
      "\(error?.description ?? "nothing thrown")", sourceLocation: sourceLocation)
  }

  /// Two tensors of two rows, and a value of each kind.
  private static var right: GGUFBuilder {
    var builder = GGUFBuilder()
    builder.metadata = [
      ("a.u32", .u32(7)), ("a.f32", .f32(0.5)), ("a.bool", .bool(true)),
      ("a.string", .string("héllo")), ("a.strings", .strings(["x", "", "yz"])),
      ("a.u8", .init(type: 0, bytes: [255])), ("a.i8", .init(type: 1, bytes: [255])),
      ("a.u16", .init(type: 2, bytes: [1, 2])), ("a.i16", .init(type: 3, bytes: [255, 255])),
      ("a.i32", .init(type: 5, bytes: [254, 255, 255, 255])),
      ("a.u64", .init(type: 10, bytes: [0, 0, 0, 0, 1, 0, 0, 0])),
      ("a.i64", .init(type: 11, bytes: [UInt8](repeating: 255, count: 8))),
      ("a.f64", .init(type: 12, bytes: [0, 0, 0, 0, 0, 0, 0xf0, 0x3f])),
    ]
    builder.tensors = [
      .init("first", [3, 2], type: 0, bytes: (0..<24).map { UInt8($0) }),
      .init("second", [32, 2], type: 8, bytes: [UInt8](repeating: 9, count: 68)),
    ]
    return builder
  }

  @Test(arguments: [UInt32(2), 3]) func readsEveryKindOfValue(version: UInt32) throws {
    var builder = Self.right
    builder.version = version
    let file = try open(builder.bytes)
    let integers = [
      "a.u32": 7, "a.u8": 255, "a.i8": -1, "a.u16": 513, "a.i16": -1, "a.i32": -2,
      "a.u64": 1 << 32, "a.i64": -1,
    ]
    for (key, value) in integers { #expect(try file.integer(key) == value, "\(key)") }
    #expect(try file.number("a.f32") == 0.5 && file.number("a.f64") == 1)
    #expect(try file.string("a.string") == "héllo")
    #expect(throws: WeightError.self) { try file.integer("a.string") }
    #expect(throws: WeightError.self) { try file.number("a.string") }
    #expect(throws: WeightError.self) { try file.string("missing") }
    guard case .bool(true)? = file.metadata["a.bool"],
      case .array(let strings)? = file.metadata["a.strings"]
    else {
      Issue.record("bool or array missing")
      return
    }
    let texts = strings.map {
      if case .string(let bytes) = $0 { String(decoding: bytes, as: UTF8.self) } else { "?" }
    }
    #expect(texts == ["x", "", "yz"])
  }

  @Test func readsTensors() throws {
    let file = try open(Self.right.bytes)
    #expect(file.tensors.map(\.name) == ["first", "second"])
    #expect(file.tensors.map(\.type) == [.f32, .q8_0])
    #expect(file.tensors.map(\.shape) == [[2, 3], [2, 32]])
    #expect(Array(file.bytes(file.tensors[0])) == (0..<24).map { UInt8($0) })
    #expect(Array(file.bytes(file.tensors[1])) == [UInt8](repeating: 9, count: 68))
  }

  @Test func readsAnotherAlignment() throws {
    var builder = Self.right
    builder.alignment = 256
    builder.metadata.append(("general.alignment", .u32(256)))
    let file = try open(builder.bytes)
    #expect(Array(file.bytes(file.tensors[1])) == [UInt8](repeating: 9, count: 68))
  }

  @Test func wrongMagic() { refuses("wrong magic") { $0.magic = "GGML" } }

  @Test func emptyFile() { refuses("wrong magic", []) }

  @Test(arguments: [UInt32(0), 1, 4, .max]) func unknownVersion(_ version: UInt32) {
    refuses("version \(version) is unknown") { $0.version = version }
  }

  @Test func bigEndian() { refuses("big-endian") { $0.version = UInt32(3).byteSwapped } }

  @Test func everyTruncationIsRefused() throws {
    let bytes = Self.right.bytes
    // The last tensor is followed by padding that nothing needs.
    for count in 0..<bytes.count - 28 {
      #expect(throws: WeightError.self, "\(count) bytes") { try open(Array(bytes.prefix(count))) }
    }
  }

  @Test(arguments: [1_000_000, UInt64(Int.max), .max]) func tensorCountHuge(_ count: UInt64) {
    refuses("tensor count: \(count) do not fit") { $0.tensorCount = count }
  }

  @Test(arguments: [1_000_000, UInt64(Int.max), .max]) func metadataCountHuge(_ count: UInt64) {
    refuses("metadata count: \(count) do not fit") { $0.keyCount = count }
  }

  @Test(arguments: [100_000, UInt64(Int.max), .max]) func stringLengthPastEnd(_ length: UInt64) {
    var bytes: [UInt8] = []
    bytes.append(littleEndian: length)
    refuses("a string of \(length) bytes does not fit") {
      $0.metadata = [("k", .init(type: 8, bytes: bytes))]
    }
  }

  @Test func keyLongerThanTheSpecificationAllows() {
    refuses("at most 65535") {
      $0.metadata = [(String(repeating: "k", count: 65_536), .u32(1))]
    }
  }

  @Test(arguments: [UInt32(0), 4, 8, 12]) func arrayCountHuge(element: UInt32) {
    for count in [100_000, UInt64(Int.max), .max] {
      refuses("do not fit") { $0.metadata = [("k", .array(element: element, count: count))] }
    }
  }

  /// The file has the bytes, but no vocabulary has as many: each would take 16 in memory.
  @Test func arrayLongerThanAnyVocabulary() {
    let count = 1 << 24 + 1
    refuses("at most 16777216") {
      $0.metadata = [
        (
          "k",
          .array(element: 0, count: UInt64(count), bytes: [UInt8](repeating: 0, count: count))
        )
      ]
    }
  }

  @Test func nestedArrays() {
    refuses("nested arrays") {
      $0.metadata = [
        ("k", .array(element: 9, count: 1, bytes: [UInt8](repeating: 0, count: 64)))
      ]
    }
  }

  @Test func unknownElementType() {
    refuses("element type 13 is unknown") {
      $0.metadata = [("k", .array(element: 13, count: 0))]
    }
  }

  @Test func unknownValueType() {
    refuses("'k': type 13 is unknown") { $0.metadata = [("k", .init(type: 13, bytes: []))] }
  }

  @Test func boolOtherThanZeroAndOne() {
    refuses("expected 0 or 1") { $0.metadata = [("k", .init(type: 7, bytes: [2]))] }
  }

  @Test func integerTooLarge() {
    refuses("too large") {
      $0.metadata = [("k", .init(type: 10, bytes: [UInt8](repeating: 255, count: 8)))]
    }
  }

  @Test func duplicateKey() {
    refuses("'k' appears twice") { $0.metadata = [("k", .u32(1)), ("k", .u32(1))] }
  }

  @Test func duplicateTensor() {
    refuses("'first' appears twice") { $0.tensors[1].name = "first" }
  }

  @Test(arguments: [UInt32(0), 3, 48, 1 << 21, .max]) func alignmentNotAPowerOfTwo(_ value: UInt32)
  {
    refuses("general.alignment: expected a power of two") {
      $0.metadata = [("general.alignment", .u32(value))]
    }
  }

  @Test func alignmentOfAnotherKind() {
    refuses("general.alignment") { $0.metadata = [("general.alignment", .string("32"))] }
  }

  @Test func offsetNotAligned() { refuses("is not aligned") { $0.tensors[1].offset = 33 } }

  @Test(arguments: [
    [1 << 32, 1 << 32], [1 << 62, 2], [1 << 32, 1 << 16, 1 << 16], [UInt64.max], [UInt64(1) << 63],
  ])
  func dimensionProductOverflow(_ dimensions: [UInt64]) {
    refuses("overflows") { $0.tensors[0].dimensions = dimensions }
  }

  /// As many elements as an integer holds, but not as many bytes.
  @Test func sizeOverflow() { refuses("overflows") { $0.tensors[0].dimensions = [1 << 62] } }

  @Test func dimensionZero() { refuses("a dimension is 0") { $0.tensors[0].dimensions = [3, 0] } }

  @Test(arguments: [0, 5]) func dimensionCount(_ count: Int) {
    refuses("expected 1 to 4 dimensions, found \(count)") {
      $0.tensors[0].dimensions = [UInt64](repeating: 1, count: count)
    }
  }

  @Test(arguments: [UInt32(4), 9, 10, 16, 24, 39, .max]) func unknownType(_ type: UInt32) {
    refuses("type \(type) is not read") { $0.tensors[0].type = type }
  }

  @Test func rowsThatAreNotWholeBlocks() {
    refuses("33 columns are not whole blocks of q8_0") { $0.tensors[1].dimensions = [33, 2] }
  }

  @Test func offsetOverlap() { refuses("overlap") { $0.tensors[1].offset = 0 } }

  @Test(arguments: [1 << 20, UInt64(Int.max) - 31, UInt64(1) << 63, UInt64.max - 31])
  func offsetPastEnd(_ offset: UInt64) {
    refuses("past the end") { $0.tensors[1].offset = offset }
  }

  @Test func dataLargerThanFile() {
    refuses("past the end") { $0.tensors[1].dimensions = [32, 99] }
  }

  /// A flipped byte anywhere is read as something or refused; it never ends the process.
  @Test func everyFlippedByteIsSurvived() throws {
    let right = Self.right.bytes
    for index in right.indices {
      for flip in [UInt8(0x01), 0x80, 0xff] {
        var bytes = right
        bytes[index] ^= flip
        let path = try folder.write(bytes, "case.gguf")
        do {
          let file = try GGUFFile(path: path)
          for tensor in file.tensors { #expect(file.bytes(tensor).count > 0) }
        } catch {
          #expect(!error.problem.isEmpty)
        }
      }
    }
  }
}
