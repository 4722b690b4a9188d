public import Llama
public import LoRA
public import Operations
public import Storage
public import Weights

/// The sizes that a meta-gradient's buffers must hold.
public struct MetaLimits: Sendable {
  /// How many adapted models one sweep over the weights carries.
  public var groups: Int
  /// The most rows of an inner pass over them.
  public var innerRows: Int
  /// The most rows of an outer pass, or of another loss.
  public var outerRows: Int
  /// The most scored rows of an outer pass.
  public var scoredRows: Int
  /// The longest sequence.
  public var sequence: Int
  /// Scored rows whose logits are in memory at once.
  public var logitRows: Int
  /// Tokens of the key-value cache; 0 for none, where no answers are decoded and no context is shared.
  public var cachedTokens: Int
  /// The most tokens of greedy answers; 0 where none are decoded.
  public var answerTokens: Int
  /// Whether losses of θ leave out some of the inputs of the adapter.
  public var dropout: Bool
  /// Rows of all inner passes whose gradients a full inner step sums; 0 for those of one pass.
  public var factorRows: Int
  /// Whether φ′ of a sweep's first group is held where the gradient goes (LoRA inner). That takes
  /// an adapter less, where a whole step is one sweep: what the gradient held before is lost.
  public var sharesGradient: Bool

  /// All sizes.
  public init(
    groups: Int, innerRows: Int, outerRows: Int, scoredRows: Int, sequence: Int, logitRows: Int,
    cachedTokens: Int = 0, answerTokens: Int = 0, dropout: Bool = false, factorRows: Int = 0,
    sharesGradient: Bool = false
  ) {
    self.groups = groups
    self.innerRows = innerRows
    self.outerRows = outerRows
    self.scoredRows = scoredRows
    self.sequence = sequence
    self.logitRows = logitRows
    self.cachedTokens = cachedTokens
    self.answerTokens = answerTokens
    self.dropout = dropout
    self.factorRows = factorRows
    self.sharesGradient = sharesGradient
  }
}

/// The exact gradient, in what the outer loop trains, of the loss after an inner step.
///
/// Typical flow:
///
///     let meta = MetaGradient(weights: weights, adapter: adapter, …)
///     let results = try meta.accumulate(groups, into: gradient)
///     try meta.accumulate(examples, into: gradient)         // other losses of θ
///
/// With v = ∂L_out/∂θ′, H the Hessian of the inner loss at θ and D the inner rates (η for all, or a
/// learned one for each tensor), θ′ = θ − D ∂L_in/∂θ and ∂L_out/∂θ = v − H D v: four sweeps over the
/// layers by forward over reverse, see `Docs/method.md`.
public final class MetaGradient<S: Kernel>: @unchecked Sendable {
  /// What a group's pass has found.
  public struct GroupResult: Sendable {
    /// Mean loss of its contexts before the inner step.
    public var innerLoss: Double
    /// Its mean outer loss.
    public var outerLoss: Double
  }

  /// The choices.
  public let configuration: MetaConfiguration
  /// The adapter, φ; of no linears where the outer loop trains every parameter.
  public let adapter: AdapterTensors<S>
  /// The model and shared buffers.
  public let engine: LlamaEngine<S>
  /// The sizes.
  public let limits: MetaLimits
  /// D: the inner step's learning rates.
  public let rates: InnerRates<S>
  /// What the phases have taken so far.
  public internal(set) var times = PhaseTimes()
  let inner: Sweep<S>
  let outer: Sweep<S>
  /// By inner step, by group: φ after that many inner steps (LoRA inner). On the way back v takes the
  /// place of the last.
  let adapted: [[AdapterTensors<S>]]
  /// By group: ⟨v, φ′⟩ of A, and of B, of every entry, where inner rates are learned (LoRA inner).
  let products: [Matrix<S>]
  private let arena: Arena
  let teacherRows: Matrix<S>?
  let innerFactors: FactorStore<S>?
  let outerFactors: FactorStore<S>?
  /// What answers are decoded with, and shared contexts stand in.
  let cache: KeyValueCache<S>?
  let teacherWeights: LlamaWeights<S>

