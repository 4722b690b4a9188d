import Foundation
import Storage
import TestSupport
import Weights

/// A Hugging Face folder of some mebibytes, so that converting it takes a while.
struct BigModel {
  let folder: String

  init(_ parent: TemporaryFolder, vocabulary: Int = 40_000) throws {
    folder = parent.file("big")
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    let config = try String(contentsOfFile: TinyModel.folder + "/config.json", encoding: .utf8)
    try config.replacing("67", with: "\(vocabulary)").write(
      toFile: folder + "/config.json", atomically: false, encoding: .utf8)
    let tiny = try SafetensorsFile(path: TinyModel.folder + "/model.safetensors")
    let embedding = "model.embed_tokens.weight"
    let writer = try SafetensorsWriter(
      path: folder + "/model.safetensors",
      tensors: try tiny.names.map {
        .init(name: $0, shape: $0 == embedding ? [vocabulary, 32] : try tiny.tensor($0).shape)
      })
    var random = SplitMix64(seed: 2)
    for name in tiny.names {
      let values =
        name == embedding
        ? (0..<vocabulary * 32).map { _ in Float(random.uniform() - 0.5) }
        : try tiny.floats(name)
      let bytes = values.flatMap { value in withUnsafeBytes(of: value) { Array($0) } }
      try bytes.withUnsafeBytes { try writer.append($0) }
    }
    try writer.finish()
  }
}
