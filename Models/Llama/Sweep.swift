import LoRA
public import Operations
public import Storage
public import Weights

/// What is kept between the passes of a meta-step; the rest is computed again when it is needed.
public struct KeepPolicy: Equatable, Sendable {
  /// Blocks that keep their activations.
  public var activations: Int
  /// Blocks that keep their gradients for the tangent pass.
  public var deltas: Int
  /// Blocks that keep their activations' tangents.
  public var tangents: Int
  /// Whether the gradient of the logits is kept for the tangent pass.
  public var head: Bool

  /// Counts of blocks, the first ones.
  public init(activations: Int, deltas: Int = 0, tangents: Int = 0, head: Bool = false) {
    self.activations = activations
    self.deltas = deltas
    self.tangents = tangents
    self.head = head
  }

  /// Only the inputs of the blocks are kept.
  public static let lean = KeepPolicy(activations: 0)
  /// Everything is kept.
  public static func all(layers: Int) -> KeepPolicy {
    KeepPolicy(activations: layers, deltas: layers, tangents: layers, head: true)
  }
}

/// One pass of a batch through the model: forward, backward and, where it has them, their tangents.
///
/// Usage: ``begin(_:parameters:)``, ``forward()``, ``backward(into:)``, and for a Hessian product
/// ``tangent(along:into:)``. Between them the sweep keeps each block's input and what its policy
/// says. The loss is the weighted negative log-likelihood of the batch's scored rows.
public final class Sweep<S: Kernel>: @unchecked Sendable {
  /// The model and the shared buffers.
  public let engine: LlamaEngine<S>
  /// The most rows of a batch.
  public let capacity: Int
  /// Whether the sweep can do tangents.
  public let hasTangents: Bool
  /// What is kept.
  public let policy: KeepPolicy

  /// The batch in work.
  public internal(set) var batch = TokenBatch()
  /// The change of the parameters that the pass runs under.
  var parameters: ParameterChange<S>
  /// The direction of the tangents.
  var direction: ParameterChange<S>?
  var norms: ResolvedNorms<S>
  /// Keys and values of all sequences: attention goes over what stands before a segment there.
  var cache: KeyValueCache<S>?
  /// The teacher at the scored rows: with it the loss is Σ weight · KL(teacher ‖ model) instead of the negative log-likelihood. ``begin(_:parameters:)`` removes it.
  public var teacher: Teacher?

  /// What the head of another model reads at the scored rows.
  public struct Teacher: Sendable {
    /// Its final norm, shape (n, D).
    public let normed: Matrix<S>
    /// Its head, shape (V, D).
    public let head: any WeightMatrix

    /// All values.
    public init(normed: Matrix<S>, head: any WeightMatrix) {
      self.normed = normed
      self.head = head
    }
  }
  /// −log P of each scored row, filled by the loss.
  public internal(set) var losses: [Double] = []
  /// Σ weight · loss.
  public internal(set) var loss = 0.0

  /// Inputs of the blocks and output of the last: L + 1 of (capacity, D).
  let residuals: [Matrix<S>]
  let residualTangents: [Matrix<S>]
  let keptActivations: [BlockActivations<S>]
  let keptTangents: [BlockActivations<S>]
  let keptDeltas: [BlockDeltas<S>]
  /// Gradients of block outputs where deltas are kept, (capacity, D) each.
  let keptOutputDeltas: [Matrix<S>]
  /// Gradients of the logits, (capacity, V), and of the final norm, (capacity, D), where kept.
  let keptHead: (logits: Matrix<S>, normedDelta: Matrix<S>)?
  private let arena: Arena
  let targets: UnsafeMutablePointer<Int32>
  let weights: UnsafeMutablePointer<S>
  let positions: UnsafeMutablePointer<Int32>

  /// A sweep of up to `capacity` rows on `engine`.
  ///
  /// Inputs of blocks, and their tangents, are kept in `residuals` and `tangents` where these are
  /// given: L + 1 of at least (capacity, D). Two sweeps may have them in common where one is over
  /// before the other writes them.
  public init(
    engine: LlamaEngine<S>, capacity: Int, hasTangents: Bool, policy: KeepPolicy,
    residuals: [Matrix<S>]? = nil, tangents: [Matrix<S>]? = nil, arena: Arena
  ) {
    let architecture = engine.weights.architecture
    let layers = architecture.numHiddenLayers
    self.engine = engine
    self.arena = arena
    self.capacity = capacity
    self.hasTangents = hasTangents
    self.policy = policy
    parameters = ParameterChange(layers: layers)
    norms = ResolvedNorms(weights: engine.weights)
    func stash(_ count: Int) -> [Matrix<S>] {
      (0..<count).map { _ in arena.matrix(capacity, architecture.hiddenSize, for: .kept) }
    }
    func block(_ count: Int) -> [BlockActivations<S>] {
      (0..<min(count, layers)).map { _ in
        BlockActivations(
          rows: capacity, architecture: architecture, adapterRank: engine.limits.adapterRank,
          arena: arena, for: .kept)
      }
    }
    self.residuals = residuals ?? stash(layers + 1)
    residualTangents = hasTangents ? tangents ?? stash(layers + 1) : []
    keptActivations = block(policy.activations)
    keptTangents = block(hasTangents ? policy.tangents : 0)
    keptDeltas = block(hasTangents ? policy.deltas : 0)
    keptOutputDeltas = stash(keptDeltas.count)
    keptHead =
      hasTangents && policy.head
      ? (
        arena.matrix(capacity, architecture.vocabSize, for: .kept),
        arena.matrix(capacity, architecture.hiddenSize, for: .kept)
      ) : nil
    targets = arena.bytes(capacity * 4, for: .kept).baseAddress.unsafelyUnwrapped
      .assumingMemoryBound(to: Int32.self)
    positions = arena.bytes(capacity * 4, for: .kept).baseAddress.unsafelyUnwrapped
      .assumingMemoryBound(to: Int32.self)
    weights = arena.bytes(capacity * MemoryLayout<S>.stride, for: .kept).baseAddress
      .unsafelyUnwrapped.assumingMemoryBound(to: S.self)
  }

  var architecture: Architecture { engine.weights.architecture }
  var workers: Workers { engine.workers }
  /// T of the batch in work.
  var rows: Int { batch.count }
  var layers: Int { architecture.numHiddenLayers }

  /// Takes a batch and the change of the parameters that it runs under.
  public func begin(_ batch: TokenBatch, parameters: ParameterChange<S>) {
    precondition(batch.count <= capacity && batch.count > 0)
    precondition(batch.count <= (hasTangents ? engine.limits.tangentRows : engine.limits.rows))
    precondition(parameters.maxRank <= engine.limits.updateRank)
    precondition(parameters.adapterRank <= engine.limits.adapterRank)
    self.batch = batch
    self.parameters = parameters
    direction = nil
    teacher = nil
    norms = ResolvedNorms(
      weights: engine.weights, parameters: parameters, rows: batch.count,
      lossRows: batch.lossRows.count)
    engine.holder = nil
    losses = Array(repeating: 0, count: batch.lossRows.count)
    for (index, position) in batch.positions.enumerated() { positions[index] = position }
    for (index, target) in batch.targets.enumerated() {
      targets[index] = target
      weights[index] = S(batch.weights[index])
    }
  }
}

/// What the model says of one scored row.
public struct Prediction: Sendable, Equatable {
  /// −log P of the target, nats.
  public var negativeLogLikelihood: Double
  /// Whether the target is the likeliest id.
  public var isGreedy: Bool
}
