import LoRA
public import Operations
import Storage
import Weights

extension LlamaWeights where S == Float {
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
