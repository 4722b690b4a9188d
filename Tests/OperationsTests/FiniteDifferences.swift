import Operations
import Storage

/// Small matrices of f64 with a fixed stream of numbers.
final class Numbers {
  private let arena = Arena()
  private var random = SplitMix64(seed: 42)

  func matrix(_ rows: Int, _ columns: Int, scale: Double = 1) -> Matrix<Double> {
    let result: Matrix<Double> = arena.matrix(rows, columns, for: .scratch)
    for index in 0..<result.count { result.pointer[index] = (random.uniform() * 2 - 1) * scale }
    return result
  }

  func zeros(_ rows: Int, _ columns: Int) -> Matrix<Double> {
    arena.matrix(rows, columns, for: .scratch)
  }

  /// x + t · direction.
  func moved(_ x: Matrix<Double>, _ direction: Matrix<Double>, _ t: Double) -> Matrix<Double> {
    let result = zeros(x.rows, x.columns)
    result.copy(from: x)
    Elementwise.addScaled(direction, scale: t, into: result)
    return result
  }
}

/// (f(h) − f(−h)) / 2h of a matrix-valued function. With h = 1e-5 its error is about 1e-9 for
/// functions of order 1 in f64, so 1e-7 is a safe tolerance.
func derivative(_ f: (Double) -> [Double]) -> [Double] {
  let h = 1e-5
  return zip(f(h), f(-h)).map { ($0 - $1) / (2 * h) }
}

/// The largest difference relative to the largest value.
func difference(_ a: [Double], _ b: [Double]) -> Double {
  precondition(a.count == b.count && !a.isEmpty)
  let scale = b.map(abs).max() ?? 1
  return (zip(a, b).map { abs($0 - $1) }.max() ?? 0) / max(scale, 1e-12)
}
