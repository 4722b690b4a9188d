import Weights

/// A file with the tensors of an adapter.
protocol AdapterSource {
  /// Where it is.
  var path: String { get }
  /// The shape of a tensor, slowest first. Throws ``WeightError`` where it is missing.
  func shape(of name: String) throws(WeightError) -> [Int]
  /// The elements of a tensor as f32.
  func floats(_ name: String) throws(WeightError) -> [Float]
  /// Throws ``WeightError`` where the adapter is for models of another kind.
  func check(_ architecture: Architecture) throws(WeightError)
  /// Where the file has a row of the tensor with the short name `name`.
  func row(_ row: Int, of name: String, in architecture: Architecture) -> Int
}

extension SafetensorsFile: AdapterSource {
  func shape(of name: String) throws(WeightError) -> [Int] { try tensor(name).shape }
  func check(_ architecture: Architecture) {}
  func row(_ row: Int, of name: String, in architecture: Architecture) -> Int { row }

  /// By short name: the name in the file.
  func shortNames() throws(WeightError) -> [String: String] {
    var names: [String: String] = [:]
    for name in tensors.keys {
      var short = name
      for prefix in ["base_model.model.model.", "base_model.model.", "model."]
      where short.hasPrefix(prefix) {
        short.removeFirst(prefix.count)
        break
      }
      if short.hasSuffix(".weight") { short.removeLast(7) }
      guard names.updateValue(name, forKey: short) == nil else {
        throw WeightError(path: path, "tensor '\(short)' appears under two names")
      }
    }
    return names
  }
}
