import Foundation
import TestSupport
import Testing
import Weights

/// The specification is enough to read a file: a Python script written from it gives the same bytes.
@Suite struct SecondReaderTests {
  /// The output of `Tools/scripts/read-imprint`, or nil where python3 does not run.
  private static func python(_ arguments: [String]) -> (status: Int32, output: [UInt8])? {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["python3"] + arguments
    let output = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    guard (try? process.run()) != nil else { return nil }
    let bytes = [UInt8](output.fileHandleForReading.readDataToEndOfFile())
    process.waitUntilExit()
    return (process.terminationStatus, bytes)
  }

  static let hasPython = python(["-c", ""])?.status == 0

  @Test(.enabled(if: hasPython, "python3 is not installed"))
  func aReaderWrittenFromTheSpecificationAgrees() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("a.imprint")
    // Stored blocks of every type, planes of every type that has them, LZ4, several blocks.
    let samples =
      WeightType.allCases.map { .random($0, 9, 256, name: $0.label) }
      + [WeightType.f32, .f16, .bf16].map { .gaussian($0, 45, 77, name: "gaussian \($0.label)") }
      + [
        .gaussian(.bf16, 9, 4096, name: "blocks"),
        Sample(
          description: .init(name: "zeros", type: .f16, rows: 5, columns: 64),
          bytes: [UInt8](repeating: 0, count: 640)),
      ]
    try write(samples, to: path, level: .high)
    for sample in samples {
      let name = sample.description.name
      let read = Self.python([Fixtures.root + "Tools/scripts/read-imprint", path, name])
      #expect(read?.status == 0 && read?.output == sample.bytes, "\(name)")
    }
    #expect(try WeightFile(path: path).tensor("blocks").blockCount > 1)
  }
}
