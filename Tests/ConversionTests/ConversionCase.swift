import Conversion
import Foundation
import TestSupport
import Testing
import Weights

/// A folder to convert and a folder for the output.
struct ConversionCase {
  let folder: TemporaryFolder
  let output: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    output = try TemporaryFolder()
  }

  func convert(
    _ source: String? = nil, level: CompressionLevel = .fast
  ) throws -> WeightFile {
    let path = output.file("model.imprint")
    _ = try Converter(output: path, level: level).convert(
      AnyModelSource.open(source ?? folder.path))
    let file = try WeightFile(path: path)
    try file.verify()
    return file
  }

  /// Expects that the folder is refused with `text`, and that no output appears.
  func refuses(
    _ text: String, source: String? = nil, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let error = #expect(throws: WeightError.self, sourceLocation: sourceLocation) {
      _ = try convert(source)
    }
    #expect(
      error?.description.contains(text) == true, "\(error?.description ?? "nothing thrown")",
      sourceLocation: sourceLocation)
    #expect(output.names.isEmpty, sourceLocation: sourceLocation)
  }

  func expectSame(
    _ file: WeightFile, _ model: SmallModel, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    #expect(Set(file.tensorNames) == Set(model.tensors.keys), sourceLocation: sourceLocation)
    for (name, tensor) in model.tensors {
      #expect(try file.values(name) == tensor.values, "\(name)", sourceLocation: sourceLocation)
    }
  }
}
