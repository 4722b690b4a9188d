import TestSupport
import Testing
import Weights

/// Blocks as real weights make them: compressed, of odd widths, read in parts.
@Suite struct WeightFileBlockTests {
  let folder: TemporaryFolder
  let path: String

  init() throws {
    folder = try TemporaryFolder()
    path = folder.file("a.imprint")
  }

  /// Rows and columns in units of the type's block: one row, one element, more rows than a block of
  /// the file has, rows that end inside a run of 64 elements.
  static let shapes = [(1, 1), (1, 7), (3, 5), (70, 33), (9, 4096), (41, 1000), (2, 40_000)]

  @Test(arguments: WeightType.allCases)
  func decodedValuesEqualThoseConvertedWithoutTheFile(type: WeightType) throws {
    let samples = Self.shapes.map { rows, units in
      Sample.random(
        type, rows, max(1, units / type.blockElements) * type.blockElements,
        name: "\(rows)x\(units)")
    }
    try write(samples, to: path)
    let file = try WeightFile(path: path)
    for sample in samples {
      let tensor = try file.tensor(sample.description.name)
      #expect(tensor.description == sample.description)
      #expect(try tensor.storedBytes(0..<tensor.rows) == sample.bytes)
      #expect(try tensor.floats(0..<tensor.rows) == sample.floats(0..<tensor.rows))
    }
  }

  @Test(arguments: [WeightType.f32, .f16, .bf16], CompressionLevel.allCases)
  func compressedBlocksAreLossless(type: WeightType, level: CompressionLevel) throws {
    let sample = Sample.gaussian(type, 90, 777, name: "w")
    try write([sample], to: path, level: level)
    let tensor = try WeightFile(path: path).tensor("w")
    #expect(tensor.blockCount > 1)
    #expect(tensor.storedBytes < sample.bytes.count * 95 / 100)
    #expect(try tensor.storedBytes(0..<90) == sample.bytes)
    #expect(try tensor.floats(0..<90) == sample.floats(0..<90))
  }

  @Test(arguments: [WeightType.f32, .f16, .bf16, .q8_0, .q4_K])
  func anyRowRangeIsReadAlone(type: WeightType) throws {
    let sample =
      type.isFloatingPoint
      ? Sample.gaussian(type, 90, 777, name: "w") : .random(type, 90, 768, name: "w")
    try write([sample], to: path)
    let tensor = try WeightFile(path: path).tensor("w")
    let block = tensor.blockRows
    for range in [0..<1, 89..<90, 0..<0, 5..<6, block - 1..<block + 1, 3..<2 * block + 1, 0..<90] {
      #expect(try tensor.floats(range) == sample.floats(range), "rows \(range)")
      let rowBytes = sample.description.rowBytes
      let bytes = Array(sample.bytes[range.lowerBound * rowBytes..<range.upperBound * rowBytes])
      #expect(try tensor.storedBytes(range) == bytes, "rows \(range)")
    }
  }

  /// Scratch is for one block's bytes, never for its f32 values: workers have one each.
  @Test func scratchIsNoLargerThanABlock() throws {
    try write(
      [.gaussian(.bf16, 90, 777, name: "bf16"), .random(.q8_0, 90, 768, name: "q8_0")], to: path)
    for tensor in try WeightFile(path: path).tensors {
      // Planes are whole words of 64 elements.
      #expect(tensor.scratchBytes <= tensor.blockRows * tensor.description.rowBytes + 64)
    }
  }

  @Test(arguments: [WeightType.f32, .f16, .bf16, .q8_0])
  func constantRowsCompressFarBelowTheirRest(type: WeightType) throws {
    let description = TensorDescription(name: "zeros", type: type, rows: 256, columns: 512)
    let sample = Sample(
      description: description, bytes: [UInt8](repeating: 0, count: 256 * description.rowBytes))
    try write([sample], to: path)
    let tensor = try WeightFile(path: path).tensor("zeros")
    #expect(tensor.storedBytes < sample.bytes.count / 50)
    #expect(try tensor.storedBytes(0..<256) == sample.bytes)
    #expect(try tensor.floats(7..<9) == sample.floats(7..<9))
  }

