public import Llama
public import LoRA
public import Operations
public import Storage
import Weights

/// Finds the plan that is fastest within a budget.
///
/// For every number of tasks in a sweep and every size of the logits chunk it keeps as much as fits,
/// what saves the most arithmetic a byte first (activations, the head's gradients, tangents,
/// gradients of blocks), and takes the plan whose estimated step is the shortest.
public struct MemoryPlanner {
  /// The base weights.
  public let weights: LlamaWeights<Float>
  /// The adapter's layout.
  public let layout: AdapterLayout
  /// The method.
  public let configuration: MetaConfiguration
  /// All groups that will be asked for.
  public let groups: [TaskGroup]
  /// Groups that are evaluated between steps, each with its contexts read for every query.
  public let heldOut: [TaskGroup]
  /// Groups whose contexts are gone through besides, in evaluation.
  public let others: [TaskGroup]
  /// In plain fine-tuning, in place of groups: every sequence that will be asked for.
  public let sequences: [SequenceSize]
  /// The most rows of another text.
  public let textRows: Int
  /// Which Prompt forms are computed.
  public let prompts: PromptForms
  /// Threads.
  public let workers: Workers
  /// Whether there is an optimiser with its gradient. Without, sweeps are of any groups, not only of
  /// those that ``MetaLimits/pack(_:prompts:)`` puts together.
  public let trains: Bool
  /// What the process takes besides, bytes.
  public let floor: Int
  /// The most tokens of greedy answers; 0 where none are decoded.
  public let answerTokens: Int

  /// All values.
  public init(
    weights: LlamaWeights<Float>, layout: AdapterLayout, configuration: MetaConfiguration,
    groups: [TaskGroup], heldOut: [TaskGroup] = [], others: [TaskGroup] = [], textRows: Int,
    prompts: PromptForms, workers: Workers, trains: Bool, floor: Int? = nil, answerTokens: Int = 0
  ) {
    self.weights = weights
    self.layout = layout
    self.configuration = configuration
    self.groups = groups
    self.heldOut = heldOut
    self.others = others
    sequences = []
    self.textRows = textRows
    self.prompts = prompts
    self.workers = workers
    self.trains = trains
    self.floor = floor ?? Self.measuredFloor(workers: workers)
    self.answerTokens = answerTokens
  }

  /// A plan of plain fine-tuning by `configuration`'s outer step on `sequences`.
  public init(
    weights: LlamaWeights<Float>, layout: AdapterLayout, configuration: MetaConfiguration,
    sequences: [SequenceSize], workers: Workers, floor: Int? = nil
  ) {
    self.weights = weights
    self.layout = layout
    self.configuration = configuration
    groups = []
    heldOut = []
    others = []
    self.sequences = sequences
    textRows = 0
    prompts = .none
    self.workers = workers
    trains = true
    self.floor = floor ?? Self.measuredFloor(workers: workers)
    answerTokens = 0
  }

  /// What this process takes now, with the buffers that the linear-algebra library makes for each
  /// thread at its first product, and 1 MiB for small things that come and go; bytes.
  public static func measuredFloor(workers: Workers) -> Int {
    let arena = Arena()
    let inputs: [Matrix<Float>] = (0..<workers.count).map { _ in
      arena.matrix(512, 1024, for: .scratch)
    }
    let before = MemoryUsage.current.anonymous
    workers.run { worker in
      let matrix = inputs[worker]
      multiply(
        matrix.rows(0..<256), matrix.rows(256..<512), .second,
        into: matrix.rows(0..<256).columns(0..<256), keep: 1)
    }
    let touched = workers.count * 512 * 1024 * 4
    return max(before, MemoryUsage.current.anonymous - touched) + (1 << 20)
  }

  /// The limits for `together` adapted models, or sequences, and `logitRows`.
  public func limits(together: Int, logitRows: Int) -> MetaLimits {
    guard sequences.isEmpty else {
      return MetaLimits(
        packing: sequences, together: together, logitRows: logitRows,
        dropout: layout.configuration.dropout > 0)
    }
    guard trains else {
      return MetaLimits(
        covering: groups, others: others, together: together, prompts: prompts,
        logitRows: logitRows, textRows: textRows, answerTokens: answerTokens)
    }
    var limits = MetaLimits(
      packing: groups + heldOut, together: together, prompts: prompts, logitRows: logitRows,
      textRows: textRows)
    limits.outerRows = max(
      limits.outerRows, heldOut.map { $0.promptedRows(.all) }.max() ?? 0)
    return limits
  }

