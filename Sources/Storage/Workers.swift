private import CKernels
private import Dispatch

/// The threads of the engine. Work is cut the same way for the same `count`, so that results have
/// the same bits for the same number of threads.
public struct Workers: Sendable {
  /// How many threads work.
  public let count: Int

  /// `count` threads; by default one for each processor that this process may use.
  public init(count: Int? = nil) {
    self.count = max(1, count ?? Workers.processorCount)
    BLAS.useCallingThreadOnly()
  }

  /// The number of processors that this process may run on.
  public static var processorCount: Int { Int(ck_processor_count()) }

  /// Calls `body` with 0 ..< count, one call a worker, and returns when all have returned.
  public func run(_ body: @Sendable (_ worker: Int) -> Void) {
    if count == 1 {
      body(0)
    } else {
      DispatchQueue.concurrentPerform(iterations: count) { body($0) }
    }
  }

  /// The part of `0 ..< total` that belongs to `worker`; all but the last start and end at
  /// multiples of `grain`.
  public func part(_ worker: Int, of total: Int, grain: Int = 1) -> Range<Int> {
    let units = (total + grain - 1) / grain
    let start = units * worker / count * grain
    let end = units * (worker + 1) / count * grain
    return min(start, total)..<min(end, total)
  }

  /// Calls `body` with disjoint ranges that cover `0 ..< total`, in parallel.
  public func split(
    _ total: Int, grain: Int = 1, _ body: @Sendable (_ range: Range<Int>, _ worker: Int) -> Void
  ) {
    if total <= grain {
      if total > 0 { body(0..<total, 0) }
      return
    }
    run { worker in
      let range = part(worker, of: total, grain: grain)
      if !range.isEmpty { body(range, worker) }
    }
  }
}
