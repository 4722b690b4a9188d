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

  /// All sizes.
  public init(
    groups: Int, innerRows: Int, outerRows: Int, scoredRows: Int, sequence: Int, logitRows: Int
  ) {
    self.groups = groups
    self.innerRows = innerRows
    self.outerRows = outerRows
    self.scoredRows = scoredRows
    self.sequence = sequence
    self.logitRows = logitRows
  }
}

/// The exact gradient, in the adapter, of the loss after an inner step.
///
/// Typical flow:
///
///     let meta = MetaGradient(weights: weights, adapter: adapter, …)
///     let results = try meta.accumulate(groups, into: gradient)
///     try meta.accumulate(loss: batch, into: gradient)      // another loss of θ
///
/// With v = ∂L_out/∂θ′ and H the Hessian of the inner loss at θ, ∂L_out/∂θ = v − η H v: four sweeps
/// over the layers by forward over reverse, DESIGN in `Docs/method.md`.
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
  /// The trained adapter, φ.
  public let adapter: AdapterTensors<S>
  /// The model and shared buffers.
  public let engine: LlamaEngine<S>
  /// The sizes.
  public let limits: MetaLimits
  let inner: Sweep<S>
  let outer: Sweep<S>
  /// By inner step, by group: φ after that many inner steps (LoRA inner).
  private var adapted: [[AdapterTensors<S>]]
  /// By group: v, and v of the step before where there are several (LoRA inner).
  private var directions: [[AdapterTensors<S>]]
  private let arena: Arena
  private let teacherRows: Matrix<S>?
  private let innerFactors: FactorStore<S>?
  private let outerFactors: FactorStore<S>?

  /// Buffers for `limits` from `arena`.
  public init(
    weights: LlamaWeights<S>, adapter: AdapterTensors<S>, configuration: MetaConfiguration,
    limits: MetaLimits, policy: KeepPolicy, workers: Workers, arena: Arena
  ) {
    let full = configuration.inner == .full
    let second = configuration.order == .second
    self.configuration = configuration
    self.adapter = adapter
    self.limits = limits
    self.arena = arena
    let adapterRank = adapter.layout.maxRank
    engine = LlamaEngine(
      weights: weights, workers: workers,
      limits: EngineLimits(
        rows: max(limits.outerRows, second ? 0 : limits.innerRows),
        tangentRows: second ? limits.innerRows : 0, sequence: limits.sequence,
        updateRank: max(adapterRank, full ? max(limits.innerRows, limits.outerRows) : 0),
        adapterRank: adapterRank, logitRows: limits.logitRows),
      arena: arena)
    inner = Sweep(
      engine: engine, capacity: limits.innerRows, hasTangents: second, policy: policy, arena: arena)
    outer = Sweep(
      engine: engine, capacity: limits.outerRows, hasTangents: false,
      policy: KeepPolicy(activations: policy.activations), arena: arena)
    func tensors(_ count: Int) -> [AdapterTensors<S>] {
      (0..<count).map { _ in
        AdapterTensors(layout: adapter.layout, arena: arena, for: .innerStep)
      }
    }
    adapted = full ? [] : (0..<configuration.innerSteps).map { _ in tensors(limits.groups) }
    directions =
      full ? [] : (0..<(configuration.innerSteps > 1 ? 2 : 1)).map { _ in tensors(limits.groups) }
    teacherRows =
      configuration.target == .teacher
      ? arena.matrix(limits.scoredRows, weights.architecture.hiddenSize, for: .innerStep) : nil
    func store(_ rows: Int, _ scored: Int) -> FactorStore<S> {
      FactorStore(
        parameters: configuration.innerParameters, weights: weights, capacity: rows,
        scored: scored, groups: limits.groups, arena: arena)
    }
    innerFactors = full ? store(limits.innerRows, limits.innerRows) : nil
    outerFactors = full && second ? store(limits.outerRows, limits.scoredRows) : nil
  }

  private var eta: S { S(configuration.innerLearningRate) }
  private var layers: Int { engine.weights.architecture.numHiddenLayers }

  /// gradient += weight · Σ over groups of ∂(outer loss)/∂φ.
  ///
  /// Throws ``WeightError`` where a base weight cannot be read.
  public func accumulate(
    _ groups: [TaskGroup], weight: Double, into gradient: AdapterTensors<S>
  ) throws(WeightError) -> [GroupResult] {
    let innerPlan = GroupedBatch(contextsOf: groups)
    let outerPlan = GroupedBatch(queriesOf: groups, target: configuration.target, weight: weight)
    let innerLosses = try adapt(innerPlan)
    let teacher = try teach(groups)
    outer.begin(outerPlan.batch, parameters: adaptedParameters(for: outerPlan))
    outer.teacher = teacher
    try outer.forward()
    switch configuration.inner {
    case .lora: try followAdapter(innerPlan, outerPlan, into: gradient)
    case .full: try followFactors(innerPlan, outerPlan, into: gradient)
    }
    return zip(innerLosses, outerPlan.losses(outer)).map {
      GroupResult(innerLoss: $0, outerLoss: $1 / weight)
    }
  }

  /// gradient += ∂/∂φ of the weighted loss of `batch` under the unadapted parameters.
  public func accumulate(
    loss batch: TokenBatch, into gradient: AdapterTensors<S>
  ) throws(WeightError) -> Double {
    outer.begin(batch, parameters: unadaptedParameters(rows: batch.count))
    try outer.forward()
    try outer.backward(
      into: GradientCollector(adapters: [
        AdapterSink(
          rows: 0..<batch.count, adapter: adapter, gradient: gradient, scale: .all(1))
      ]))
    return outer.loss
  }

  // MARK: The inner step

  /// Takes the inner steps of every group. Returns each group's loss before the first.
  func adapt(_ plan: GroupedBatch) throws(WeightError) -> [Double] {
    var first: [Double] = []
    for step in 0..<configuration.innerSteps {
      inner.begin(plan.batch, parameters: innerParameters(plan, step: step))
      try inner.forward()
      try inner.backward(into: innerCollector(plan, step: step))
      if step == 0 { first = plan.losses(inner) }
    }
    return first
  }

  private func innerCollector(_ plan: GroupedBatch, step: Int) -> GradientCollector<S> {
    if let innerFactors {
      innerFactors.begin(groups: plan.groups)
      return GradientCollector(factors: innerFactors)
    }
    return GradientCollector(
      adapters: plan.groups.enumerated().map { index, group in
        let start = step == 0 ? adapter : adapted[step - 1][index]
        let result = adapted[step][index]
        result.flat.copy(from: start.flat)
        return AdapterSink(
          rows: group.rows, adapter: start, gradient: result, scale: .all(-eta))
      })
  }

  private func innerParameters(_ plan: GroupedBatch, step: Int) -> ParameterChange<S> {
    guard step > 0 else { return unadaptedParameters(rows: plan.batch.count) }
    var change = ParameterChange<S>(layers: layers)
    for (index, group) in plan.groups.enumerated() {
      change.add(adapted[step - 1][index], rows: group.rows)
    }
    return change
  }

  func unadaptedParameters(rows: Int) -> ParameterChange<S> {
    var change = ParameterChange<S>(layers: layers)
    change.add(adapter, rows: 0..<rows)
    return change
  }

  /// θ′ of every group, for the rows that `plan` asks of it.
  func adaptedParameters(for plan: GroupedBatch) -> ParameterChange<S> {
    guard let innerFactors else {
      var change = ParameterChange<S>(layers: layers)
      for (index, group) in plan.groups.enumerated() {
        change.add(adapted[configuration.innerSteps - 1][index], rows: group.rows)
      }
      return change
    }
    var change = unadaptedParameters(rows: plan.batch.count)
    for (index, group) in plan.groups.enumerated() {
      innerFactors.add(
        to: &change, group: index, scale: -eta, rows: group.rows, scored: group.scored)
    }
    return change
  }

  // MARK: The outer gradient

  /// What the frozen base, without the adapter, would have its head read at every scored row of the
  /// Prompt form (Eq. 8's P_θB); nil for the gold target.
  private func teach(_ groups: [TaskGroup]) throws(WeightError) -> Matrix<S>? {
    guard let teacherRows else { return nil }
    let plan = GroupedBatch(promptsOf: groups, weight: 1)
    outer.begin(plan.batch, parameters: ParameterChange(layers: layers))
    try outer.forward()
    let scored = teacherRows.rows(0..<plan.batch.lossRows.count)
    outer.finalNorm(into: scored)
    return scored
  }

  /// LoRA inner: v is adapter-shaped, and the Hessian product moves the adapter.
  private func followAdapter(
    _ innerPlan: GroupedBatch, _ outerPlan: GroupedBatch, into gradient: AdapterTensors<S>
  ) throws(WeightError) {
    let last = configuration.innerSteps - 1
    let sinks = outerPlan.groups.enumerated().map { index, group in
      directions[0][index].flat.fill(0)
      return AdapterSink(
        rows: group.rows, adapter: adapted[last][index], gradient: directions[0][index],
        scale: .all(1))
    }
    try outer.backward(into: GradientCollector(adapters: sinks))
    if configuration.order == .second {
      for step in (0...last).reversed() {
        if step < last { try replay(innerPlan, step: step) }
        try followStep(innerPlan, step: step, into: gradient)
      }
    }
    for index in outerPlan.groups.indices {
      Elementwise.addScaled(directions[0][index].flat, scale: 1, into: gradient.flat)
    }
  }

  /// v ← v − η H v at the parameters before `step`; for the first step H's part goes to `gradient`.
  private func followStep(
    _ plan: GroupedBatch, step: Int, into gradient: AdapterTensors<S>
  ) throws(WeightError) {
    var direction = ParameterChange<S>(layers: layers)
    var sinks: [AdapterSink<S>] = []
    for (index, group) in plan.groups.enumerated() {
      let start = step == 0 ? adapter : adapted[step - 1][index]
      let v = directions[0][index]
      direction.add(moving: start, along: v, rows: group.rows)
      if step > 0 { directions[1][index].flat.copy(from: v.flat) }
      sinks.append(
        AdapterSink(
          rows: group.rows, adapter: start, direction: v,
          gradient: step == 0 ? gradient : directions[1][index], scale: .all(-eta)))
    }
    try inner.tangent(along: direction, into: GradientCollector(adapters: sinks))
    if step > 0 { directions.swapAt(0, 1) }
  }

  /// Brings the inner pass back to where it was before `step`.
  private func replay(_ plan: GroupedBatch, step: Int) throws(WeightError) {
    inner.begin(plan.batch, parameters: innerParameters(plan, step: step))
    try inner.forward()
    if inner.policy.deltas > 0 { try inner.backward(into: GradientCollector()) }
  }

  /// Full inner: v is held as factors; only the adapter's share of v − η H v is collected.
  private func followFactors(
    _ innerPlan: GroupedBatch, _ outerPlan: GroupedBatch, into gradient: AdapterTensors<S>
  ) throws(WeightError) {
    func sink(_ rows: Int, _ scale: S) -> AdapterSink<S> {
      AdapterSink(rows: 0..<rows, adapter: adapter, gradient: gradient, scale: .all(scale))
    }
    outerFactors?.begin(groups: outerPlan.groups)
    try outer.backward(
      into: GradientCollector(
        adapters: [sink(outerPlan.batch.count, 1)], factors: outerFactors))
    guard let outerFactors else { return }
    var direction = ParameterChange<S>(layers: layers)
    for (index, group) in innerPlan.groups.enumerated() {
      outerFactors.add(
        to: &direction, group: index, scale: 1, rows: group.rows, scored: group.scored)
    }
    try inner.tangent(
      along: direction,
      into: GradientCollector(adapters: [sink(innerPlan.batch.count, -eta)]))
  }
}