  @Test func sizeOfPiecesDoesNotChangeTheFile() throws {
    let samples = [
      Sample.gaussian(.bf16, 100, 700, name: "a"), .random(.q8_0, 70, 64, name: "b"),
    ]
    try write(samples, to: path)
    let whole = try RawFile(path).bytes
    for piece in [1, 7, 50] {
      try write(samples, to: path, piece: piece)
      #expect(try RawFile(path).bytes == whole, "\(piece) rows a piece")
    }
  }

  @Test func fingerprintFollowsTheContent() throws {
    var sample = Sample.random(.bf16, 4, 8, name: "w")
    try write([sample], to: path)
    let first = try WeightFile(path: path).fingerprint
    try write([sample], to: path)
    #expect(try WeightFile(path: path).fingerprint == first)
    sample.bytes[17] ^= 1
    try write([sample], to: path)
    #expect(try WeightFile(path: path).fingerprint != first)
  }

  /// What LZ4 cannot shrink is stored as it is; so is an empty tokenizer.
  @Test(arguments: [Sample.random(.f32, 1, 50, name: "t").bytes, []])
  func tokenizerThatDoesNotCompress(tokenizer: [UInt8]) throws {
    try write([.random(.f32, 2, 3, name: "a")], to: path, tokenizer: tokenizer)
    try WeightFile(path: path).verify()
    #expect(try WeightFile(path: path).tokenizerData() == tokenizer)
  }

  @Test func progressReachesTheEnd() throws {
    try write([.random(.bf16, 64, 1024, name: "w")], to: path)
    var seen: [Int] = []
    var total = 0
    try WeightFile(path: path).verify { done, all in
      seen.append(done)
      total = all
    }
    #expect(seen == seen.sorted() && seen.last == total && seen.count > 1)
    #expect(total == (try RawFile(path).bytes.count))
  }

  /// The old file stays until the new one is whole.
  @Test func aFileIsReplacedAtOnce() throws {
    let sample = Sample.random(.bf16, 4, 8, name: "w")
    try write([sample], to: path)
    let old = try RawFile(path).bytes
    let reader = try WeightFile(path: path)
    let changed = Sample(description: sample.description, bytes: sample.bytes.reversed())
    do {
      let writer = try WeightFileWriter(
        path: path, architecture: tinyArchitecture, tokenizer: nil, tensors: [sample.description])
      try changed.bytes.withUnsafeBytes { try writer.append($0) }
      #expect(try RawFile(path).bytes == old)
      _ = try writer.finish()
    }
    #expect(try RawFile(path).bytes != old)
    // A reader of the old file still has it.
    #expect(try reader.tensor("w").storedBytes(0..<4) == sample.bytes)
    #expect(folder.names == ["a.imprint"])
  }

  @Test func writerRefusesWhatItCannotStore() throws {
    func start(_ tensors: [TensorDescription], _ path: String? = nil) -> String? {
      problem {
        _ = try WeightFileWriter(
          path: path ?? self.path, architecture: tinyArchitecture, tokenizer: nil, tensors: tensors)
      }
    }
    let fine = TensorDescription(name: "w", type: .q8_0, rows: 2, columns: 64)
    #expect(start([fine]) == nil)
    #expect(start([fine], folder.path)?.contains("it is a folder") == true)
    for (rows, columns) in [(0, 64), (2, 0), (2, 33), (-1, 64), (Int.max, 64), (1, 1 << 60)] {
      let bad = TensorDescription(name: "bad", type: .q8_0, rows: rows, columns: columns)
      #expect(start([fine, bad])?.contains("'bad'") == true, "\(rows) × \(columns)")
    }
    #expect(start([fine, fine])?.contains("twice") == true)
    let writer = try WeightFileWriter(
      path: path, architecture: tinyArchitecture, tokenizer: nil, tensors: [fine])
    for count in [1, 67, 3 * 68] {
      let bytes = [UInt8](repeating: 0, count: count)
      let line = problem { try bytes.withUnsafeBytes { try writer.append($0) } }
      #expect(line?.contains("expected whole rows") == true, "\(count) bytes")
    }
  }
}