  /// What a choice takes, for steps of `batchSize` groups: where each is one sweep, φ′ and the
  /// gradient share their place.
  public func plan(
    together: Int, keep: KeepPolicy, logitRows: Int, batchSize: Int = .max
  ) -> MemoryPlan {
    let arena = Arena(plansOnly: true)
    var limits = limits(together: together, logitRows: logitRows)
    limits.sharesGradient =
      trains && configuration.inner == .lora
      && limits.hold(batchSize, of: groups + heldOut, prompts: prompts)
    var plan = MemoryPlan(
      together: together, keep: keep, logitRows: logitRows, limits: limits, floor: floor)
    let parameters = OuterParameters(
      configuration.outer, layout: layout, base: weights, arena: arena)
    let meta = MetaGradient(
      weights: parameters.weights, teacherWeights: weights, adapter: parameters.adapter,
      configuration: configuration, limits: plan.limits, policy: keep, workers: workers,
      arena: arena)
    if trains {
      _ = OuterOptimizer(parameters, meta: meta, workers: workers, arena: arena)
    }
    plan.ledger = arena.ledger
    return plan
  }

  /// The fastest plan of at most `budget` bytes for steps of `batchSize` groups or sequences, or the
  /// leanest plan there is where nothing fits.
  public func best(budget: Int, batchSize: Int) -> (plan: MemoryPlan, fits: Bool) {
    let leanest = plan(together: 1, keep: .lean, logitRows: 16, batchSize: batchSize)
    if leanest.total > budget { return (leanest, false) }
    let most = max(1, min(batchSize, max(groups.count, sequences.count)))
    var candidates = [1, 2, 3, 4, 5, 6, 8, 12, 16, 24, 32, 48, 64].filter { $0 < most } + [most]
    // Room for more tasks of mean size than a batch has makes one sweep of a batch of large ones.
    if trains, sequences.isEmpty, most > 1 { candidates.append(most + (most + 2) / 3) }
    var best = (plan: leanest, cost: cost(of: leanest, batchSize: batchSize))
    for together in candidates {
      for logitRows in [16, 32, 64, 128, 256] {
        let plan = filled(
          together: together, logitRows: logitRows, budget: budget, batchSize: batchSize)
        guard let plan else { break }
        let cost = cost(of: plan, batchSize: batchSize)
        if cost < best.cost { best = (plan, cost) }
      }
    }
    return (best.plan, true)
  }

  private func cost(of plan: MemoryPlan, batchSize: Int) -> Double {
    guard sequences.isEmpty else { return cost(ofSequences: plan, batchSize: batchSize) }
    func mean(_ value: (TaskGroup) -> Int) -> Double {
      Double(groups.reduce(0) { $0 + value($1) }) / Double(max(groups.count, 1))
    }
    let batch = Double(batchSize)
    let sweeps = plan.together == 1 ? batch : max(1, batch / (Double(plan.together) - 0.5))
    return StepCost(
      architecture: weights.architecture, order: configuration.order,
      innerRows: batch * mean(\.innerRows), outerRows: batch * mean(\.outerRows),
      scoredRows: batch * mean(\.responseTokens)
    ).cost(of: plan, sweeps: sweeps)
  }

  private func cost(ofSequences plan: MemoryPlan, batchSize: Int) -> Double {
    func sum(_ value: (SequenceSize) -> Int) -> Double {
      sequences.reduce(0) { $0 + Double(value($1)) } / Double(sequences.count) * Double(batchSize)
    }
    let rows = sum(\.rows)
    return StepCost(
      architecture: weights.architecture, order: .first, innerRows: 0, outerRows: rows,
      scoredRows: sum(\.scored)
    ).cost(of: plan, sweeps: max(1, rows / Double(plan.limits.outerRows)))
  }

  /// The plan that keeps as much as fits; nil where nothing does.
  private func filled(
    together: Int, logitRows: Int, budget: Int, batchSize: Int
  ) -> MemoryPlan? {
    func plan(_ keep: KeepPolicy) -> MemoryPlan {
      self.plan(together: together, keep: keep, logitRows: logitRows, batchSize: batchSize)
    }
    let layers = weights.architecture.numHiddenLayers
    let start = plan(.lean)
    if start.total > budget { return nil }
    var keep = KeepPolicy.lean
    var used = start.total
    func bytes(_ keep: KeepPolicy) -> Int { plan(keep).total - start.total }
    func take(_ each: Int, most: Int) -> Int {
      let count = each > 0 ? min(most, (budget - used) / each) : most
      used += count * each
      return count
    }
    keep.activations = take(bytes(KeepPolicy(activations: 1)), most: layers)
    if configuration.order == .second {
      keep.head = take(bytes(KeepPolicy(activations: 0, head: true)), most: 1) == 1
      keep.tangents = take(bytes(KeepPolicy(activations: 0, tangents: 1)), most: layers)
      keep.deltas = take(bytes(KeepPolicy(activations: 0, deltas: 1)), most: layers)
    }
    return plan(keep)
  }
}
