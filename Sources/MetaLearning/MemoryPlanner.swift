public import Llama
public import LoRA
public import Operations
public import Storage
import Weights

/// How a run uses the memory that it is given.
public struct MemoryPlan: Sendable {
  /// Adapted models in one sweep.
  public var together: Int
  /// Blocks that keep what they computed.
  public var keptBlocks: Int
  /// Scored rows whose logits are in memory at once.
  public var logitRows: Int
  /// Bytes by component.
  public var ledger: [MemoryComponent: Int]
  /// What the process takes besides: code, tables, tokenizer.
  public var floor: Int

  /// All values.
  public init(
    together: Int, keptBlocks: Int, logitRows: Int, ledger: [MemoryComponent: Int], floor: Int
  ) {
    self.together = together
    self.keptBlocks = keptBlocks
    self.logitRows = logitRows
    self.ledger = ledger
    self.floor = floor
  }

  /// All of it in bytes.
  public var total: Int { ledger.values.reduce(floor, +) }
}

/// Finds the plan that is fastest within a budget: first as many adapted models in a sweep as half
/// of the budget holds, then as many kept blocks as fit.
public struct MemoryPlanner {
  /// The base weights.
  public let weights: LlamaWeights<Float>
  /// The adapter's layout.
  public let layout: AdapterLayout
  /// The method.
  public let configuration: MetaConfiguration
  /// All groups that will be asked for.
  public let groups: [TaskGroup]
  /// The most rows of another text.
  public let textRows: Int
  /// Whether Prompt forms are computed.
  public let prompts: Bool
  /// Threads.
  public let workers: Workers
  /// Whether there is an optimiser with its gradient.
  public let trains: Bool

  /// All values.
  public init(
    weights: LlamaWeights<Float>, layout: AdapterLayout, configuration: MetaConfiguration,
    groups: [TaskGroup], textRows: Int, prompts: Bool, workers: Workers, trains: Bool
  ) {
    self.weights = weights
    self.layout = layout
    self.configuration = configuration
    self.groups = groups
    self.textRows = textRows
    self.prompts = prompts
    self.workers = workers
    self.trains = trains
  }

  /// The memory that a process of this program takes before it plans, an upper estimate in bytes.
  public static var floor: Int { 16 << 20 }

  /// The limits for `together` adapted models and `logitRows`.
  public func limits(together: Int, logitRows: Int) -> MetaLimits {
    MetaLimits(
      covering: groups, together: together, prompts: prompts, logitRows: logitRows,
      textRows: textRows)
  }

  /// What a choice takes.
  public func plan(together: Int, keptBlocks: Int, logitRows: Int) -> MemoryPlan {
    let arena = Arena(plansOnly: true)
    let parameters = OuterParameters(
      configuration.outer, layout: layout, base: weights, arena: arena)
    let meta = MetaGradient(
      weights: parameters.weights, teacherWeights: weights, adapter: parameters.adapter,
      configuration: configuration,
      limits: limits(together: together, logitRows: logitRows),
      policy: KeepPolicy(activations: keptBlocks, deltas: keptBlocks, tangents: keptBlocks),
      workers: workers, arena: arena)
    if trains {
      _ = OuterOptimizer(
        parameters, rates: meta.rates.names.count, workers: workers, arena: arena)
    }
    return MemoryPlan(
      together: together, keptBlocks: keptBlocks, logitRows: logitRows, ledger: arena.ledger,
      floor: Self.floor)
  }

  /// The fastest plan of at most `budget` bytes for steps of `batchSize` groups, or the leanest
  /// plan there is where nothing fits.
  public func best(budget: Int, batchSize: Int) -> (plan: MemoryPlan, fits: Bool) {
    let leanest = plan(together: 1, keptBlocks: 0, logitRows: 16)
    if leanest.total > budget { return (leanest, false) }
    var together = 1
    var logitRows = 16
    for candidate in [32, 64, 128] where fits(together, 0, candidate, budget / 2) {
      logitRows = candidate
    }
    for candidate in stride(from: min(batchSize, groups.count), to: 1, by: -1)
    where fits(candidate, 0, logitRows, budget / 2) {
      together = candidate
      break
    }
    var low = 0
    var high = weights.architecture.numHiddenLayers
    while low < high {
      let middle = (low + high + 1) / 2
      if fits(together, middle, logitRows, budget) { low = middle } else { high = middle - 1 }
    }
    return (plan(together: together, keptBlocks: low, logitRows: logitRows), true)
  }

  private func fits(_ together: Int, _ kept: Int, _ logitRows: Int, _ budget: Int) -> Bool {
    plan(together: together, keptBlocks: kept, logitRows: logitRows).total <= budget
  }
}
