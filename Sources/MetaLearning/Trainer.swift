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
      parameters, rates: meta.rates.names.count, configuration: configuration.adam,
      workers: workers, arena: arena)
    order = DataOrder(count: max(groups.count, 1), seed: configuration.seed)
    textOrder = DataOrder(count: max(texts.count, 1), seed: configuration.seed ^ 0x746578)
    try parameters.initialize(from: weights, seed: configuration.seed)
  }

  /// The adapter, φ; of no linears where every parameter is trained.
  public var adapter: AdapterTensors<Float> { parameters.adapter }

  /// Steps done.
  public var step: Int { optimizer.adam.steps }

  /// Everything that the next step depends on besides ``step``, by name.
  public var state: [(name: String, values: Matrix<Float>)] {
    var state = [
      (parameters.dense == nil ? "adapter" : "parameters", parameters.flat),
      ("first", optimizer.adam.first), ("second", optimizer.adam.second),
    ]
    if let logs = meta.rates.logs, let adam = optimizer.rateAdam {
      state += [
        ("inner_rates", logs), ("inner_rates.first", adam.first),
        ("inner_rates.second", adam.second),
      ]
    }
    return state
  }

  /// Goes on after `step` steps, with ``state`` as it was then.
  public func resume(at step: Int) {
    optimizer.adam.steps = step
    optimizer.rateAdam?.steps = step
  }

  /// One step.
  ///
  /// Throws ``WeightError`` where a base weight cannot be read.
  public func advance() throws(WeightError) -> StepMetrics {
    let start = ContinuousClock.now
    optimizer.gradient.clear()
    let losses =
      if let plain = configuration.finetuning { try finetune(plain) } else { try metaTrain() }
    let norm = GradientClipping.clip(optimizer.flat, toNorm: configuration.maxGradNorm)
    let schedule = configuration.schedule
    let rate = schedule.rate(at: step)
    if let logs = meta.rates.logs, let rates = optimizer.gradient.rates {
      optimizer.rateAdam?.step(
        parameters: logs, gradient: rates,
        learningRate: configuration.innerRateLearningRate * rate / schedule.peak)
    }
    optimizer.adam.step(
      parameters: parameters.flat, gradient: optimizer.flat, learningRate: rate)
    return StepMetrics(
      step: step, outerLoss: losses.outer, innerLoss: losses.inner, promptLoss: losses.prompt,
      ncLoss: losses.nc, lmLoss: losses.lm, gradientNorm: norm, learningRate: rate,
      seconds: (ContinuousClock.now - start).inSeconds,
      anonymousBytes: MemoryUsage.current.anonymous)
  }

  /// The groups of a batch that one sweep takes, each.
  private func parts(of batch: [TaskGroup]) -> [[TaskGroup]] {
    plan.limits.pack(
      batch, prompts: configuration.promptWeight > 0 || configuration.meta.target == .teacher)
  }

  /// The step of the outer loop: gradient += that of the outer loss and of the losses beside it.
  private func metaTrain() throws(WeightError) -> StepLosses {
    let batch = tasksOfStep()
    var results: [MetaGradient<Float>.GroupResult] = []
    for part in parts(of: batch) {
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

  /// The groups of tasks of the step.
  func tasksOfStep() -> [TaskGroup] {
    let size = configuration.batchSize
    return (0..<size).map { groups[order.item(at: step * size + $0)] }
  }
}

extension Array {
  /// Parts of at most `size` elements, in order.
  func cut(into size: Int) -> [[Element]] {
    stride(from: 0, to: count, by: size).map { Array(self[$0..<Swift.min($0 + size, count)]) }
  }
}

extension Duration {
  var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
