public import Operations
public import Storage
public import Weights

/// The sizes that an engine's shared buffers must hold.
public struct EngineLimits: Sendable {
  /// The most rows T of a pass without tangents.
  public var rows: Int
  /// The most rows T of a pass with tangents.
  public var tangentRows: Int
  /// The longest sequence.
  public var sequence: Int
  /// The largest rank of an update that is no adapter: the tokens of a full-rank inner step.
  public var updateRank: Int
  /// The largest rank of the adapter.
  public var adapterRank: Int
  /// How many scored rows have their logits in memory at once.
  public var logitRows: Int
  /// Whether passes leave out some of the inputs of adapters.
  public var dropout: Bool
  /// Whether pages of weights leave the process' memory when they have been used.
  public var letsGo: Bool

  /// All sizes.
  public init(
    rows: Int, tangentRows: Int, sequence: Int, updateRank: Int, adapterRank: Int, logitRows: Int,
    dropout: Bool = false, letsGo: Bool = false
  ) {
    self.rows = rows
    self.tangentRows = tangentRows
    self.sequence = sequence
    self.updateRank = updateRank
    self.adapterRank = adapterRank
    self.logitRows = logitRows
    self.dropout = dropout
    self.letsGo = letsGo
  }

  /// Rows of both lanes together.
  var stackedRows: Int { max(rows, 2 * tangentRows) }
}

/// The base model with the buffers that all sweeps share: those of one block, of one chunk of
/// logits and of the workers.
public final class LlamaEngine<S: Kernel>: @unchecked Sendable {
  /// The weights that sweeps run on.
  public private(set) var weights: LlamaWeights<S>
  /// The threads.
  public let workers: Workers
  /// What the buffers hold.
  public let limits: EngineLimits
  private let arena: Arena
  let linear: TiledLinear<S>
  let rotary: RotaryTable<S>
  let attentionShape: AttentionShape
  let epsilon: S

  /// Activations of the block in work, both lanes.
  let activations: BlockActivations<S>
  /// Gradients of the block in work, both lanes.
  let deltas: BlockDeltas<S>
  /// Gradients of block outputs, in turn, both lanes.
  let carried: [Matrix<S>]
  /// Gradients of keys and values by query head, (H · rows, d), both lanes.
  let keyHeads: Matrix<S>
  let valueHeads: Matrix<S>
  let attentionScratch: [AttentionScratch<S>]
  /// Per worker, for products of updates.
  let updateScratch: [Matrix<S>]
  /// (rows, D) and (1, D), for gradients of norms.
  let normScratch: Matrix<S>
  let normGradient: Matrix<S>
  /// One linear's input without what dropout leaves out, (rows · the widest input).
  private let maskedInput: Matrix<S>?
  let head: HeadBuffers<S>
  /// The sweep and block whose primal activations are in ``activations``.
  var holder: (sweep: ObjectIdentifier, layer: Int)?

  /// An engine whose buffers come from `arena`; `other` weights may take the place of `weights` for
  /// a while.
  public init(
    weights: LlamaWeights<S>, other: LlamaWeights<S>? = nil, workers: Workers,
    limits: EngineLimits, arena: Arena
  ) {
    let architecture = weights.architecture
    let rows = limits.stackedRows
    self.weights = weights
    self.workers = workers
    self.limits = limits
    self.arena = arena
    epsilon = S(architecture.rmsNormEps)
    attentionShape = AttentionShape(
      heads: architecture.numAttentionHeads, kvHeads: architecture.numKeyValueHeads,
      headDim: architecture.headDim)
    rotary = RotaryTable(
      positions: limits.sequence, headDim: architecture.headDim, theta: architecture.ropeTheta,
      scaling: architecture.ropeScaling)
    let widest = max(
      architecture.hiddenSize, architecture.intermediateSize,
      architecture.numAttentionHeads * architecture.headDim)
    linear = TiledLinear(
      workers: workers,
      limits: .init(
        weights: weights.matrices + (other?.matrices ?? []),
        rows: max(rows, 2 * limits.logitRows), maxInput: widest, letsGo: limits.letsGo),
      arena: arena)
    activations = BlockActivations(
      rows: rows, architecture: architecture, adapterRank: limits.adapterRank, arena: arena,
      for: .block)
    deltas = BlockDeltas(
      rows: rows, architecture: architecture, adapterRank: limits.adapterRank, arena: arena,
      for: .block)
    carried = (0..<2).map { _ in arena.matrix(rows, architecture.hiddenSize, for: .block) }
    let headRows = architecture.numAttentionHeads * limits.stackedRows
    keyHeads = arena.matrix(headRows, architecture.headDim, for: .block)
    valueHeads = arena.matrix(headRows, architecture.headDim, for: .block)
    attentionScratch = (0..<workers.count).map { _ in
      AttentionScratch(
        rows: limits.sequence, arena: arena)
    }
    let chunk = (max(limits.rows, limits.tangentRows) + workers.count - 1) / workers.count + 8
    // With dropout, room for 16 masked rows at a time.
    let masked = limits.dropout ? 16 * widest : 0
    updateScratch = (0..<workers.count).map { _ in
      arena.matrix(1, max(1, chunk * limits.updateRank, masked), for: .scratch)
    }
    maskedInput = limits.dropout ? arena.matrix(1, limits.rows * widest, for: .scratch) : nil
    normScratch = arena.matrix(
      max(limits.rows, limits.tangentRows, limits.logitRows), architecture.hiddenSize, for: .block)
    normGradient = arena.matrix(1, architecture.hiddenSize, for: .block)
    head = HeadBuffers(rows: limits.logitRows, architecture: architecture, arena: arena)
  }

