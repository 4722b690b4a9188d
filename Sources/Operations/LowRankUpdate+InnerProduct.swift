import Storage

extension LowRankUpdate where S: Kernel {
  /// ⟨ΔW, ΔW′⟩ = Σ ΔW ∘ ΔW′ through the factors, summed in f64: for up · down and up′ · down′ it
  /// is Σ (down down′ᵀ) ∘ (upᵀ up′), (r, r′).
  public func innerProduct(_ other: LowRankUpdate) -> Double {
    if down.rows == 0 || other.down.rows == 0 { return 0 }
    let factors = Double(scale) * Double(other.scale)
    switch (up, other.up) {
    case (.identity, .identity): return factors * Elementwise.dot(down, other.down)
    case (.identity, _): return factors * other.innerProduct(whole: down)
    case (_, .identity): return factors * innerProduct(whole: other.down)
    default:
      return withScratch(down.rows, other.down.rows) { inputs in
        multiply(down, other.down, .second, into: inputs)
        return withScratch(down.rows, other.down.rows) { outputs in
          self.outputProducts(with: other, into: outputs)
          return factors * Elementwise.dot(inputs, outputs)
        }
      }
    }
  }

  /// ⟨up · down, G⟩ for G of shape (out, in).
  private func innerProduct(whole: Matrix<S>) -> Double {
    withScratch(down.rows, whole.rows) { moved in
      multiply(down, whole, .second, into: moved)
      switch up {
      case .rankFirst(let up): return Elementwise.dot(moved, up)
      case .oneHot, .outputFirst:
        return (0..<moved.rows).reduce(0.0) { sum, token in
          sum
            + (0..<moved.columns).reduce(0.0) {
              $0 + Double(moved[token, $1]) * Double(output(token, $1))
            }
        }
      case .identity: return 0
      }
    }
  }

  /// Fills target[i, j] with the product of the output sides of factors i and j.
  private func outputProducts(with other: LowRankUpdate, into target: Matrix<S>) {
    switch (up, other.up) {
    case (.rankFirst(let left), .rankFirst(let right)):
      multiply(left, right, .second, into: target)
    case (.outputFirst(let left), .outputFirst(let right)):
      multiply(left, right, .first, into: target)
    case (.rankFirst(let left), .outputFirst(let right)):
      multiply(left, right, into: target)
    case (_, .oneHot(let ids)):
      for row in 0..<target.rows {
        for (column, id) in ids.enumerated() { target[row, column] = output(row, Int(id)) }
      }
    case (.oneHot(let ids), _):
      for (row, id) in ids.enumerated() {
        for column in 0..<target.columns { target[row, column] = other.output(column, Int(id)) }
      }
    case (.outputFirst(let left), .rankFirst(let right)):
      for row in 0..<target.rows {
        for column in 0..<target.columns {
          target[row, column] = (0..<left.rows).reduce(0) {
            $0 + left[$1, row] * right[column, $1]
          }
        }
      }
    case (.identity, _), (_, .identity): break
    }
  }

  /// What factor `index` does to output `id`.
  private func output(_ index: Int, _ id: Int) -> S {
    switch up {
    case .outputFirst(let up): up[id, index]
    case .rankFirst(let up): up[index, id]
    case .oneHot(let ids): Int(ids[index]) == id ? 1 : 0
    case .identity: index == id ? 1 : 0
    }
  }

  private func withScratch(
    _ rows: Int, _ columns: Int, _ body: (Matrix<S>) -> Double
  ) -> Double {
    let buffer = UnsafeMutablePointer<S>.allocate(capacity: rows * columns)
    defer { buffer.deallocate() }
    return body(Matrix(buffer, rows: rows, columns: columns))
  }
}