  /// Buffers for `limits` from `arena`.
  ///
  /// `teacherWeights` are those of the frozen base where `weights` are trained.
  public init(
    weights: LlamaWeights<S>, teacherWeights: LlamaWeights<S>? = nil, adapter: AdapterTensors<S>,
    configuration: MetaConfiguration,
    limits: MetaLimits, policy: KeepPolicy, workers: Workers, arena: Arena
  ) {
    let full = configuration.inner == .full
    // Without groups there is no inner step.
    let factors = full && limits.groups > 0
    let second = configuration.order == .second
    self.configuration = configuration
    self.adapter = adapter
    self.limits = limits
    self.arena = arena
    let adapterRank = adapter.layout.maxRank
    self.teacherWeights = teacherWeights ?? weights
    rates = InnerRates(
      configuration, adapter: adapter.layout, architecture: weights.architecture, arena: arena)
    engine = LlamaEngine(
      weights: weights, other: teacherWeights, workers: workers,
      limits: EngineLimits(
        rows: max(limits.outerRows, second ? 0 : limits.innerRows),
        tangentRows: second ? limits.innerRows : 0, sequence: limits.sequence,
        updateRank: factors ? max(limits.innerRows, limits.outerRows) : 0,
        adapterRank: adapterRank, logitRows: limits.logitRows, dropout: limits.dropout,
        // Where nothing is kept, memory counts; decoding answers comes back to all weights too often.
        letsGo: policy.activations == 0 && limits.answerTokens == 0),
      arena: arena)
    // The outer pass is over when tangents of the inner one begin.
    let rows = max(limits.outerRows, second ? limits.innerRows : 0)
    let residuals: [Matrix<S>] = (0...weights.architecture.numHiddenLayers).map { _ in
      arena.matrix(rows, weights.architecture.hiddenSize, for: .kept)
    }
    inner = Sweep(
      engine: engine, capacity: limits.innerRows, hasTangents: second,
      policy: limits.innerRows > 0 ? policy : .lean, tangents: residuals, arena: arena)
    outer = Sweep(
      engine: engine, capacity: limits.outerRows, hasTangents: false,
      policy: KeepPolicy(activations: policy.activations), residuals: residuals, arena: arena)
    let lastStep = configuration.innerSteps - 1
    adapted =
      full
      ? []
      : (0...lastStep).map { step in
        (0..<limits.groups).map { group in
          let isShared = limits.sharesGradient && step == lastStep && group == 0
          return AdapterTensors(
            layout: adapter.layout, arena: arena, for: isShared ? .gradient : .innerStep)
        }
      }
    let entries = adapter.layout.entries.count
    products =
      !full && configuration.learnsInnerRates
      ? (0..<limits.groups).map { _ in arena.matrix(1, entries, for: .innerStep) } : []
    teacherRows =
      configuration.target == .teacher
      ? arena.matrix(limits.scoredRows, weights.architecture.hiddenSize, for: .innerStep) : nil
    func store(_ rows: Int, _ scored: Int) -> FactorStore<S> {
      FactorStore(
        parameters: configuration.innerParameters, weights: weights,
        limits: .init(rows: rows, scored: scored, groups: limits.groups),
        storage: configuration.factorStorage, arena: arena)
    }
    let innerRows = max(limits.innerRows, limits.factorRows)
    innerFactors = factors ? store(innerRows, innerRows) : nil
    outerFactors =
      factors && (second || configuration.learnsInnerRates)
      ? store(limits.outerRows, limits.scoredRows) : nil
    cache =
      limits.cachedTokens == 0
      ? nil
      : KeyValueCache(
        architecture: weights.architecture, tokens: limits.cachedTokens,
        keepsLayers: limits.answerTokens > 0, arena: arena)
  }

  var layers: Int { engine.weights.architecture.numHiddenLayers }

  /// Where the gradient is to be summed, where the limits share it.
  public var sharedGradient: AdapterTensors<S>? {
    limits.sharesGradient ? adapted.last?.first : nil
  }

  /// gradient += weight · Σ over groups of ∂(outer loss)/∂(what is trained); where it is
  /// ``sharedGradient``, what was in it is lost.
  ///
  /// Throws ``WeightError`` where a base weight cannot be read.
  public func accumulate(
    _ groups: [TaskGroup], weight: Double, into gradient: OuterGradient<S>
  ) throws(WeightError) -> [GroupResult] {
    let innerPlan = GroupedBatch(contextsOf: groups)
    let outerPlan = GroupedBatch(queriesOf: groups, target: configuration.target, weight: weight)
    let innerLosses = try adapt(innerPlan)
    let teacher = try timed(.teacher) { () throws(WeightError) in try teach(groups) }
    outer.begin(outerPlan.batch, parameters: adaptedParameters(for: outerPlan))
    outer.teacher = teacher
    try timed(.outerForward) { () throws(WeightError) in try outer.forward() }
    switch configuration.inner {
    case .lora: try followAdapter(innerPlan, outerPlan, into: gradient)
    case .full: try followFactors(innerPlan, outerPlan, into: gradient)
    }
    return zip(innerLosses, outerPlan.losses(outer)).map {
      GroupResult(innerLoss: $0, outerLoss: $1 / weight)
    }
  }

