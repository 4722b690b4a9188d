import Llama
public import LoRA
public import MetaLearning
import Operations
public import Storage
public import Text
public import Weights

/// The meta-gradient of the same tasks and adapter, computed again and again: what is timed beside
/// other implementations. The adapter does not change.
public final class RepeatedGradient {
  /// What one computation took and found.
  public struct Step: Codable, Sendable {
    /// Seconds.
    public var seconds: Double
    /// Mean loss of the contexts before the inner step.
    public var innerLoss: Double
    /// Mean outer loss.
    public var outerLoss: Double

    enum CodingKeys: String, CodingKey {
      case seconds
      case innerLoss = "inner_loss"
      case outerLoss = "outer_loss"
    }
  }

  private let meta: MetaGradient<Float>
  private let gradient: AdapterTensors<Float>
  private let groups: [TaskGroup]
  private let workers: Workers

  /// Threads.
  public var threads: Int { workers.count }

  /// All buffers; `keep` nil keeps every block's activations.
  ///
  /// Throws ``WeightError`` where the model or the adapter is not what is expected.
  public init(
    file: WeightFile, tasks: [TokenizedTask], adapter source: AdapterFile,
    configuration: MetaConfiguration, keep: Int?, logitRows: Int, workers: Workers
  ) throws(WeightError) {
    let weights = try LlamaWeights<Float>(file: file)
    let arena = Arena()
    let layout = AdapterLayout(source.configuration, architecture: file.architecture)
    let adapter = AdapterTensors<Float>(layout: layout, arena: arena, for: .adapter)
    try source.read(into: adapter)
    groups = tasks.map { TaskGroup([.init($0)]) }
    let kept = keep ?? file.architecture.numHiddenLayers
    var limits = MetaLimits(
      covering: groups, together: 1, prompts: configuration.prompts,
      logitRows: logitRows)
    limits.sharesGradient = groups.count == 1
    meta = MetaGradient(
      weights: weights, adapter: adapter, configuration: configuration, limits: limits,
      policy: KeepPolicy(activations: kept, deltas: kept, tangents: kept), workers: workers,
      arena: arena)
    gradient =
      meta.sharedGradient ?? AdapterTensors<Float>(layout: layout, arena: arena, for: .gradient)
    self.workers = workers
  }

  /// Computes the mean gradient over the tasks.
  ///
  /// Throws ``WeightError`` where a base weight cannot be read.
  public func step() throws(WeightError) -> Step {
    let start = ContinuousClock.now
    gradient.flat.fill(0)
    var (inner, outer) = (0.0, 0.0)
    for group in groups {
      let result = try meta.accumulate([group], weight: 1 / Double(groups.count), into: gradient)
      inner += result[0].innerLoss / Double(groups.count)
      outer += result[0].outerLoss / Double(groups.count)
    }
    return Step(
      seconds: (ContinuousClock.now - start).inSeconds, innerLoss: inner, outerLoss: outer)
  }

  /// Writes the last gradient under short names.
  ///
  /// Throws ``WeightError`` where the file cannot be written.
  public func save(to path: String) throws(WeightError) {
    try AdapterFile.write(gradient, to: path, naming: .short)
  }
}
