import Foundation
import Llama
import LoRA
public import MetaLearning
import Operations
import Optimizers
public import Storage
public import Weights

/// One way of training whose memory and time are measured, in a process of its own.
public struct TrainingCase: Codable, Hashable, Sendable {
  /// What the outer loop trains.
  public var outer: OuterStep
  /// What the inner step moves.
  public var inner: InnerStep
  /// Rank of the adapter; alpha is twice that.
  public var rank: Int
  /// Tokens of a context.
  public var contextTokens: Int
  /// Tokens of query and response; the last 8 are the response.
  public var queryTokens: Int
  /// K: contexts that share one inner step.
  public var contextsPerUpdate: Int
  /// Groups of K tasks in a step.
  public var batch: Int
  /// Bytes that the planner may use; nil for the leanest plan.
  public var budget: Int?

  /// All choices.
  public init(
    outer: OuterStep = .lora, inner: InnerStep, rank: Int, contextTokens: Int,
    queryTokens: Int = 32, contextsPerUpdate: Int = 1, batch: Int = 1, budget: Int? = nil
  ) {
    self.outer = outer
    self.inner = inner
    self.rank = rank
    self.contextTokens = contextTokens
    self.queryTokens = queryTokens
    self.contextsPerUpdate = contextsPerUpdate
    self.batch = batch
    self.budget = budget
  }

  /// The response's tokens.
  static let responseTokens = 8

  /// One line that says which case it is.
  public var title: String {
    let budget = budget.map { "\($0 >> 20) MiB" } ?? "leanest"
    return
      "\(variant), rank \(rank), context \(contextTokens), K \(contextsPerUpdate), batch \(batch), \(budget)"
  }

  /// What is trained and what the inner step moves.
  public var variant: String {
    outer == .full
      ? "full outer, full inner" : "LoRA outer, \(inner == .lora ? "LoRA" : "full") inner"
  }
}

/// What a ``TrainingCase`` took, or why it was not run.
public struct TrainingMeasurement: Codable, Sendable {
  /// The case.
  public var training: TrainingCase
  /// Why the trainer refused the case; nil where it was run.
  public var refusal: String?
  /// Why the case's process ended without an answer.
  public var failure: String?
  /// Elements of the adapter.
  public var adapterParameters = 0
  /// Adapted models in one sweep over the weights.
  public var together = 0
  /// Blocks that keep what they computed.
  public var keptBlocks = 0
  /// Scored rows whose logits are in memory at once.
  public var logitRows = 0
  /// What the plan says, by component, bytes.
  public var plan: [String: Int] = [:]
  /// What the plan says in all, with the process, bytes.
  public var planned = 0
  /// The largest RssAnon seen, sampled every 5 ms, bytes.
  public var peakAnonymous = 0
  /// RssFile after the steps, bytes.
  public var file = 0
  /// VmHWM after the steps, bytes.
  public var peakResident = 0
  /// Seconds of each measured step.
  public var seconds: [Double] = []
  /// Bytes that the measured steps made the kernel read from storage.
  public var bytesRead = 0
  /// Threads.
  public var threads = 0
  /// The kernel that OpenBLAS chose.
  public var blas = ""

  init(_ training: TrainingCase) { self.training = training }

  /// A case whose process ended without an answer.
  public init(_ training: TrainingCase, failure: String) {
    self.init(training)
    self.failure = failure
  }

  /// Whether there are numbers.
  public var isMeasured: Bool { refusal == nil && failure == nil }
  /// The median of ``seconds``.
  public var median: Double {
    seconds.isEmpty ? .nan : seconds.sorted()[seconds.count / 2]
  }
  /// Seconds of a task of the step.
  public var secondsPerTask: Double {
    median / Double(training.batch * training.contextsPerUpdate)
  }
}

