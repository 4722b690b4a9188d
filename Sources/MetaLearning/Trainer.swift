public import Llama
public import LoRA
public import Operations
import Optimizers
public import Storage
public import Weights

/// What a training step has done.
public struct StepMetrics: Codable, Sendable {
  /// The step, counted from 1.
  public var step: Int
  /// Mean outer loss of the batch, nats; in plain fine-tuning the weighted loss of the step.
  public var outerLoss: Double
  /// Mean inner loss before the inner step, where there is one.
  public var innerLoss: Double?
  /// Mean loss of the Prompt form, where it is trained.
  public var promptLoss: Double?
  /// Mean loss of the NC form, where it is trained.
  public var ncLoss: Double?
  /// Mean loss of the plain texts, where they are trained.
  public var lmLoss: Double?
  /// Steps so far whose loss or gradient was not finite, so that nothing was learnt from them.
  public var skippedSteps: Int
  /// L2 norm of the gradient before clipping.
  public var gradientNorm: Double
  /// The learning rate.
  public var learningRate: Double
  /// Seconds of the step.
  public var seconds: Double
  /// RssAnon after the step, bytes.
  public var anonymousBytes: Int
}

/// Meta-trains an adapter or every parameter, the outer loop, or trains them plainly.
///
/// Typical flow:
///
///     let trainer = Trainer(weights: weights, configuration: configuration, …)
///     while trainer.step < configuration.schedule.totalSteps {
///       let metrics = try trainer.advance()
///     }
public final class Trainer {
  /// What is computed.
  public let configuration: TrainingConfiguration
  /// What is trained.
  public let parameters: OuterParameters
  /// Its gradient and Adam's state.
  public let optimizer: OuterOptimizer
  /// Meta-gradients and evaluation.
  public let meta: MetaGradient<Float>
  /// How memory is used.
  public let plan: MemoryPlan
  let groups: [TaskGroup]
  let texts: [[Int32]]
  private var order: DataOrder
  var textOrder: DataOrder

  /// A trainer on `groups` and, for the language-model loss, `texts`; buffers as `plan` says. Plain
  /// fine-tuning does without groups where it has texts.
  ///
  /// Throws ``WeightError`` where a base weight cannot be read.
  public init(
    weights: LlamaWeights<Float>, configuration: TrainingConfiguration, groups: [TaskGroup],
    texts: [[Int32]], plan: MemoryPlan, workers: Workers, arena: Arena
  ) throws(WeightError) {
    precondition(!groups.isEmpty || !texts.isEmpty)
    precondition(configuration.lmWeight == 0 || !texts.isEmpty)
    self.configuration = configuration
    self.groups = groups
    self.texts = texts
    self.plan = plan
    parameters = OuterParameters(
      configuration.meta.outer,
      layout: AdapterLayout(configuration.adapter, architecture: weights.architecture),
      base: weights, arena: arena)
    meta = MetaGradient(
      weights: parameters.weights, teacherWeights: weights, adapter: parameters.adapter,
      configuration: configuration.meta, limits: plan.limits, policy: plan.keep,
      workers: workers, arena: arena)
    optimizer = OuterOptimizer(
      parameters, meta: meta, configuration: configuration.adam, workers: workers, arena: arena)
    order = DataOrder(count: max(groups.count, 1), seed: configuration.seed)
    textOrder = DataOrder(count: max(texts.count, 1), seed: configuration.seed ^ 0x746578)
    try parameters.initialize(from: weights, seed: configuration.seed)
  }

  /// The adapter, φ; of no linears where every parameter is trained.
  public var adapter: AdapterTensors<Float> { parameters.adapter }

  /// Steps done, from which the position in the data and the state of every random stream follow.
  public internal(set) var step = 0
  /// Steps whose loss or gradient was not finite: they count as steps, and change nothing.
  public internal(set) var skippedSteps = 0
  /// How many such steps are put up with.
  public var maxSkippedSteps = 10

