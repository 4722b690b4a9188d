import Operations
public import Weights

extension LlamaWeights {
  /// The weights in a weight file: matrices stay mapped, norms are read.
  ///
  /// Throws ``WeightError`` where a tensor is missing, of another shape, or damaged.
  public convenience init(file: WeightFile) throws(WeightError) {
    try self.init(architecture: file.architecture) { (name) throws(WeightError) in
      try file.tensor(name)
    }
  }
}
