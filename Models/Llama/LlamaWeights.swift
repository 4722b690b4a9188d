import LoRA
public import Operations
public import Storage
public import Weights

/// The base weights of a Llama-family model: matrices that are decoded when they are used, and
/// small vectors that are held.
public final class LlamaWeights<S: Kernel>: @unchecked Sendable {
  /// The weights of one block.
  public struct Block: Sendable {
    /// The seven linears, indexed by ``LinearKind/index``.
    public let linears: [any WeightMatrix]
    /// Biases of q, k and v, (1, out), where the model has them.
    public let biases: [Matrix<S>?]
    /// RMSNorm's weight before attention, (1, D).
    public let inputNorm: Matrix<S>
    /// RMSNorm's weight before the feed-forward layer, (1, D).
    public let postNorm: Matrix<S>
  }

  /// The shape of the model.
  public let architecture: Architecture
  /// Token embeddings, (V, D).
  public let embedding: any WeightMatrix
  /// The blocks in order.
  public let blocks: [Block]
  /// RMSNorm's weight before the head, (1, D).
  public let norm: Matrix<S>
  /// The LM head, (V, D): the embedding itself where the two are tied.
  public let head: any WeightMatrix
  private let arena: Arena

  /// Looks up every tensor of `architecture` and reads the vectors.
  ///
  /// `lookup` gives the matrix of a name in Hugging Face's spelling and throws where it is missing.
  public init(
    architecture: Architecture,
    lookup: (String) throws(WeightError) -> any WeightMatrix
  ) throws(WeightError) {
    let arena = Arena()
    func matrix(_ name: String, _ rows: Int, _ columns: Int) throws(WeightError)
      -> any WeightMatrix
    {
      let weight = try lookup(name)
      guard weight.rows == rows, weight.columns == columns else {
        throw WeightError(
          path: weight.name,
          "expected shape (\(rows), \(columns)), found (\(weight.rows), \(weight.columns))")
      }
      return weight
    }
    func vector(_ name: String, _ columns: Int) throws(WeightError) -> Matrix<S> {
      let weight = try matrix(name, 1, columns)
      let result: Matrix<S> = arena.matrix(1, columns, for: .scratch)
      let scratch = UnsafeMutableRawBufferPointer.allocate(
        byteCount: max(1, weight.scratchBytes), alignment: 64)
      defer { scratch.deallocate() }
      let values = UnsafeMutablePointer<Float>.allocate(capacity: columns)
      defer { values.deallocate() }
      try weight.decode(rows: 0..<1, into: values, scratch: scratch)
      for index in 0..<columns { result.pointer[index] = S(values[index]) }
      return result
    }
    let hidden = architecture.hiddenSize
    embedding = try matrix("model.embed_tokens.weight", architecture.vocabSize, hidden)
    head =
      architecture.tieWordEmbeddings
      ? embedding : try matrix("lm_head.weight", architecture.vocabSize, hidden)
    norm = try vector("model.norm.weight", hidden)
    var blocks: [Block] = []
    for layer in 0..<architecture.numHiddenLayers {
      let prefix = "model.layers.\(layer)."
      var linears: [any WeightMatrix] = []
      var biases: [Matrix<S>?] = []
      for kind in LinearKind.allCases {
        let (input, output) = kind.shape(in: architecture)
        linears.append(try matrix(prefix + kind.rawValue + ".weight", output, input))
        let hasBias =
          architecture.attentionBias && [.query, .key, .value].contains(kind)
        biases.append(hasBias ? try vector(prefix + kind.rawValue + ".bias", output) : nil)
      }
      blocks.append(
        Block(
          linears: linears, biases: biases,
          inputNorm: try vector(prefix + "input_layernorm.weight", hidden),
          postNorm: try vector(prefix + "post_attention_layernorm.weight", hidden)))
    }
    self.architecture = architecture
    self.blocks = blocks
    self.arena = arena
  }

  /// Weights that are views of other buffers.
  init(
    architecture: Architecture, embedding: any WeightMatrix, blocks: [Block], norm: Matrix<S>,
    head: any WeightMatrix
  ) {
    self.architecture = architecture
    self.embedding = embedding
    self.blocks = blocks
    self.norm = norm
    self.head = head
    arena = Arena()
  }

  /// A matrix; nil for vectors and for the head of a tied model.
  public func matrix(_ key: ParameterKey) -> (any WeightMatrix)? {
    switch key {
    case .embedding: embedding
    case .linear(let layer, let kind): blocks[layer].linears[kind.index]
    case .head: architecture.tieWordEmbeddings ? nil : head
    case .bias, .inputNorm, .postNorm, .norm: nil
    }
  }

  /// A vector, (1, n); nil for matrices and for biases that the model has not.
  public func vector(_ key: ParameterKey) -> Matrix<S>? {
    switch key {
    case .bias(let layer, let kind): blocks[layer].biases[kind.index]
    case .inputNorm(let layer): blocks[layer].inputNorm
    case .postNorm(let layer): blocks[layer].postNorm
    case .norm: norm
    case .embedding, .linear, .head: nil
    }
  }

  /// Every matrix that is decoded tile by tile.
  public var matrices: [any WeightMatrix] { [embedding, head] + blocks.flatMap(\.linears) }
}