  /// The same for an adapter alone.
  public func accumulate(
    _ groups: [TaskGroup], weight: Double, into gradient: AdapterTensors<S>
  ) throws(WeightError) -> [GroupResult] {
    try accumulate(groups, weight: weight, into: OuterGradient(adapter: gradient))
  }

  // MARK: The inner step

  /// Takes the inner steps of every group, from θ or, where `isLater`, from where the last ones
  /// ended. Returns each group's loss before the first.
  @discardableResult
  func adapt(_ plan: GroupedBatch, isLater: Bool = false) throws(WeightError) -> [Double] {
    var first: [Double] = []
    for step in 0..<configuration.innerSteps {
      inner.begin(plan.batch, parameters: innerParameters(plan, step: step, isLater: isLater))
      try timed(.innerForward) { () throws(WeightError) in try inner.forward() }
      innerFactors?.begin(groups: plan.groups, isLater: isLater)
      try timed(.innerBackward) { () throws(WeightError) in
        try inner.backward(into: innerCollector(plan, step: step, isLater: isLater))
      }
      if step == 0 { first = plan.losses(inner) }
    }
    return first
  }

  /// The adapter that `step` starts from: φ, or where the last inner steps ended.
  private func start(_ index: Int, step: Int, isLater: Bool) -> AdapterTensors<S> {
    step > 0 ? adapted[step - 1][index] : isLater ? adapted[lastStep][index] : adapter
  }

  var lastStep: Int { configuration.innerSteps - 1 }

  private func innerCollector(
    _ plan: GroupedBatch, step: Int, isLater: Bool
  ) -> GradientCollector<S> {
    if let innerFactors { return GradientCollector(factors: innerFactors) }
    return GradientCollector(
      adapters: plan.groups.enumerated().map { index, group in
        let start = start(index, step: step, isLater: isLater)
        let result = adapted[step][index]
        if result.flat.pointer != start.flat.pointer {
          engine.workers.split(result.flat.count, grain: 1024) { part, _ in
            result.flat.columns(part).copy(from: start.flat.columns(part))
          }
        }
        return AdapterSink(rows: group.rows, gradient: result, scale: adapterRates(-1))
      })
  }

  /// `sign` · η of every tensor of the adapter.
  func adapterRates(_ sign: S) -> AdapterSink<S>.Scale {
    guard configuration.learnsInnerRates else { return .all(sign * rates[0]) }
    return .each(
      adapter.layout.entries.indices.map {
        (down: sign * rates[2 * $0], up: sign * rates[2 * $0 + 1])
      })
  }

  func innerParameters(
    _ plan: GroupedBatch, step: Int, isLater: Bool = false
  ) -> ParameterChange<S> {
    if step == 0, !isLater { return unadaptedParameters(rows: plan.batch.count) }
    if innerFactors != nil { return adaptedParameters(for: plan) }
    var change = ParameterChange<S>(layers: layers)
    for (index, group) in plan.groups.enumerated() {
      change.add(start(index, step: step, isLater: isLater), rows: group.rows)
    }
    return change
  }

  func unadaptedParameters(rows: Int, dropout: AdapterDropout? = nil) -> ParameterChange<S> {
    var change = ParameterChange<S>(layers: layers)
    change.add(adapter, rows: 0..<rows, dropout: dropout)
    return change
  }

  /// θ′ of every group, for the rows that `plan` asks of it.
  func adaptedParameters(for plan: GroupedBatch) -> ParameterChange<S> {
    adaptedParameters(for: plan.groups.enumerated().map { ($0, $1.rows, $1.scored) })
  }

  /// θ′ of a group, or θ, for consecutive rows and scored rows.
  func adaptedParameters(
    for spans: [(group: Int?, rows: Range<Int>, scored: Range<Int>)]
  ) -> ParameterChange<S> {
    guard let innerFactors else {
      var change = ParameterChange<S>(layers: layers)
      for span in spans {
        let tensors = span.group.map { adapted[lastStep][$0] } ?? adapter
        change.add(tensors, rows: span.rows)
      }
      return change
    }
    var change = unadaptedParameters(rows: spans.last?.rows.upperBound ?? 0)
    for span in spans {
      guard let group = span.group else { continue }
      innerFactors.add(
        to: &change, group: group, rows: span.rows, scored: span.scored
      ) { -rates.rate(of: $0) }
    }
    return change
  }
}
