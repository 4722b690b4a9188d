import Foundation
import Llama
import LoRA
public import MetaLearning
import Operations
import Optimizers
public import Storage
public import Weights

/// Times one meta-step (gradient and Adam) and watches the memory it takes.
public struct StepSuite {
  /// What a measured step was and took.
  public struct Report: Codable, Sendable {
    /// What the outer loop trains.
    public var outer: String
    /// The inner step's kind.
    public var inner: String
    /// Rank of the adapter.
    public var rank: Int
    /// Tokens of the context.
    public var contextTokens: Int
    /// Tokens of query and response.
    public var queryTokens: Int
    /// Groups of tasks of a step.
    public var batch: Int
    /// K: tasks of a group.
    public var contextsPerUpdate: Int
    /// Blocks that keep their activations, gradients and tangents.
    public var keptBlocks: Int
    /// Seconds of each step.
    public var seconds: [Double]
    /// Their median.
    public var median: Double
    /// The rate of a 2048³ product on all cores, measured between the steps, GFLOP/s.
    public var sgemm: Double
    /// Floating-point operations of the products that the method needs: 4 units an inner token and
    /// 2 a query token, the head on scored tokens only.
    public var neededGFLOP: Double
    /// neededGFLOP / median / sgemm.
    public var fraction: Double
    /// Floating-point operations of the products that a step did, with those done again.
    public var doneGFLOP: Double
    /// doneGFLOP / median / sgemm.
    public var doneFraction: Double
    /// Mean seconds and operations a step by phase.
    public var phases: [String: PhaseTimes.Cost]
    /// What the plan says, by component, bytes.
    public var plan: [String: Int]
    /// The largest RssAnon seen during the steps, sampled every 5 ms, bytes.
    public var peakAnonymous: Int
    /// RssFile after the steps, bytes.
    public var file: Int
    /// VmHWM of the process, bytes.
    public var peakResident: Int
    /// The kernel that OpenBLAS chose.
    public var kernel: String
    /// Threads.
    public var workers: Int
    /// L2 norm of the gradient, a fingerprint of the result.
    public var gradientNorm: Double
  }

  /// The inner step and the rest of the method.
  public var configuration: MetaConfiguration
  /// Rank of the adapter; alpha is twice that.
  public var rank: Int
  /// Tokens of a context.
  public var contextTokens: Int
  /// Tokens of query and response; the last 8 are the response.
  public var queryTokens: Int
  /// Groups of tasks of a step.
  public var batch: Int
  /// K: tasks of a group, which share one inner step.
  public var contextsPerUpdate: Int
  /// Groups that share one sweep over the weights.
  public var together: Int
  /// Blocks that keep everything; nil for all.
  public var keep: Int?
  /// Scored rows whose logits are in memory at once.
  public var logitRows: Int
  /// Measured steps, after one that warms up.
  public var steps: Int

  /// All choices.
  public init(
    configuration: MetaConfiguration, rank: Int, contextTokens: Int, queryTokens: Int, batch: Int,
    contextsPerUpdate: Int = 1, together: Int, keep: Int?, logitRows: Int, steps: Int
  ) {
    self.configuration = configuration
    self.rank = rank
    self.contextTokens = contextTokens
    self.queryTokens = queryTokens
    self.batch = batch
    self.contextsPerUpdate = contextsPerUpdate
    self.together = together
    self.keep = keep
    self.logitRows = logitRows
    self.steps = steps
  }

  /// Runs the steps on `file`'s model.
  public func run(file: WeightFile, workers: Workers) throws(WeightError) -> Report {
    let weights = try LlamaWeights<Float>(file: file)
    let architecture = file.architecture
    let arena = Arena()
    let layout = AdapterLayout(
      .init(rank: rank, alpha: 2 * Double(rank)), architecture: architecture)
    let parameters = OuterParameters(
      configuration.outer, layout: layout, base: weights, arena: arena)
    try parameters.initialize(from: weights, seed: 1)
    for entry in parameters.adapter.layout.entries { fill(parameters.adapter.up(entry)) }
    let groups = (0..<batch).map { group($0, vocabulary: architecture.vocabSize) }
    let kept = keep ?? architecture.numHiddenLayers
    var limits = MetaLimits(
      covering: groups, together: min(together, batch),
      prompts: configuration.prompts, logitRows: logitRows)
    limits.sharesGradient = together >= batch
    let meta = MetaGradient(
      weights: parameters.weights, teacherWeights: weights, adapter: parameters.adapter,
      configuration: configuration, limits: limits,
      policy: KeepPolicy(
        activations: kept, deltas: kept, tangents: kept,
        head: kept == architecture.numHiddenLayers), workers: workers,
      arena: arena)
    let optimizer = OuterOptimizer(
      parameters, meta: meta, workers: workers, arena: arena)
    let gradient = optimizer.gradient
    let watch = MemoryWatch()
    var seconds: [Double] = []
    var rates: [Double] = []
    var norm = 0.0
    var before = (times: meta.times, operations: 0)
    MemoryUsage.resetPeak()
    for step in 0...steps {
      if step == 1 { before = (meta.times, BLAS.operationCount) }
      gradient.clear()
      let start = ContinuousClock.now
      for first in stride(from: 0, to: batch, by: together) {
        _ = try meta.accumulate(
          Array(groups[first..<min(first + together, batch)]), weight: 1 / Double(batch),
          into: gradient)
      }
      norm = GradientClipping.clip(optimizer.flat, toNorm: 1)
      optimizer.adam.step(
        parameters: parameters.flat, gradient: optimizer.flat, learningRate: 1e-6)
      if step > 0 { seconds.append((ContinuousClock.now - start).inSeconds) }
    }
    let done = Double(BLAS.operationCount - before.operations) / Double(steps) / 1e9
    let peak = watch.stop()
    let usage = MemoryUsage.current
    for _ in 0..<3 { rates.append(Self.sgemmRate(workers: workers)) }
    let median = seconds.sorted()[seconds.count / 2]
    let rate = rates.sorted()[1]
    let needed = neededFLOP(architecture)
    return Report(
      outer: configuration.outer.rawValue, inner: configuration.inner.rawValue, rank: rank,
      contextTokens: contextTokens,
      queryTokens: queryTokens, batch: batch,
      contextsPerUpdate: contextsPerUpdate, keptBlocks: kept, seconds: seconds, median: median,
      sgemm: rate, neededGFLOP: needed / 1e9, fraction: needed / 1e9 / median / rate,
      doneGFLOP: done, doneFraction: done / median / rate,
      phases: phases(meta.times, since: before.times),
      plan: Dictionary(uniqueKeysWithValues: arena.ledger.map { ($0.key.rawValue, $0.value) }),
      peakAnonymous: peak, file: usage.file, peakResident: usage.peak, kernel: BLAS.kernelName,
      workers: workers.count, gradientNorm: norm)
  }

