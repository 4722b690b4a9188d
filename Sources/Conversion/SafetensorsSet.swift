import Foundation
import Weights

/// The safetensors files of a model: one, or shards and the index that says which tensor is where.
struct SafetensorsSet {
  /// Where the files are, and the index.
  let paths: [String]
  /// The names of all tensors, file after file.
  let names: [String]
  private let places: [String: SafetensorsFile]

  private struct Index: Decodable {
    var weight_map: [String: String]
  }

  /// The files of `folder`, or only `file`.
  ///
  /// Throws ``WeightError`` where there are none, one is damaged, or the index and the shards do not
  /// agree about a tensor.
  init(folder: String, file: String?) throws(WeightError) {
    let single = file ?? folder + "/model.safetensors"
    let indexPath = folder + "/model.safetensors.index.json"
    if file != nil || FileManager.default.fileExists(atPath: single) {
      try self.init([SafetensorsFile(path: single)], paths: [single])
      return
    }
    guard FileManager.default.fileExists(atPath: indexPath) else {
      throw WeightError(
        path: folder, "has neither model.safetensors nor model.safetensors.index.json")
    }
    let index: Index
    do {
      index = try JSONDecoder().decode(
        Index.self, from: Data(contentsOf: URL(filePath: indexPath)))
    } catch {
      throw WeightError(
        path: indexPath, "expected an object with 'weight_map', tensor names to file names")
    }
    var shards: [SafetensorsFile] = []
    for name in Set(index.weight_map.values).sorted() {
      guard !name.isEmpty, !name.contains("/"), !name.contains("\0") else {
        throw WeightError(path: indexPath, "weight_map: '\(name)' is not a file of the folder")
      }
      shards.append(try SafetensorsFile(path: "\(folder)/\(name)"))
    }
    try self.init(shards, paths: shards.map(\.path) + [indexPath])
    for (tensor, name) in index.weight_map.sorted(by: { $0.key < $1.key }) {
      guard places[tensor]?.path == "\(folder)/\(name)" else {
        throw WeightError(path: indexPath, "weight_map: tensor '\(tensor)' is not in '\(name)'")
      }
    }
  }

  private init(_ files: [SafetensorsFile], paths: [String]) throws(WeightError) {
    var places: [String: SafetensorsFile] = [:]
    for file in files {
      for name in file.names {
        if let other = places.updateValue(file, forKey: name) {
          throw WeightError(path: file.path, "tensor '\(name)' is in \(other.path), too")
        }
      }
    }
    self.places = places
    self.paths = paths
    names = files.flatMap(\.names)
  }

  /// A tensor and the file that it is in.
  func find(_ name: String) -> (file: SafetensorsFile, tensor: SafetensorsTensor)? {
    guard let file = places[name], let tensor = file.tensors[name] else { return nil }
    return (file, tensor)
  }
}
