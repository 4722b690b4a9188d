public import Storage
public import Weights

/// Products with base weights that are decoded tile by tile and dropped.
///
/// Every worker decodes its own tiles into its own scratch and multiplies them at once while they
/// are in cache, so that decoding on one core overlaps with arithmetic on the others. A weight
/// matrix W has shape (out, in); no more of it than `workers · tile` exists at a time.
public final class TiledLinear<S: Kernel>: @unchecked Sendable {
  /// A weight and the rows of activations on its output side: y forward, dy backward, (R, out).
  public struct Item: Sendable {
    /// W, shape (out, in).
    public let weight: any WeightMatrix
    /// y or dy, shape (R, out).
    public let output: Matrix<S>

    /// `weight` and its output side.
    public init(_ weight: any WeightMatrix, _ output: Matrix<S>) {
      self.weight = weight
      self.output = output
    }
  }

  /// The sizes that the scratch must be able to hold.
  public struct Limits: Sendable {
    /// The most elements of a decoded tile.
    public var tileElements: Int
    /// The most bytes that decoding a tile needs besides.
    public var scratchBytes: Int
    /// The most elements of dx, R · in, and of x packed.
    public var inputElements: Int
    /// Whether pages of weights leave the process' memory when they have been used, also where their
    /// file fits in memory.
    public var letsGo: Bool

    /// Limits that hold for all of `weights`, `rows` rows of activations and inputs of `maxInput`.
    public init(
      weights: [any WeightMatrix], rows: Int, maxInput: Int, letsGo: Bool = false
    ) {
      tileElements = weights.map { TiledLinear.tileRows(of: $0) * $0.columns }.max() ?? 0
      scratchBytes = weights.map(\.scratchBytes).max() ?? 0
      inputElements = TileProduct.packedCount(rows: rows, depth: maxInput)
      self.letsGo = letsGo
    }
  }

  /// The threads that share the work.
  public let workers: Workers
  private let limits: Limits
  private let arena: Arena
  private let tiles: [Matrix<S>]
  private let decoded: [Matrix<Float>]
  private let scratch: [UnsafeMutableRawBufferPointer]
  /// Per worker: x packed, or the worker's sum of dx.
  private let inputs: [Matrix<S>]

  /// Scratch for `workers`, counted as ``MemoryComponent/scratch``.
  public init(workers: Workers, limits: Limits, arena: Arena) {
    self.workers = workers
    self.limits = limits
    self.arena = arena
    let widens = S.self != Float.self
    tiles = (0..<workers.count).map { _ in arena.matrix(1, limits.tileElements, for: .scratch) }
    decoded =
      widens
      ? (0..<workers.count).map { _ in arena.matrix(1, limits.tileElements, for: .scratch) } : []
    scratch = (0..<workers.count).map { _ in
      arena.bytes(max(limits.scratchBytes, 1), for: .scratch)
    }
    inputs = (0..<workers.count).map { _ in
      arena.matrix(1, max(limits.inputElements, 1), for: .scratch)
    }
  }

  /// How many rows of `weight` a tile has: whole blocks, about half a mebibyte of f32.
  static func tileRows(of weight: any WeightMatrix) -> Int {
    let wanted = 131_072 / max(weight.columns, 1)
    return min(max(1, wanted / weight.blockRows) * weight.blockRows, max(weight.rows, 1))
  }

  /// y = x Wᵀ for every item. Shapes: x (R, in), W (out, in), y (R, out).
  ///
  /// Throws ``WeightError`` where a block of a weight is damaged.
  public func forward(_ items: [Item], input x: Matrix<S>) throws(WeightError) {
    let failure = FailureBox()
    workers.run { worker in
      let packed = TileProduct.pack(x, into: inputs[worker])
      failure.capture { () throws(WeightError) in
        try eachTile(of: items, worker: worker) { item, rows, tile in
          let output = item.output.columns(rows)
          if let packed,
            TileProduct.forward(rows: x.rows, packed: packed, tile: tile, output: output)
          {
            return
          }
          multiply(x, tile, .second, into: output)
        }
      }
    }
    try failure.rethrow()
  }