  /// 2 · parameters a token and unit, for blocks; the head for scored tokens only.
  private func neededFLOP(_ architecture: Architecture) -> Double {
    let block = LinearKind.allCases.reduce(0) {
      $0 + $1.shape(in: architecture).input * $1.shape(in: architecture).output
    }
    let blocks = Double(block * architecture.numHiddenLayers)
    let head = Double(architecture.vocabSize * architecture.hiddenSize)
    let inner = Double(contextTokens - 1)
    let outer = Double(queryTokens - 1)
    let innerUnits = configuration.order == .second ? 4.0 : 2.0
    return 2 * Double(batch * contextsPerUpdate)
      * (innerUnits * inner * (blocks + head) + 2 * outer * blocks + 2 * 8 * head)
  }

  private func phases(
    _ now: PhaseTimes, since start: PhaseTimes
  ) -> [String: PhaseTimes.Cost] {
    var result: [String: PhaseTimes.Cost] = [:]
    for (phase, cost) in now.costs where cost.operations > 0 {
      let old = start.costs[phase] ?? PhaseTimes.Cost()
      var mean = PhaseTimes.Cost()
      mean.seconds = (cost.seconds - old.seconds) / Double(steps)
      mean.operations = (cost.operations - old.operations) / steps
      result[phase.rawValue] = mean
    }
    return result
  }

  private func group(_ index: Int, vocabulary: Int) -> TaskGroup {
    var state = UInt64(index + 1)
    func ids(_ count: Int) -> [Int32] {
      (0..<count).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int32(Int(state >> 33) % vocabulary)
      }
    }
    return TaskGroup(
      (0..<contextsPerUpdate).map { _ in
        .init(
          context: ids(contextTokens), query: ids(queryTokens - 8), response: ids(8),
          separator: ids(1))
      })
  }

  private func fill(_ matrix: Matrix<Float>) {
    var state: UInt64 = 7
    for index in 0..<matrix.count {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      matrix.pointer[index] = (Float(state >> 40) / Float(1 << 24) - 0.5) * 0.04
    }
  }

  /// GFLOP/s of a 2048³ product on all cores.
  public static func sgemmRate(workers: Workers) -> Double {
    let arena = Arena()
    let size = 2048
    let a: Matrix<Float> = arena.matrix(size, size, for: .scratch)
    let b: Matrix<Float> = arena.matrix(size, size, for: .scratch)
    let c: Matrix<Float> = arena.matrix(size, size, for: .scratch)
    a.fill(0.5)
    b.fill(0.25)
    BLAS.useThreads(workers.count)
    defer { BLAS.useCallingThreadOnly() }
    multiply(a, b, .second, into: c)
    var best = Double.infinity
    for _ in 0..<3 {
      let start = ContinuousClock.now
      multiply(a, b, .second, into: c)
      best = min(best, (ContinuousClock.now - start).inSeconds)
    }
    return 2 * Double(size * size * size) / best / 1e9
  }
}

/// Samples RssAnon on a thread of its own.
final class MemoryWatch: Sendable {
  private let state = Locked((running: true, peak: 0))

  init() {
    Thread.detachNewThread { [self] in
      while state.withLock({ $0.running }) {
        let now = MemoryUsage.current.anonymous
        state.withLock { $0.peak = max($0.peak, now) }
        usleep(5000)
      }
    }
  }

  /// Ends the sampling. Returns the largest value.
  func stop() -> Int {
    let now = MemoryUsage.current.anonymous
    return state.withLock {
      $0.running = false
      return max($0.peak, now)
    }
  }
}
