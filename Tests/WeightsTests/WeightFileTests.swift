import Foundation
import Storage
import TestSupport
import Testing
import Weights

@Suite struct WeightFileTests {
  static let architecture = Architecture(
    hiddenSize: 32, intermediateSize: 48, numHiddenLayers: 2, numAttentionHeads: 4,
    numKeyValueHeads: 2, headDim: 8, vocabSize: 67, maxPositionEmbeddings: 128, rmsNormEps: 1e-5,
    ropeTheta: 10000, tieWordEmbeddings: true)

  static func bytes(_ description: TensorDescription, seed: UInt64) -> [UInt8] {
    var random = SplitMix64(seed: seed)
    let count = description.rows * description.rowBytes
    // Half the seeds give bytes that compress, as real exponents do.
    return (0..<count).map { _ in
      UInt8(truncatingIfNeeded: seed % 2 == 0 ? random.next() : random.next() % 3 + 60)
    }
  }

  /// Writes tensors of random bytes. Returns the path.
  @discardableResult
  static func write(
    _ tensors: [TensorDescription], to path: String, level: CompressionLevel = .fast,
    tokenizer: [UInt8]? = nil
  ) throws -> WriteSummary {
    let writer = try WeightFileWriter(
      path: path, architecture: architecture, tokenizer: tokenizer, tensors: tensors, level: level)
    for (index, tensor) in tensors.enumerated() {
      let raw = bytes(tensor, seed: UInt64(index))
      // In pieces that do not follow the blocks.
      let step = max(1, tensor.rows / 3) * tensor.rowBytes
      for start in stride(from: 0, to: raw.count, by: step) {
        try raw[start..<min(start + step, raw.count)].withUnsafeBytes { try writer.append($0) }
      }
    }
    return try writer.finish()
  }

  static let tensors: [TensorDescription] = WeightType.allCases.flatMap { type in
    [
      TensorDescription(name: "\(type) many", type: type, rows: 301, columns: 256),
      TensorDescription(name: "\(type) one", type: type, rows: 1, columns: 512),
      TensorDescription(
        name: "\(type) odd", type: type, rows: 7, columns: type.blockElements == 1 ? 37 : 256),
      TensorDescription(name: "\(type) wide", type: type, rows: 3, columns: 40960),
    ]
  }

  @Test(arguments: CompressionLevel.allCases) func everyTypeComesBackBitForBit(
    _ level: CompressionLevel
  ) throws {
    let folder = try TemporaryFolder()
    let path = folder.file("a.imprint")
    let tokenizer = (0..<5000).map { UInt8(truncatingIfNeeded: $0 / 7) }
    try Self.write(Self.tensors, to: path, level: level, tokenizer: tokenizer)
    #expect(folder.names == ["a.imprint"])
    let file = try WeightFile(path: path)
    try file.verify()
    #expect(file.architecture == Self.architecture)
    #expect(try file.tokenizerData() == tokenizer)
    for (index, description) in Self.tensors.enumerated() {
      let tensor = try file.tensor(description.name)
      let raw = Self.bytes(description, seed: UInt64(index))
      let scratch = UnsafeMutableRawBufferPointer.allocate(
        byteCount: tensor.scratchBytes, alignment: 64)
      defer { scratch.deallocate() }
      var back = [UInt8](repeating: 0, count: raw.count)
      try back.withUnsafeMutableBytes { bytes in
        guard let base = bytes.baseAddress else { return }
        try tensor.stored(rows: 0..<tensor.rows, into: base, scratch: scratch)
      }
      #expect(back == raw, "\(description.name)")
      // Any range of rows decodes as the whole does.
      var whole = [Float](repeating: 0, count: tensor.rows * tensor.columns)
      try tensor.decode(rows: 0..<tensor.rows, into: &whole, scratch: scratch)
      let middle = tensor.rows / 3..<max(tensor.rows / 3 + 1, tensor.rows - 1)
      var part = [Float](repeating: 0, count: middle.count * tensor.columns)
      try tensor.decode(rows: middle, into: &part, scratch: scratch)
      let expected = whole[middle.lowerBound * tensor.columns..<middle.upperBound * tensor.columns]
      #expect(part.map(\.bitPattern) == expected.map(\.bitPattern), "\(description.name)")
    }
  }