extension TrainingCase {
  /// Trains on random ids for up to `steps` measured steps, fewer where they take more than
  /// `seconds`, after `warmUp` that are not measured.
  ///
  /// The whole process is measured: call it in one that does nothing else. Throws ``WeightError``
  /// where a base weight cannot be read.
  public func measure(
    file: WeightFile, steps: Int, warmUp: Int, seconds: Double, workers: Workers
  ) throws(WeightError) -> TrainingMeasurement {
    var result = TrainingMeasurement(self)
    let watch = MemoryWatch()
    let weights = try LlamaWeights<Float>(file: file)
    let groups = (0..<batch).map { group($0, vocabulary: file.architecture.vocabSize) }
    let configuration = TrainingConfiguration(
      adapter: .init(rank: rank, alpha: 2 * Double(rank)),
      meta: MetaConfiguration(outer: outer, inner: inner),
      // The loss is of no interest: parameters that hardly move keep the steps alike.
      schedule: LearningRateSchedule(
        peak: 1e-6, warmupSteps: 0, totalSteps: steps + warmUp, decay: .constant),
      batchSize: batch, contextsPerUpdate: contextsPerUpdate)
    let layout = AdapterLayout(configuration.adapter, architecture: file.architecture)
    let planner = MemoryPlanner(
      weights: weights, layout: layout, configuration: configuration.meta, groups: groups,
      textRows: 0, prompts: configuration.prompts, workers: workers, trains: true)
    var plan = planner.plan(together: 1, keep: .lean, logitRows: 32, batchSize: batch)
    if let budget {
      let (best, fits) = planner.best(budget: budget, batchSize: batch)
      guard fits else {
        result.refusal = "needs at least \((best.total + 0xfffff) >> 20) MiB"
        return result
      }
      plan = best
    }
    let trainer = try Trainer(
      weights: weights, configuration: configuration, groups: groups, texts: [],
      plan: plan, workers: workers, arena: Arena())
    for _ in 0..<warmUp { _ = try trainer.advance() }
    let read = StorageReads.bytes
    var spent = 0.0
    while result.seconds.count < steps, result.seconds.isEmpty || spent < seconds {
      let metrics = try trainer.advance()
      result.seconds.append(metrics.seconds)
      spent += metrics.seconds
    }
    result.bytesRead = StorageReads.bytes - read
    let usage = MemoryUsage.current
    result.peakAnonymous = watch.stop()
    result.file = usage.file
    result.peakResident = usage.peak
    result.adapterParameters = trainer.parameters.flat.count
    result.together = plan.together
    result.keptBlocks = plan.keep.activations
    result.logitRows = plan.logitRows
    result.plan = Dictionary(uniqueKeysWithValues: plan.ledger.map { ($0.key.rawValue, $0.value) })
    result.planned = plan.total
    result.threads = workers.count
    result.blas = BLAS.kernelName
    return result
  }

  /// K tasks of random ids.
  private func group(_ index: Int, vocabulary: Int) -> TaskGroup {
    var random = SplitMix64(seed: UInt64(index))
    func ids(_ count: Int) -> [Int32] {
      (0..<count).map { _ in Int32.random(in: 0..<Int32(vocabulary), using: &random) }
    }
    return TaskGroup(
      (0..<contextsPerUpdate).map { _ in
        .init(
          context: ids(contextTokens), query: ids(queryTokens - Self.responseTokens),
          response: ids(Self.responseTokens), separator: ids(1))
      })
  }
}

/// What this process has made the kernel read from storage, page faults of mapped files included.
/// Source: `read_bytes` of `/proc/self/io`, proc(5).
enum StorageReads {
  /// Bytes since the process started; 0 where the kernel does not say.
  static var bytes: Int {
    guard let text = try? String(contentsOfFile: "/proc/self/io", encoding: .utf8) else { return 0 }
    for line in text.split(separator: "\n") where line.hasPrefix("read_bytes: ") {
      return Int(line.dropFirst(12)) ?? 0
    }
    return 0
  }
}
