public import Operations
public import Storage
public import Weights

/// Low-rank changes of a model's linears, put together into one adapter.
///
/// Changes side by side are an adapter of the sum of their ranks, A = [A₁; A₂], B = [s₁B₁, s₂B₂];
/// the best adapter of a lower rank is the truncated singular value decomposition (Eckart–Young).
public struct AdapterSum {
  /// What a truncation has left out.
  public struct Truncation: Sendable, Equatable {
    /// ‖ΔW − BA‖ / ‖ΔW‖ over all linears together, Frobenius.
    public var relativeError: Double
    /// The same of the linear where it is largest.
    public var worst: Double
    /// That linear.
    public var worstName: String
  }

  /// A linear whose change has no singular value decomposition: a number is not finite.
  public struct NotFinite: Error, CustomStringConvertible {
    /// The linear.
    public var name: String
    /// One line.
    public var description: String { "\(name): the change is not finite" }
  }

  private let architecture: Architecture
  private let changes: [[LowRankUpdate<Float>]]
  private let load: (_ layer: Int) -> Void

  /// The sum of `changes`, by ``LinearKind/place(in:)``.
  ///
  /// `load` is called with each block before its changes are read.
  public init(
    of changes: [[LowRankUpdate<Float>]], architecture: Architecture,
    load: @escaping (_ layer: Int) -> Void = { _ in }
  ) {
    precondition(changes.count == architecture.numHiddenLayers * LinearKind.allCases.count)
    self.changes = changes
    self.architecture = architecture
    self.load = load
  }

  private func updates(_ entry: AdapterLayout.Entry) -> [LowRankUpdate<Float>] {
    changes[entry.kind.place(in: entry.layer)]
  }

  /// The rank that holds a linear's changes exactly: at most its smaller side.
  private func fullRank(layer: Int, kind: LinearKind) -> Int {
    let (input, output) = kind.shape(in: architecture)
    let ranks = changes[kind.place(in: layer)].map { update in
      if case .identity = update.up { min(input, output) } else { update.down.rows }
    }
    return min(ranks.reduce(0, +), input, output)
  }

  private func tensors(
    arena: Arena, rank: (_ full: Int) -> Int
  ) -> AdapterTensors<Float> {
    let layers = 0..<architecture.numHiddenLayers
    let kinds = LinearKind.allCases.filter { kind in
      layers.contains { fullRank(layer: $0, kind: kind) > 0 }
    }
    let ranks = layers.map { layer in
      kinds.map { max(1, rank(fullRank(layer: layer, kind: $0))) }
    }
    return AdapterTensors(
      layout: AdapterLayout(
        AdapterConfiguration(kinds: kinds, ranks: ranks), architecture: architecture),
      arena: arena, for: .adapter)
  }

  /// The adapter that is the sum, to the rounding of f32; its scale is 1.
  public func exact(arena: Arena) -> AdapterTensors<Float> {
    let result = tensors(arena: arena) { $0 }
    var layer = -1
    for entry in result.layout.entries {
      if entry.layer != layer { load(entry.layer) }
      layer = entry.layer
      let (down, up) = (result.down(entry), result.up(entry))
      let updates = updates(entry)
      guard updates.reduce(0, { $0 + $1.rank }) > entry.rank || updates.contains(where: \.isDense)
      else {
        var start = 0
        for update in updates {
          let part = start..<start + update.rank
          down.rows(part).copy(from: update.down)
          update.copyUp(into: up.columns(part))
          start = part.upperBound
        }
        continue
      }
      // As many factors as the smaller side is wide: one of them is the unit matrix.
      let square = entry.output <= entry.input ? up : down
      for index in 0..<square.rows { square[index, index] = 1 }
      let whole = entry.output <= entry.input ? down : up
      for update in updates { update.add(to: whole) }
    }
    return result
  }

  /// The closest adapter of rank `rank` (less where a linear is smaller), and what it leaves out;
  /// its scale is 1.
  ///
  /// Throws ``NotFinite`` naming the linear.
  public func truncated(
    to rank: Int, workers: Workers, arena: Arena
  ) throws(NotFinite) -> (adapter: AdapterTensors<Float>, truncation: Truncation) {
    precondition(rank > 0)
    let result = tensors(arena: arena) { min(rank, $0) }
    var left = 0.0
    var total = 0.0
    var worst = (ratio: -1.0, name: "")
    for layer in 0..<architecture.numHiddenLayers {
      load(layer)
      let entries = result.layout.entries.filter { $0.layer == layer }
      let parts = entries.map { updates($0) }
      let norms = ResultTable(count: entries.count)
      workers.run { worker in
        for index in stride(from: worker, to: entries.count, by: workers.count) {
          norms[index] = decompose(parts[index], entries[index], result)
        }
      }
      for (index, entry) in entries.enumerated() {
        guard let norm = norms[index] else {
          throw NotFinite(name: "layers.\(layer).\(entry.kind.rawValue)")
        }
        left += norm.left
        total += norm.total
        let ratio = norm.total > 0 ? norm.left / norm.total : 0
        if ratio > worst.ratio { worst = (ratio, "layers.\(layer).\(entry.kind.rawValue)") }
      }
    }
    return (
      result,
      Truncation(
        relativeError: total > 0 ? (left / total).squareRoot() : 0,
        worst: max(worst.ratio, 0).squareRoot(), worstName: worst.name)
    )
  }
}