  /// Runs `body` with `other` weights of the same shape in place of ``weights``.
  public func with(
    _ other: LlamaWeights<S>, _ body: () throws(WeightError) -> Void
  ) throws(WeightError) {
    let own = weights
    weights = other
    defer { weights = own }
    try body()
  }

  /// `input` with the elements of `rows` that `mask` keeps, scaled; other rows mean nothing.
  func masked(_ input: Matrix<S>, rows: Range<Int>, by mask: DropoutMask) -> Matrix<S> {
    guard let maskedInput else { preconditionFailure("the limits of the engine have no dropout") }
    let result = maskedInput.reshaped(rows: input.rows, columns: input.columns)
    workers.split(rows.count, grain: 4) { part, _ in
      let range = rows.lowerBound + part.lowerBound..<rows.lowerBound + part.upperBound
      mask.forward(x: input.rows(range), rows: range, y: result.rows(range))
    }
    return result
  }

  /// Ends the pass where the process was interrupted. Called once a block, costs one load.
  func noticeInterruption() throws(WeightError) {
    if Interruption.isRequested { throw WeightError(path: "pass", Interruption.problem) }
  }

  /// The shared activations cut to `rows` rows a lane.
  func sharedLane(_ buffers: BlockActivations<S>, rows: Int, tangents: Bool)
    -> Lane<BlockActivations<S>>
  {
    guard tangents else { return Lane(buffers.rows(0..<rows)) }
    return Lane(
      buffers.rows(0..<rows), tangent: buffers.rows(rows..<2 * rows),
      stacked: buffers.rows(0..<2 * rows))
  }

  func sharedLane(_ buffer: Matrix<S>, rows: Int, tangents: Bool) -> Lane<Matrix<S>> {
    guard tangents else { return Lane(buffer.rows(0..<rows)) }
    return Lane(
      buffer.rows(0..<rows), tangent: buffer.rows(rows..<2 * rows),
      stacked: buffer.rows(0..<2 * rows))
  }
}

/// Buffers of one chunk of C scored rows, both lanes.
struct HeadBuffers<S: Kernel>: Sendable {
  /// Rows of the last block's output, (2 C, D).
  let input: Matrix<S>
  /// Their norm, (2 C, D).
  let normed: Matrix<S>
  /// (2 C, V).
  let logits: Matrix<S>
  /// Gradients of ``normed``, (2 C, D).
  let normedDelta: Matrix<S>
  /// Gradients of ``input``, (2 C, D).
  let inputDelta: Matrix<S>
  let rows: Int

  init(rows: Int, architecture: Architecture, arena: Arena) {
    self.rows = rows
    func make(_ columns: Int, _ component: MemoryComponent) -> Matrix<S> {
      arena.matrix(2 * rows, columns, for: component)
    }
    input = make(architecture.hiddenSize, .block)
    normed = make(architecture.hiddenSize, .block)
    logits = make(architecture.vocabSize, .logits)
    normedDelta = make(architecture.hiddenSize, .block)
    inputDelta = make(architecture.hiddenSize, .block)
  }

  func lane(_ buffer: Matrix<S>, count: Int, tangents: Bool) -> Lane<Matrix<S>> {
    guard tangents else { return Lane(buffer.rows(0..<count)) }
    return Lane(
      buffer.rows(0..<count), tangent: buffer.rows(count..<2 * count),
      stacked: buffer.rows(0..<2 * count))
  }
}
