import Foundation
public import Llama
public import LoRA
public import MetaLearning
public import Operations
public import Storage
public import Text
public import Weights

/// Meta-gradients of given tasks under a given adapter, for anyone to compare with their own.
public struct GradientSuite {
  /// The losses of one task.
  public struct Losses: Codable, Sendable {
    /// Mean loss of the context before the inner step.
    public var inner: Double
    /// Mean loss of the context after it.
    public var innerAfter: Double
    /// Mean loss of the response without the context and without an inner step.
    public var nc: Double
    /// Mean loss of the response with the context in the prompt.
    public var prompt: Double
    /// Mean loss of the response after the inner step.
    public var ft: Double
    /// The outer loss: `ft`, or the divergence from the teacher.
    public var outer: Double
  }

  /// The method's choices.
  public var configuration: MetaConfiguration
  /// Blocks that keep their activations; nil for all.
  public var keep: Int?
  /// Threads that work; nil for as many as the machine has cores.
  public var threads: Int?

  /// A suite of `configuration`.
  public init(configuration: MetaConfiguration, keep: Int? = nil, threads: Int? = nil) {
    self.configuration = configuration
    self.keep = keep
    self.threads = threads
  }

  /// Computes the mean meta-gradient of `tasks` into `gradient`, and each task's losses.
  public func run(
    weights: LlamaWeights<Float>, adapter: AdapterTensors<Float>, tasks: [TokenizedTask],
    gradient: AdapterTensors<Float>
  ) throws(WeightError) -> [Losses] {
    let groups = tasks.map { TaskGroup([.init($0)]) }
    let layers = weights.architecture.numHiddenLayers
    let arena = Arena()
    let meta = MetaGradient(
      weights: weights, adapter: adapter, configuration: configuration,
      limits: MetaLimits(covering: groups, together: 1, prompts: .all, logitRows: 64),
      policy: keep.map { KeepPolicy(activations: $0, deltas: $0, tangents: $0) }
        ?? .all(layers: layers),
      workers: threads.map { Workers(count: $0) } ?? Workers(), arena: arena)
    var losses: [Losses] = []
    for group in groups {
      let result = try meta.accumulate([group], weight: 1 / Double(groups.count), into: gradient)[0]
      let scores = try meta.evaluate([group])[0]
      losses.append(
        Losses(
          inner: result.innerLoss, innerAfter: scores.innerLossAfter, nc: scores.unprompted.meanNLL,
          prompt: scores.prompted.meanNLL, ft: scores.adapted.meanNLL, outer: result.outerLoss))
    }
    return losses
  }
}
