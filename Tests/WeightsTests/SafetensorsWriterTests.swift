import Foundation
import TestSupport
import Testing
import Weights

/// Writing safetensors files.
@Suite struct SafetensorsWriterTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test func whatIsWrittenIsRead() throws {
    let path = folder.file("w.safetensors")
    let values: [Float] = [1, -2.5, .infinity, .leastNonzeroMagnitude]
    let doubles = [Double.pi, -0.0]
    let name = "new\nline \"quoted\" \\ é😀"
    let writer = try SafetensorsWriter(
      path: path,
      tensors: [
        .init(name: "z", shape: [2, 2]), .init(name: name, dtype: "F64", shape: [2]),
        .init(name: "empty", dtype: "BF16", shape: [0]),
      ], metadata: ["format": "pt", "note": name])
    try values.withUnsafeBytes { try writer.append($0) }
    #expect(folder.names.contains("w.safetensors") == false, "visible before it is complete")
    try doubles.withUnsafeBytes { try writer.append($0) }
    try writer.finish()
    #expect(folder.names == ["w.safetensors"])
    let file = try SafetensorsFile(path: path)
    #expect(file.names.first == "z" && Set(file.names) == ["z", name, "empty"])
    #expect(file.metadata == ["format": "pt", "note": name])
    #expect(try file.tensor("z").shape == [2, 2])
    #expect(try file.floats("z").map(\.bitPattern) == values.map(\.bitPattern))
    #expect(try file.doubles(name).map(\.bitPattern) == doubles.map(\.bitPattern))
    // Tensors start at multiples of 8 bytes, as the reference implementation has it.
    let bytes = try Data(contentsOf: URL(filePath: path))
    #expect(bytes.first.map { $0 % 8 } == 0)
  }

  @Test func halfPrecisionReadsExactly() throws {
    let path = folder.file("h.safetensors")
    let writer = try SafetensorsWriter(
      path: path,
      tensors: [
        .init(name: "bf16", dtype: "BF16", shape: [2]),
        .init(name: "f16", dtype: "F16", shape: [2]),
      ])
    let bits: [UInt16] = [0x3fc0, 0xc000, 0x3e00, 0x0001]
    try bits.withUnsafeBytes { try writer.append($0) }
    try writer.finish()
    let file = try SafetensorsFile(path: path)
    #expect(try file.floats("bf16") == [1.5, -2])
    #expect(try file.floats("f16") == [1.5, 0x1p-24])
  }

  @Test func anUnfinishedWriterLeavesNothing() throws {
    do {
      let writer = try SafetensorsWriter(
        path: folder.file("w.safetensors"), tensors: [.init(name: "a", shape: [2])])
      try [Float(1)].withUnsafeBytes { try writer.append($0) }
      let error = #expect(throws: WeightError.self) { try writer.finish() }
      #expect(error?.problem == "expected 72 bytes, were given 68")
    }
    #expect(folder.names.isEmpty)
  }

  @Test func moreBytesThanDescribed() throws {
    let writer = try SafetensorsWriter(
      path: folder.file("w.safetensors"), tensors: [.init(name: "a", shape: [1])])
    let error = #expect(throws: WeightError.self) {
      try [Float(1), 2].withUnsafeBytes { try writer.append($0) }
    }
    #expect(error?.problem == "more bytes than the tensors have")
  }

  @Test(arguments: [
    [("a", "F32", [1]), ("a", "F32", [1])], [("__metadata__", "F32", [1])], [("a", "F33", [1])],
    [("a", "F32", [-1])], [("a", "F32", [1 << 40, 1 << 40])],
    [("a", "U8", [Int.max]), ("b", "U8", [1])],
  ])
  func descriptionsThatCannotBeWritten(_ tensors: [(String, String, [Int])]) throws {
    #expect(throws: WeightError.self) {
      try SafetensorsWriter(
        path: folder.file("w.safetensors"),
        tensors: tensors.map { .init(name: $0.0, dtype: $0.1, shape: $0.2) })
    }
    #expect(folder.names.isEmpty)
  }
}
