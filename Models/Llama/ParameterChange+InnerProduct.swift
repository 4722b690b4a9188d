import LoRA
import Operations
import Storage

extension ParameterChange {
  /// ⟨this, other⟩ in the tensor `key`, summed in f64. Factors that are stored as bf16 must be those
  /// of the layer that was loaded last.
  public func innerProduct(_ other: ParameterChange, in key: ParameterKey) -> Double {
    switch key {
    case .linear(let layer, let kind):
      let index = kind.place(in: layer)
      return product(linears[index], other.linears[index])
    case .bias(let layer, let kind):
      let index = kind.place(in: layer)
      return product(biases[index], other.biases[index])
    case .inputNorm(let layer): return product(norms[2 * layer], other.norms[2 * layer])
    case .postNorm(let layer): return product(norms[2 * layer + 1], other.norms[2 * layer + 1])
    case .norm: return product(norms[norms.count - 1], other.norms[norms.count - 1])
    case .embedding: return product(embedding.map(\.update), other.embedding.map(\.update))
    case .head: return product(head, other.head)
    }
  }

  private func product(_ left: [LowRankUpdate<S>], _ right: [LowRankUpdate<S>]) -> Double {
    left.reduce(0) { sum, a in right.reduce(sum) { $0 + a.innerProduct($1) } }
  }

  private func product(_ left: [VectorChange<S>], _ right: [VectorChange<S>]) -> Double {
    left.reduce(0) { sum, a in
      right.reduce(sum) {
        $0 + Double(a.scale) * Double($1.scale) * Elementwise.dot(a.values, $1.values)
      }
    }
  }
}