  /// dx = Σ dy W over the items. Shapes: dy (R, out), W (out, in), dx (R, in).
  ///
  /// Partial sums of the workers are added in the workers' order. Throws as ``forward(_:input:)``.
  public func backward(_ items: [Item], inputGradient dx: Matrix<S>) throws(WeightError) {
    precondition(dx.isContiguous && (workers.count == 1 || dx.count <= limits.inputElements))
    let failure = FailureBox()
    workers.run { worker in
      let sum = partial(worker, like: dx)
      var adds = false
      failure.capture { () throws(WeightError) in
        try eachTile(of: items, worker: worker) { item, rows, tile in
          let output = item.output.columns(rows)
          if !TileProduct.backward(
            outputGradient: output, tile: tile, inputGradient: sum, adds: adds)
          {
            multiply(output, tile, into: sum, keep: adds ? 1 : 0)
          }
          adds = true
        }
      }
      if !adds { sum.fill(0) }
    }
    try failure.rethrow()
    guard workers.count > 1 else { return }
    workers.split(dx.rows, grain: 8) { rows, _ in
      for worker in 1..<workers.count {
        let sum = partial(worker, like: dx).rows(rows)
        Elementwise.add(sum, into: dx.rows(rows))
      }
    }
  }

  /// Row i of `output` = row ids[i] of the weight. Shapes: weight (V, D), output (ids.count, D).
  ///
  /// Throws as ``forward(_:input:)``.
  public func gather(
    _ ids: [Int32], of weight: any WeightMatrix, into output: Matrix<S>
  ) throws(WeightError) {
    let failure = FailureBox()
    workers.split(ids.count, grain: 4) { range, worker in
      failure.capture { () throws(WeightError) in
        for index in range {
          let id = Int(ids[index])
          output.rows(index..<index + 1).copy(
            from: try tile(of: weight, rows: id..<id + 1, worker: worker))
        }
      }
    }
    try failure.rethrow()
  }

  private func partial(_ worker: Int, like dx: Matrix<S>) -> Matrix<S> {
    worker == 0 ? dx : inputs[worker].reshaped(rows: dx.rows, columns: dx.columns)
  }

  /// Decodes the tiles that belong to `worker` one after the other.
  ///
  /// The rows of all items are laid end to end and cut evenly, at boundaries of blocks.
  private func eachTile(
    of items: [Item], worker: Int, _ body: (Item, Range<Int>, Matrix<S>) -> Void
  ) throws(WeightError) {
    let total = items.reduce(0) { $0 + $1.weight.rows }
    let first = total * worker / workers.count
    let last = total * (worker + 1) / workers.count
    var offset = 0
    for item in items {
      let weight = item.weight
      let step = TiledLinear.tileRows(of: weight)
      func boundary(_ row: Int) -> Int {
        let inside = min(max(row - offset, 0), weight.rows)
        return min(
          (inside + weight.blockRows - 1) / weight.blockRows * weight.blockRows, weight.rows)
      }
      var row = boundary(first)
      let end = boundary(last)
      // About a mebibyte at a time: a call to the system costs more than a few pages.
      let letsGo = limits.letsGo || weight.isLarge
      var used = row
      while row < end {
        let rows = row..<min(row + step, end)
        body(item, rows, try tile(of: weight, rows: rows, worker: worker))
        row = rows.upperBound
        if letsGo, row == end || (row - used) * weight.columns >= 1 << 20 {
          weight.letGo(rows: used..<row)
          used = row
        }
      }
      offset += weight.rows
    }
  }

  private func tile(
    of weight: any WeightMatrix, rows: Range<Int>, worker: Int
  ) throws(WeightError) -> Matrix<S> {
    let count = rows.count * weight.columns
    precondition(count <= limits.tileElements)
    if let values = weight.resident(rows: rows) as? UnsafePointer<S> {
      return Matrix(
        UnsafeMutablePointer(mutating: values), rows: rows.count, columns: weight.columns)
    }
    let target = tiles[worker]
    if let target = target as? Matrix<Float> {
      try weight.decode(rows: rows, into: target.pointer, scratch: scratch[worker])
    } else {
      let narrow = decoded[worker].pointer
      try weight.decode(rows: rows, into: narrow, scratch: scratch[worker])
      for index in 0..<count { target.pointer[index] = S(narrow[index]) }
    }
    return target.reshaped(rows: rows.count, columns: weight.columns)
  }
}

/// The first error of a parallel region.
package final class FailureBox: Sendable {
  private let first = Locked<WeightError?>(nil)

  package init() {}

  /// Runs `body` and remembers what it throws.
  package func capture(_ body: () throws(WeightError) -> Void) {
    do {
      try body()
    } catch {
      first.withLock { if $0 == nil { $0 = error } }
    }
  }

  /// Throws what was remembered.
  package func rethrow() throws(WeightError) {
    if let error = first.withLock({ $0 }) { throw error }
  }
}
