import LoRA
public import Operations
public import Storage
public import Weights

extension LlamaWeights where S == Float {
  /// The same weights with `count` parts decoded in memory from `arena`: the LM head (with a tied
  /// embedding) first, then the blocks in order.
  ///
  /// An arena that only plans is asked for the memory and nothing is decoded. Throws ``WeightError``
  /// where a block is damaged.
  public func decoded(_ count: Int, arena: Arena) throws(WeightError) -> LlamaWeights<Float> {
    func resident(_ weight: any WeightMatrix) throws(WeightError) -> any WeightMatrix {
      let values: Matrix<Float> = arena.matrix(weight.rows, weight.columns, for: .decoded)
      if !arena.plansOnly { try weight.decode(into: values) }
      return ResidentWeight(name: weight.name, values: values, arena: arena)
    }
    if count == 0 { return self }
    let head = try resident(head)
    var blocks = blocks
    for layer in 0..<min(count - 1, blocks.count) {
      var linears: [any WeightMatrix] = []
      for linear in blocks[layer].linears { linears.append(try resident(linear)) }
      blocks[layer] = Block(
        linears: linears, biases: blocks[layer].biases, inputNorm: blocks[layer].inputNorm,
        postNorm: blocks[layer].postNorm)
    }
    return LlamaWeights(
      architecture: architecture, embedding: architecture.tieWordEmbeddings ? head : embedding,
      blocks: blocks, norm: norm, head: head, keeping: self)
  }

  /// Weights that are the parameters in memory themselves: what changes there, changes here.
  public convenience init(parameters: DenseTensors<Float>) {
    let architecture = parameters.layout.architecture
    func matrix(_ key: ParameterKey) -> ResidentWeight {
      guard let values = parameters[key] else {
        preconditionFailure("the layout holds every parameter")
      }
      return ResidentWeight(name: key.name, values: values)
    }
    func vector(_ key: ParameterKey) -> Matrix<Float> {
      guard let values = parameters[key] else {
        preconditionFailure("the layout holds every parameter")
      }
      return values
    }
    let embedding = matrix(.embedding)
    self.init(
      architecture: architecture, embedding: embedding,
      blocks: (0..<architecture.numHiddenLayers).map { layer in
        Block(
          linears: LinearKind.allCases.map { matrix(.linear(layer: layer, $0)) },
          biases: LinearKind.allCases.map { parameters[.bias(layer: layer, $0)] },
          inputNorm: vector(.inputNorm(layer: layer)), postNorm: vector(.postNorm(layer: layer)))
      }, norm: vector(.norm),
      head: architecture.tieWordEmbeddings ? embedding : matrix(.head))
  }
}
