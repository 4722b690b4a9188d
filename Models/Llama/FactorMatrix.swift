import Operations
import Storage

/// How the factors of an inner step are stored.
public enum FactorStorage: String, CaseIterable, Codable, Sendable {
  /// Exact.
  case f32
  /// Half the memory; each factor is rounded to 8 significant bits.
  case bf16
}

/// Factors of one layer, (capacity, n): stored as they are, or as bf16 that is widened into a
/// scratch which the layers share.
struct FactorMatrix<S: Kernel>: @unchecked Sendable {
  /// What products read: the values themselves, or the scratch after ``load(_:workers:)``.
  let values: Matrix<S>
  private nonisolated(unsafe) let narrow: UnsafeMutablePointer<UInt16>?

  /// Values that are stored exactly.
  init(exact values: Matrix<S>) {
    self.values = values
    narrow = nil
  }

  /// Values that are stored as bf16 in `arena` and widened into `scratch`.
  init(narrowIn arena: Arena, scratch: Matrix<S>) {
    values = scratch
    narrow = arena.bytes(2 * scratch.count, for: .innerStep).baseAddress.unsafelyUnwrapped
      .assumingMemoryBound(to: UInt16.self)
  }

  /// Stores the rows of `source` from row `start` on.
  func store(_ source: Matrix<S>, at start: Int, workers: Workers) {
    workers.split(source.rows, grain: 4) { [self] rows, _ in
      guard let narrow else {
        values.rows(rows.shifted(by: start)).copy(from: source.rows(rows))
        return
      }
      for row in rows {
        S.toBF16(
          values.columns, source.pointer + row * source.stride,
          narrow + (start + row) * values.columns)
      }
    }
  }

  /// Widens the first `count` rows into the scratch, where they are narrow.
  func load(_ count: Int, workers: Workers) {
    if narrow == nil { return }
    workers.split(count, grain: 4) { [self] rows, _ in
      guard let narrow else { return }
      for row in rows {
        S.fromBF16(
          values.columns, narrow + row * values.columns, values.pointer + row * values.stride)
      }
    }
  }
}
