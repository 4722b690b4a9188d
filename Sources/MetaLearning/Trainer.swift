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
  /// Mean outer loss of the batch, nats.
  public var outerLoss: Double
  /// Mean inner loss before the inner step.
  public var innerLoss: Double
  /// Mean loss of the Prompt form, where it is trained.
  public var promptLoss: Double?
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

/// Meta-trains an adapter or every parameter: the outer loop.
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
  private let groups: [TaskGroup]
  private let texts: [[Int32]]
  private var order: DataOrder
  private var textOrder: DataOrder

  /// A trainer on `groups` and, for the language-model loss, `texts`; buffers as `plan` says.
  ///
  /// Throws ``WeightError`` where a base weight cannot be read.
  public init(
    weights: LlamaWeights<Float>, configuration: TrainingConfiguration, groups: [TaskGroup],
    texts: [[Int32]], plan: MemoryPlan, workers: Workers, arena: Arena
  ) throws(WeightError) {
    precondition(!groups.isEmpty && (configuration.lmWeight == 0 || !texts.isEmpty))
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
    order = DataOrder(count: groups.count, seed: configuration.seed)
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

  /// One step of the outer loop.
  ///
  /// Throws ``WeightError`` where a base weight cannot be read.
  public func advance() throws(WeightError) -> StepMetrics {
    let start = ContinuousClock.now
    let size = configuration.batchSize
    let batch = (0..<size).map { groups[order.item(at: step * size + $0)] }
    let gradient = optimizer.gradient
    gradient.clear()
    var results: [MetaGradient<Float>.GroupResult] = []
    for part in parts(of: batch) {
      results += try meta.accumulate(part, weight: 1 / Double(size), into: gradient)
    }
    let promptLoss = try configuration.promptWeight == 0 ? nil : trainPrompts(batch)
    let lmLoss = try configuration.lmWeight == 0 ? nil : trainTexts()
    let norm = GradientClipping.clip(optimizer.flat, toNorm: configuration.maxGradNorm)
    let schedule = configuration.schedule
    let rate = schedule.rate(at: step)
    if let logs = meta.rates.logs, let rates = gradient.rates {
      optimizer.rateAdam?.step(
        parameters: logs, gradient: rates,
        learningRate: configuration.innerRateLearningRate * rate / schedule.peak)
    }
    optimizer.adam.step(
      parameters: parameters.flat, gradient: optimizer.flat, learningRate: rate)
    let count = Double(results.count)
    return StepMetrics(
      step: step, outerLoss: results.reduce(0) { $0 + $1.outerLoss } / count,
      innerLoss: results.reduce(0) { $0 + $1.innerLoss } / count, promptLoss: promptLoss,
      lmLoss: lmLoss, gradientNorm: norm, learningRate: rate,
      seconds: (ContinuousClock.now - start).inSeconds,
      anonymousBytes: MemoryUsage.current.anonymous)
  }

  /// The groups of a batch that one sweep takes, each.
  private func parts(of batch: [TaskGroup]) -> [[TaskGroup]] {
    plan.limits.pack(
      batch, prompts: configuration.promptWeight > 0 || configuration.meta.target == .teacher)
  }

  /// The tasks in Prompt form, at θ: gradient += weight · ∂(mean loss). Returns the mean loss.
  private func trainPrompts(_ batch: [TaskGroup]) throws(WeightError) -> Double {
    let weight = configuration.promptWeight / Double(batch.count)
    var total = 0.0
    for part in parts(of: batch) {
      let prompts = GroupedBatch(promptsOf: part, weight: weight)
      total += try meta.accumulate(loss: prompts.batch, into: optimizer.gradient)
    }
    return total / configuration.promptWeight
  }

  /// Plain texts, at θ: gradient += λ · ∂(mean loss). Returns the mean loss.
  private func trainTexts() throws(WeightError) -> Double {
    let count = configuration.lmBatchSize
    let weight = configuration.lmWeight / Double(count)
    var total = 0.0
    for index in 0..<count {
      let text = texts[textOrder.item(at: step * count + index)]
      var batch = TokenBatch()
      batch.append(text, predicted: text.count - 1, weight: weight)
      total += try meta.accumulate(loss: batch, into: optimizer.gradient)
    }
    return total / configuration.lmWeight
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