  /// One step.
  ///
  /// Where the loss or the gradient is not finite the step changes nothing but its own number.
  /// Throws ``WeightError`` where a base weight cannot be read, where that has happened more than
  /// ``maxSkippedSteps`` times (naming the task), or where the step made what is trained infinite;
  /// then, and after an ``Interruption``, ``step`` is that of the last step that was completed.
  public func advance() throws(WeightError) -> StepMetrics {
    let start = ContinuousClock.now
    optimizer.gradient.clear()
    let losses =
      if let plain = configuration.finetuning { try finetune(plain) } else { try metaTrain() }
    let norm = GradientClipping.clip(optimizer.flat, toNorm: configuration.maxGradNorm)
    // On its own: an outlier in either would otherwise take the other's step.
    let rateNorm = optimizer.gradient.rates.map {
      GradientClipping.clip($0, toNorm: configuration.maxGradNorm)
    }
    let rate = configuration.schedule.rate(at: step)
    // A square that is too large for f32 would stay in the second moment for ever.
    let clipped = min(max(norm, rateNorm ?? 0), configuration.maxGradNorm ?? .infinity)
    if losses.areFinite, Float(clipped * clipped).isFinite, isGradientFinite {
      update(rate)
      guard isFinite else {
        throw WeightError(
          path: "step \(step + 1)",
          "what is trained is not finite after it: a lower learning rate is needed")
      }
      if let name = meta.rates.impossibleName {
        throw WeightError(
          path: "step \(step + 1)",
          "the inner rate of '\(name)' is no positive number of 32 bits after it: its logarithm "
            + "needs a lower learning rate")
      }
    } else {
      guard skippedSteps < maxSkippedSteps else { throw try offender() }
      skippedSteps += 1
    }
    step += 1
    return StepMetrics(
      step: step, outerLoss: losses.outer, innerLoss: losses.inner, promptLoss: losses.prompt,
      ncLoss: losses.nc, lmLoss: losses.lm, skippedSteps: skippedSteps, gradientNorm: norm,
      learningRate: rate, seconds: (ContinuousClock.now - start).inSeconds,
      anonymousBytes: MemoryUsage.current.anonymous)
  }

  /// Adam's step along the gradient, of the trained values and of learned inner rates.
  private func update(_ rate: Double) {
    if let logs = meta.rates.logs, let rates = optimizer.gradient.rates {
      optimizer.rateAdam?.step(
        parameters: logs, gradient: rates,
        learningRate: configuration.innerRateLearningRate * rate / configuration.schedule.peak)
    }
    optimizer.adam.step(
      parameters: parameters.flat, gradient: optimizer.flat, learningRate: rate)
  }

  /// Whether the gradient that was summed is finite.
  var isGradientFinite: Bool {
    Elementwise.isFinite(optimizer.flat)
      && (optimizer.gradient.rates.map(Elementwise.isFinite) ?? true)
  }

  /// Whether everything that is trained is finite.
  private var isFinite: Bool {
    Elementwise.isFinite(parameters.flat) && (meta.rates.logs.map(Elementwise.isFinite) ?? true)
  }

  /// The groups of a batch that one sweep takes, each.
  private func parts(of batch: [TaskGroup]) -> [[TaskGroup]] {
    plan.limits.pack(batch, prompts: configuration.prompts)
  }

  /// The step of the outer loop: gradient += that of the outer loss and of the losses beside it.
  private func metaTrain() throws(WeightError) -> StepLosses {
    let batch = tasksOfStep()
    let parts = parts(of: batch)
    precondition(
      parts.count == 1 || meta.sharedGradient == nil, "a sweep would lose the last one's")
    var results: [MetaGradient<Float>.GroupResult] = []
    for part in parts {
      results += try meta.accumulate(
        part, weight: 1 / Double(batch.count), into: optimizer.gradient)
    }
    let beside = try accumulateBeside(batch)
    let count = Double(results.count)
    return StepLosses(
      outer: results.reduce(0) { $0 + $1.outerLoss } / count,
      inner: results.reduce(0) { $0 + $1.innerLoss } / count, prompt: beside.prompt,
      lm: beside.lm)
  }

  /// Where the step's groups of tasks are in ``groups``.
  func placesOfStep() -> [Int] {
    let size = configuration.batchSize
    return groups.isEmpty ? [] : (0..<size).map { order.item(at: step * size + $0) }
  }

  /// The groups of tasks of the step.
  func tasksOfStep() -> [TaskGroup] { placesOfStep().map { groups[$0] } }
}

extension Array {
  /// Parts of at most `size` elements, in order.
  func cut(into size: Int) -> [[Element]] {
    stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
  }
}