/// Squared norms of what was left out and of all, one linear each, written by several threads.
private final class ResultTable: @unchecked Sendable {
  private let values: UnsafeMutableBufferPointer<(left: Double, total: Double)?>

  init(count: Int) {
    values = .allocate(capacity: count)
    values.initialize(repeating: nil)
  }

  deinit { values.deallocate() }

  subscript(index: Int) -> (left: Double, total: Double)? {
    get { values[index] }
    set { values[index] = newValue }
  }
}

/// Fills the factors of `entry` with the best approximation of Σ `updates`: QR of the factors and a
/// singular value decomposition of what is between the two Q. Returns nil where it is not finite.
private func decompose(
  _ updates: [LowRankUpdate<Float>], _ entry: AdapterLayout.Entry, _ result: AdapterTensors<Float>
) -> (left: Double, total: Double)? {
  let rank = updates.reduce(0) { $0 + $1.rank }
  let core: ColumnMatrix
  var (left, right): (ColumnMatrix?, ColumnMatrix?)
  if rank == 0 && updates.isEmpty { return (0, 0) }
  if updates.contains(where: \.isDense) || rank >= min(entry.output, entry.input) {
    var values = [Float](repeating: 0, count: entry.output * entry.input)
    core = values.withUnsafeMutableBufferPointer { buffer in
      let whole = Matrix(
        buffer.baseAddress.unsafelyUnwrapped, rows: entry.output, columns: entry.input)
      for update in updates { update.add(to: whole) }
      return ColumnMatrix(transposing: whole).transposed
    }
  } else {
    var up = [Float](repeating: 0, count: entry.output * rank)
    var down = [Float](repeating: 0, count: rank * entry.input)
    let factors = up.withUnsafeMutableBufferPointer { up in
      down.withUnsafeMutableBufferPointer { down in
        let ups = Matrix(up.baseAddress.unsafelyUnwrapped, rows: entry.output, columns: rank)
        let downs = Matrix(down.baseAddress.unsafelyUnwrapped, rows: rank, columns: entry.input)
        var start = 0
        for update in updates {
          let part = start..<start + update.rank
          downs.rows(part).copy(from: update.down)
          update.copyUp(into: ups.columns(part))
          start = part.upperBound
        }
        return (
          up: ColumnMatrix(transposing: ups).transposed.qr(),
          down: ColumnMatrix(transposing: downs).qr()
        )
      }
    }
    (left, right) = (factors.up.q, factors.down.q)
    core = factors.up.r.times(factors.down.r.transposed)
  }
  guard let svd = core.singularValues() else { return nil }
  let kept = entry.rank
  var u = svd.u.prefix(columns: kept)
  var v = svd.vt.transposed.prefix(columns: kept)
  if let left { u = left.times(u) }
  if let right { v = right.times(v) }
  let (down, up) = (result.down(entry), result.up(entry))
  for index in 0..<kept {
    // The root of the singular value goes to either side.
    let root = svd.values[index].squareRoot()
    for row in 0..<entry.output { up[row, index] = Float(root * u[row, index]) }
    for column in 0..<entry.input { down[index, column] = Float(root * v[column, index]) }
  }
  let squares = svd.values.map { $0 * $0 }
  return (squares.dropFirst(kept).reduce(0, +), squares.reduce(0, +))
}

extension LowRankUpdate {
  /// Whether the change is held whole.
  fileprivate var isDense: Bool { if case .identity = up { true } else { false } }

  /// target = scale · up, shape (out, r).
  fileprivate func copyUp(into target: Matrix<S>) {
    for row in 0..<target.rows {
      for column in 0..<target.columns {
        switch up {
        case .outputFirst(let up): target[row, column] = scale * up[row, column]
        case .rankFirst(let up): target[row, column] = scale * up[column, row]
        case .oneHot(let ids): target[row, column] = Int(ids[column]) == row ? scale : 0
        case .identity: preconditionFailure("a change that is held whole has no factors")
        }
      }
    }
  }

  /// target += scale · up · down, shape (out, in).
  fileprivate func add(to target: Matrix<S>) {
    switch up {
    case .outputFirst(let up): multiply(up, down, into: target, scale: scale, keep: 1)
    case .rankFirst(let up): multiply(up, down, .first, into: target, scale: scale, keep: 1)
    case .oneHot(let ids):
      for (index, id) in ids.enumerated() {
        for column in 0..<target.columns { target[Int(id), column] += scale * down[index, column] }
      }
    case .identity:
      for row in 0..<target.rows {
        for column in 0..<target.columns { target[row, column] += scale * down[row, column] }
      }
    }
  }
}

extension AdapterConfiguration {
  /// Scale 1 and these ranks, by layer and by place in `kinds`.
  fileprivate init(kinds: [LinearKind], ranks: [[Int]]) {
    let counts = Dictionary(ranks.joined().map { ($0, 1) }, uniquingKeysWith: +)
    let most = counts.max { ($0.value, $0.key) < ($1.value, $1.key) }?.key ?? 1
    var pattern: [String: Int] = [:]
    for (place, kind) in kinds.enumerated() {
      let column = ranks.map { $0[place] }
      if Set(column).count == 1, let rank = column.first {
        if rank != most { pattern[kind.rawValue] = rank }
      } else {
        for (layer, rank) in column.enumerated() where rank != most {
          pattern["layers.\(layer).\(kind.rawValue)"] = rank
        }
      }
    }
    self.init(
      rank: most, alpha: Double(most), targetModules: kinds, rankPattern: pattern,
      alphaPattern: pattern.mapValues { Double($0) })
  }
}
