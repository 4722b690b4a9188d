import Foundation
import TestSupport
import Testing
import Weights

/// The specification is enough to read a file: a Python script written from it gives the same bytes.
@Suite struct SecondReaderTests {
  @Test func aReaderWrittenFromTheSpecificationAgrees() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("a.imprint")
    let tensors: [TensorDescription] = WeightType.allCases.map {
      .init(name: "\($0)", type: $0, rows: 9, columns: 256)
    }
    try WeightFileTests.write(tensors, to: path, level: .high)
    for (index, tensor) in tensors.enumerated() {
      let process = Process()
      process.executableURL = URL(filePath: "/usr/bin/env")
      process.arguments = [
        "python3", Fixtures.root + "Tools/scripts/read-imprint", path, tensor.name,
      ]
      let output = Pipe()
      process.standardOutput = output
      try process.run()
      let bytes = [UInt8](output.fileHandleForReading.readDataToEndOfFile())
      process.waitUntilExit()
      #expect(process.terminationStatus == 0)
      #expect(bytes == WeightFileTests.bytes(tensor, seed: UInt64(index)), "\(tensor.name)")
    }
  }
}