  @Test func gaussianWeightsShrinkToThreeQuarters() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("a.imprint")
    var random = SplitMix64(seed: 1)
    let raw = (0..<512 * 512).flatMap { _ -> [UInt8] in
      let radius = (-2 * log(max(random.uniform(), 1e-300))).squareRoot()
      let bits = Float(0.02 * radius * cos(2 * Double.pi * random.uniform())).bitPattern
      return [UInt8(truncatingIfNeeded: bits >> 16), UInt8(truncatingIfNeeded: bits >> 24)]
    }
    let writer = try WeightFileWriter(
      path: path, architecture: Self.architecture, tokenizer: nil,
      tensors: [.init(name: "w", type: .bf16, rows: 512, columns: 512)], level: .fast)
    try raw.withUnsafeBytes { try writer.append($0) }
    let summary = try writer.finish()
    #expect(Double(summary.fileBytes) / Double(summary.rawBytes) < 0.75)
    let tensor = try WeightFile(path: path).tensor("w")
    var floats = [Float](repeating: 0, count: 512 * 512)
    let scratch = UnsafeMutableRawBufferPointer.allocate(
      byteCount: tensor.scratchBytes, alignment: 64)
    defer { scratch.deallocate() }
    try tensor.decode(rows: 0..<512, into: &floats, scratch: scratch)
    for index in floats.indices {
      let bits = UInt32(raw[2 * index]) << 16 | UInt32(raw[2 * index + 1]) << 24
      #expect(floats[index].bitPattern == bits)
    }
  }

  private func small(_ folder: TemporaryFolder) throws -> [UInt8] {
    let path = folder.file("small.imprint")
    try Self.write(
      [
        .init(name: "a", type: .bf16, rows: 3, columns: 64),
        .init(name: "b", type: .q4_1, rows: 2, columns: 32),
        .init(name: "c", type: .f32, rows: 1, columns: 5),
      ], to: path, tokenizer: Array("not a tokenizer, but bytes".utf8))
    return [UInt8](try Data(contentsOf: URL(filePath: path)))
  }

  /// Whichever byte is flipped, opening or verifying fails.
  @Test func oneFlippedByteAnywhereIsFound() throws {
    let folder = try TemporaryFolder()
    let bytes = try small(folder)
    for offset in bytes.indices {
      var damaged = bytes
      damaged[offset] ^= 0x10
      let path = try folder.write(damaged, "damaged.imprint")
      #expect(throws: WeightError.self, "offset \(offset)") { try WeightFile(path: path).verify() }
    }
  }

  @Test func aDamagedBlockNamesTensorAndBlock() throws {
    let folder = try TemporaryFolder()
    var bytes = try small(folder)
    bytes[70] ^= 1
    let path = try folder.write(bytes, "damaged.imprint")
    let file = try WeightFile(path: path)
    let error = #expect(throws: WeightError.self) { try file.verify() }
    #expect(error?.description.contains("tensor 'a' block 0 at offset 64: checksum") == true)
    let tensor = try file.tensor("a")
    var values = [Float](repeating: 0, count: 64)
    let scratch = UnsafeMutableRawBufferPointer.allocate(
      byteCount: tensor.scratchBytes, alignment: 64)
    defer { scratch.deallocate() }
    let met = #expect(throws: WeightError.self) {
      try tensor.decode(rows: 2..<3, into: &values, scratch: scratch)
    }
    #expect(met?.description.contains("tensor 'a' block 0") == true)
  }

  @Test func everyTruncationIsRefused() throws {
    let folder = try TemporaryFolder()
    let bytes = try small(folder)
    for length in 0..<bytes.count {
      let path = try folder.write(Array(bytes.prefix(length)), "short.imprint")
      #expect(throws: WeightError.self, "length \(length)") { try WeightFile(path: path) }
    }
    let path = try folder.write(bytes + [0], "long.imprint")
    #expect(throws: WeightError.self) { try WeightFile(path: path) }
  }

  private func problem(_ folder: TemporaryFolder, _ bytes: [UInt8]) throws -> String {
    let path = try folder.write(bytes, "hostile.imprint")
    return #expect(throws: WeightError.self) { try WeightFile(path: path).verify() }?.problem ?? ""
  }

  @Test func wrongMagic() throws {
    let folder = try TemporaryFolder()
    var bytes = try small(folder)
    bytes[0] = 0x58
    #expect(try problem(folder, bytes) == "not an .imprint file: wrong magic")
    #expect(try problem(folder, []) == "not an .imprint file: wrong magic")
  }

  @Test func futureVersion() throws {
    let folder = try TemporaryFolder()
    var bytes = try small(folder)
    bytes[8] = 2
    #expect(try problem(folder, bytes) == "version 2 is unknown; this reader knows 1")
  }

  @Test func missingFileAndFolder() throws {
    let folder = try TemporaryFolder()
    #expect(throws: WeightError.self) { try WeightFile(path: folder.file("nothing")) }
    let error = #expect(throws: WeightError.self) { try WeightFile(path: folder.path) }
    #expect(error?.problem == "is not a regular file")
  }

  @Test func unknownTensorIsNamed() throws {
    let folder = try TemporaryFolder()
    _ = try small(folder)
    let file = try WeightFile(path: folder.file("small.imprint"))
    let error = #expect(throws: WeightError.self) { try file.tensor("d") }
    #expect(error?.problem == "tensor 'd' is missing")
    #expect(file.has("a") && !file.has("d") && file.tensorNames == ["a", "b", "c"])
  }

  /// Headers that were made to deceive: right checksums, wrong contents.
  @Test(arguments: [
    ("\"rows\":3", "\"rows\":4000000000000"), ("\"rows\":3", "\"rows\":-3"),
    ("\"rows\":3", "\"rows\":9223372036854775807"), ("\"columns\":64", "\"columns\":0"),
    ("\"columns\":64", "\"columns\":4611686018427387904"),
    ("\"block_rows\":3", "\"block_rows\":0"), ("\"block_rows\":3", "\"block_rows\":1"),
    ("\"first_block\":1", "\"first_block\":0"), ("\"first_block\":1", "\"first_block\":99999999"),
    ("\"type\":\"bf16\"", "\"type\":\"bf99\""), ("\"name\":\"a\"", "\"name\":\"b\""),
    ("\"hidden_size\":32", "\"hidden_size\":-1"), ("\"hidden_size\":32", "\"hidden_size\":\"32\""),
    ("\"num_key_value_heads\":2", "\"num_key_value_heads\":3"),
    ("\"vocab_size\":67", "\"vocab_size\":99999999999"), ("\"head_dim\":8", "\"head_dim\":7"),
    ("\"rope_theta\":10000", "\"rope_theta\":-1"), ("\"raw_size\":26", "\"raw_size\":9999999999"),
    ("\"architecture\"", "\"architectures\""),
  ]) func hostileHeader(_ find: String, _ replacement: String) throws {
    let folder = try TemporaryFolder()
    let bytes = try HostileHeader.replacing(find, with: replacement, in: try small(folder))
    let problem = try problem(folder, bytes)
    #expect(!problem.isEmpty && !problem.contains("\n") && !problem.contains("checksum"))
  }

  @Test func concurrentReadersAgree() async throws {
    let folder = try TemporaryFolder()
    let path = folder.file("a.imprint")
    try Self.write([.init(name: "w", type: .bf16, rows: 300, columns: 256)], to: path)
    let tensor = try WeightFile(path: path).tensor("w")
    let sums = try await withThrowingTaskGroup(of: [UInt32].self) { group in
      for _ in 0..<8 {
        group.addTask {
          var values = [Float](repeating: 0, count: 300 * 256)
          let scratch = UnsafeMutableRawBufferPointer.allocate(
            byteCount: tensor.scratchBytes, alignment: 64)
          defer { scratch.deallocate() }
          try tensor.decode(rows: 0..<300, into: &values, scratch: scratch)
          return values.map(\.bitPattern)
        }
      }
      var all: [[UInt32]] = []
      for try await values in group { all.append(values) }
      return all
    }
    #expect(sums.allSatisfy { $0 == sums[0] })
  }

  @Test func aWriterThatIsDroppedLeavesNothing() throws {
    let folder = try TemporaryFolder()
    do {
      let writer = try WeightFileWriter(
        path: folder.file("a.imprint"), architecture: Self.architecture, tokenizer: nil,
        tensors: [.init(name: "w", type: .f32, rows: 2, columns: 2)])
      #expect(throws: WeightError.self) { try writer.finish() }
      #expect(folder.names.count == 1)
    }
    #expect(folder.names.isEmpty)
    #expect(throws: WeightError.self) {
      try WeightFileWriter(
        path: folder.file("missing/a.imprint"), architecture: Self.architecture, tokenizer: nil,
        tensors: [])
    }
  }
}
