private import CKernels

/// The threads of the engine. Work is cut the same way for the same `count`, so that results have
/// the same bits for the same number of threads.
public struct Workers: Sendable {
  /// How many threads work.
  public let count: Int
  private let pool: ThreadPool

  /// `count` threads; by default one for each processor that this process may use.
  ///
  /// Workers of the same count share their threads.
  public init(count: Int? = nil) {
    pool = ThreadPool.shared(count: max(1, count ?? Workers.processorCount))
    self.count = pool.count
    BLAS.useCallingThreadOnly()
  }

  /// The number of processors that this process may run on.
  public static var processorCount: Int { Int(ck_processor_count()) }

  /// Calls `body` with 0 ..< count, one call a worker, and returns when all have returned.
  ///
  /// Regions do not nest.
  public func run(_ body: @Sendable (_ worker: Int) -> Void) {
    if count == 1 { body(0) } else { pool.run(body) }
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

/// Threads that outlive every use: they wait in the kernel when there is nothing to do.
private final class ThreadPool: @unchecked Sendable {
  private static let pools = Locked<[Int: ThreadPool]>([:])
  private let pool: OpaquePointer
  private let region = Locked(())
  let count: Int

  /// The pool of `count` threads.
  static func shared(count: Int) -> ThreadPool {
    pools.withLock { pools in
      if let pool = pools[count] { return pool }
      let pool = ThreadPool(count: count)
      pools[count] = pool
      return pool
    }
  }

  private init(count: Int) {
    BLAS.checkBuffers(threads: count)
    guard let pool = ck_pool_create(Int32(count)) else {
      preconditionFailure("the system has no memory for threads")
    }
    self.pool = pool
    self.count = Int(ck_pool_count(pool))
  }

  func run(_ body: @Sendable (_ worker: Int) -> Void) {
    region.withLock { _ in
      withoutActuallyEscaping(body) { body in
        var box = body
        withUnsafeMutablePointer(to: &box) { pointer in
          ck_pool_run(
            pool,
            { context, worker in
              context?.assumingMemoryBound(to: (@Sendable (Int) -> Void).self).pointee(Int(worker))
            }, pointer)
        }
      }
    }
  }
}
