public import Llama
public import LoRA
public import Operations
public import Storage
public import Weights

/// Takes the inner step on a document and makes an adapter of what it changed.
///
/// Typical flow:
///
///     let maker = try DocumentAdapter(run: RunFolder(path: "run"), weights: weights)
///     let result = try maker.run(ContextCutter(tokenizer: tokenizer, length: 128).contexts(of: text))
///     try AdapterFile.writeFolder(result.adapter, to: path, base: model)
public struct DocumentAdapter {
  /// What came out.
  public struct Result {
    /// The adapter of θ′ alone: it takes the place of the one that the step started from.
    public var adapter: AdapterTensors<Float>
    /// Mean loss of the contexts under θ, nats a token.
    public var lossBefore: Double
    /// Under θ′, before a truncation.
    public var lossAfter: Double
    /// What a truncation has left out, where there was one.
    public var truncation: AdapterSum.Truncation?
  }

  /// Why there is no adapter.
  public enum Failure: Error, CustomStringConvertible, Equatable {
    /// The budget is too small; this many bytes are needed.
    case memory(needed: Int)
    /// This tensor has no learned rate, or there is a rate of a tensor that is not moved.
    case rate(String)
    /// The step has left the finite numbers.
    case notFinite

    /// One line.
    public var description: String {
      switch self {
      case .memory(let needed):
        "--memory: at least \((needed + (1 << 20) - 1) >> 20) MiB are needed"
      case .rate(let name): "the inner rates do not fit the adapter: '\(name)'"
      case .notFinite: "the loss after the step is not a number: the inner rate is too large"
      }
    }
  }

  /// The base weights.
  public let weights: LlamaWeights<Float>
  /// φ, where the step starts; of no linears where there is none.
  public let adapter: AdapterTensors<Float>
  /// The inner step.
  public let configuration: MetaConfiguration
  /// Threads.
  public let workers: Workers
  /// The memory to use, bytes, without the adapter that comes out.
  public let budget: Int
  /// What the process takes besides, bytes; nil to measure it.
  public var floor: Int?
  /// Learned rates by tensor, where ``configuration`` has them.
  public var rates: [String: Double] = [:]

  /// An adapter maker for the inner steps of `configuration` from `adapter`.
  ///
  /// Only linears can be in an adapter: a full step moves them alone, whatever else it was trained
  /// to move (``leavesOutParameters``).
  public init(
    weights: LlamaWeights<Float>, adapter: AdapterTensors<Float>, configuration: MetaConfiguration,
    workers: Workers, budget: Int
  ) {
    leavesOutParameters = configuration.inner == .full && configuration.innerParameters == .all
    var configuration = configuration
    configuration.outer = .lora
    configuration.order = .first
    configuration.target = .gold
    configuration.innerParameters = .linear
    self.weights = weights
    self.adapter = adapter
    self.configuration = configuration
    self.workers = workers
    self.budget = budget
  }

  /// An adapter maker for the inner step of the run in `folder`, or for `configuration` in its place,
  /// from its adapter and with its rates. After `outer: full`, `weights` are the trained ones.
  ///
  /// Throws ``WeightError`` where a file of the run cannot be read.
  public init(
    run folder: RunFolder, weights: LlamaWeights<Float>, workers: Workers = Workers(),
    budget: Int = 1 << 30, configuration: MetaConfiguration? = nil
  ) throws(WeightError) {
    let trained = try folder.description().training.meta
    self.init(
      weights: weights,
      adapter: trained.outer == .full
        ? Self.none(weights.architecture)
        : try AdapterFile.tensors(folder.path, weights.architecture),
      configuration: configuration ?? trained, workers: workers, budget: budget)
    if self.configuration.learnsInnerRates { rates = try folder.innerRates() }
  }

  /// The adapter of no linears, where a full step starts.
  public static func none(_ architecture: Architecture) -> AdapterTensors<Float> {
    AdapterTensors(
      layout: AdapterLayout(AdapterConfiguration(targetModules: []), architecture: architecture),
      arena: Arena(), for: .adapter)
  }

  /// Whether the configuration's step moves more than linears, which an adapter cannot hold: norms,
  /// biases, embedding and LM head.
  public let leavesOutParameters: Bool

  /// The adapter of θ′ after the inner steps on `contexts`, exact or of rank `rank`.
  ///
  /// `progress` is called with contexts done, of all, in all passes. Throws ``Failure``,
  /// ``AdapterSum/NotFinite``, and ``WeightError`` where a base weight cannot be read.
  public func run(
    _ contexts: [[Int32]], rank: Int? = nil,
    progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws -> Result {
    let arena = Arena()
    let meta = try meta(contexts, arena)
    if configuration.learnsInnerRates {
      let names = Set(meta.rates.names)
      // A step that moved everything has rates of what is left out here, too.
      let own = leavesOutParameters ? rates.filter { names.contains($0.key) } : rates
      if let name = meta.rates.set(own) { throw Failure.rate(name) }
    }
    let losses = try meta.adapt(to: contexts, progress: progress)
    guard losses.before.isFinite, losses.after.isFinite else { throw Failure.notFinite }
    var result = Result(
      adapter: adapter, lossBefore: losses.before, lossAfter: losses.after, truncation: nil)
    if let rank {
      let (adapter, truncation) = try meta.adaptedSum.truncated(
        to: rank, workers: workers, arena: Arena())
      result.adapter = adapter
      result.truncation = truncation
    } else if let adapted = meta.adaptedAdapter {
      result.adapter = adapted
    } else {
      result.adapter = meta.adaptedSum.exact(arena: Arena())
    }
    return result
  }

  /// The step with room for as many contexts a sweep as the budget lets.
  private func meta(_ contexts: [[Int32]], _ arena: Arena) throws -> MetaGradient<Float> {
    let floor = floor ?? MemoryPlanner.measuredFloor(workers: workers)
    let longest = contexts.map(\.count).max() ?? 2
    let total = contexts.reduce(0) { $0 + $1.count - 1 }
    let layers = weights.architecture.numHiddenLayers
    var together = contexts.count
    while true {
      let limits = MetaLimits(
        groups: 1, innerRows: min(total, together * (longest - 1)), outerRows: 1, scoredRows: 1,
        sequence: longest, logitRows: min(64, total), factorRows: total)
      for policy in [KeepPolicy(activations: layers), .lean] {
        let plan = Arena(plansOnly: true)
        _ = make(limits, policy, plan)
        if plan.bytes + floor <= budget { return make(limits, policy, arena) }
        if together == 1, policy == .lean { throw Failure.memory(needed: plan.bytes + floor) }
      }
      together = max(1, together / 2)
    }
  }

  private func make(
    _ limits: MetaLimits, _ policy: KeepPolicy, _ arena: Arena
  ) -> MetaGradient<Float> {
    MetaGradient(
      weights: weights, adapter: adapter, configuration: configuration, limits: limits,
      policy: policy, workers: workers, arena: arena)
  }
}
