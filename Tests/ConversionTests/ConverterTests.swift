import Conversion
import Foundation
import TestSupport
import Testing
import Weights

/// What is common to all sources: how they are told apart, and what becomes of the output.
@Suite struct ConverterTests {
  private let test: ConversionCase

  init() throws { test = try ConversionCase() }

  @Test func sourceThatIsNothingKnown() throws {
    try test.refuses(
      "expected a GGUF file", source: test.folder.write(Array("hello, world".utf8), "x"))
    try test.refuses("expected a GGUF file", source: test.folder.write([], "y"))
    try test.refuses("cannot be opened", source: test.folder.file("missing"))
  }

  @Test func sourceThatIsAWeightFileAlready() throws {
    try SmallModel().write(to: test.folder)
    let path = try test.convert().path
    let error = #expect(throws: WeightError.self) { _ = try AnyModelSource.open(path) }
    #expect(error?.problem == "is an .imprint file already")
  }

  @Test(arguments: ["model.safetensors", "config.json", "link"])
  func outputThatIsTheSource(_ name: String) throws {
    try SmallModel().write(to: test.folder)
    try FileManager.default.createSymbolicLink(
      atPath: test.folder.file("link"), withDestinationPath: test.folder.file("model.safetensors"))
    let before = try Data(contentsOf: URL(filePath: test.folder.file("model.safetensors")))
    let source = try AnyModelSource.open(test.folder.path)
    let error = #expect(throws: WeightError.self) {
      _ = try Converter(output: test.folder.file(name)).convert(source)
    }
    #expect(error?.problem.hasPrefix("is the same file as the source") == true)
    #expect(try Data(contentsOf: URL(filePath: test.folder.file("model.safetensors"))) == before)
    #expect(test.folder.names == ["config.json", "link", "model.safetensors"])
  }

  @Test func outputThatIsAFolder() throws {
    try SmallModel().write(to: test.folder)
    let error = #expect(throws: WeightError.self) {
      _ = try Converter(output: test.output.path).convert(AnyModelSource.open(test.folder.path))
    }
    #expect(error?.problem == "is a folder: expected the path of a file")
  }

  @Test func anOlderOutputIsReplacedWholly() throws {
    let model = SmallModel(seed: 2)
    try SmallModel(seed: 1).write(to: test.folder)
    _ = try test.convert()
    try model.write(to: test.folder)
    try test.expectSame(test.convert(), model)
    #expect(test.output.names == ["model.imprint"])
  }

  @Test func progressGoesToTheEnd() throws {
    try SmallModel().write(to: test.folder)
    var seen: [(Int, Int)] = []
    let summary = try Converter(output: test.output.file("model.imprint")).convert(
      AnyModelSource.open(test.folder.path)
    ) { seen.append(($0, $1)) }
    #expect(zip(seen, seen.dropFirst()).allSatisfy { $0.0 < $1.0 })
    #expect(seen.last?.0 == summary.written.rawBytes && seen.last?.1 == summary.written.rawBytes)
    #expect(summary.tensors == 20 && !summary.hasTokenizer && summary.peakAnonymous > 0)
  }
}
