public import LoRA
public import Operations
public import Optimizers

/// Everything that decides what a training run computes.
public struct TrainingConfiguration: Codable, Equatable, Sendable {
  /// The adapter.
  public var adapter: AdapterConfiguration
  /// The method.
  public var meta: MetaConfiguration
  /// The learning rate over the run.
  public var schedule: LearningRateSchedule
  /// Adam's constants.
  public var adam: AdamW<Float>.Configuration
  /// Groups of tasks in a step.
  public var batchSize: Int
  /// K: contexts that share one inner step.
  public var contextsPerUpdate: Int
  /// The most tasks that share one context; nil for one, each with a context of its own.
  public var queriesPerContext: Int?
  /// Weight of the first-order loss of the same tasks in Prompt form, at θ.
  public var promptWeight: Double
  /// λ: weight of the language-model loss of θ.
  public var lmWeight: Double
  /// Texts of the language-model loss in a step.
  public var lmBatchSize: Int
  /// The most tokens of such a text.
  public var lmLength: Int
  /// The bound of the gradient's global norm; nil for none.
  public var maxGradNorm: Double?
  /// Adam's learning rate for the logarithms of the inner rates, where they are learned.
  public var innerRateLearningRate: Double
  /// Decides the adapter's initialisation and the order of the tasks.
  public var seed: UInt64
  /// Plain fine-tuning in place of the method; nil for meta-training.
  public var finetuning: FinetuningConfiguration?

  /// All values.
  public init(
    adapter: AdapterConfiguration, meta: MetaConfiguration, schedule: LearningRateSchedule,
    adam: AdamW<Float>.Configuration = .init(), batchSize: Int = 16, contextsPerUpdate: Int = 1,
    promptWeight: Double = 0, lmWeight: Double = 0, lmBatchSize: Int = 2, lmLength: Int = 128,
    maxGradNorm: Double? = 1, innerRateLearningRate: Double = 0.01, seed: UInt64 = 0,
    finetuning: FinetuningConfiguration? = nil
  ) {
    self.adapter = adapter
    self.meta = meta
    self.schedule = schedule
    self.adam = adam
    self.batchSize = batchSize
    self.contextsPerUpdate = contextsPerUpdate
    self.promptWeight = promptWeight
    self.lmWeight = lmWeight
    self.lmBatchSize = lmBatchSize
    self.lmLength = lmLength
    self.maxGradNorm = maxGradNorm
    self.innerRateLearningRate = innerRateLearningRate
    self.seed = seed
    self.finetuning = finetuning
  }

  /// Which Prompt forms a step of the outer loop computes: the teacher reads all, the loss beside the
  /// outer one takes one of each context.
  public var prompts: PromptForms {
    promptWeight > 0 && meta.prompts == .none ? .onePerContext : meta.prompts
  }
}
