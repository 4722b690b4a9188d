private import Foundation
public import Storage
public import Weights

/// Cosines and sines of the rotary angles, shape (positions, d / 2); computed in f64.
public struct RotaryTable<S: Kernel>: Sendable {
  let cosines: Matrix<S>
  let sines: Matrix<S>
  /// d.
  public let headDim: Int
  private let arena: Arena

  /// Angles position · theta^(−2 j / d), j < d / 2, after `scaling` (Su et al. 2021).
  public init(positions: Int, headDim: Int, theta: Double, scaling: Architecture.RopeScaling?) {
    let half = headDim / 2
    let arena = Arena()
    cosines = arena.matrix(positions, half, for: .scratch)
    sines = arena.matrix(positions, half, for: .scratch)
    for column in 0..<half {
      let plain = pow(theta, -2 * Double(column) / Double(headDim))
      let frequency = scaling?.scaled(plain) ?? plain
      for position in 0..<positions {
        cosines[position, column] = S(cos(Double(position) * frequency))
        sines[position, column] = S(sin(Double(position) * frequency))
      }
    }
    self.headDim = headDim
    self.arena = arena
  }
}

/// Rotary position embedding of queries and keys, half-split as Hugging Face has it, in place.
///
/// It is linear, so the tangent is the same operation. x has shape (T, heads · d).
public enum Rotary {
  /// Rotates each row by its position's angles.
  public static func forward<S: Kernel>(
    x: Matrix<S>, heads: Int, positions: UnsafePointer<Int32>, table: RotaryTable<S>
  ) {
    rotate(x, heads, positions, table, direction: 1)
  }

  /// Rotates the gradient of the result back into the gradient of x.
  public static func backward<S: Kernel>(
    dx: Matrix<S>, heads: Int, positions: UnsafePointer<Int32>, table: RotaryTable<S>
  ) {
    rotate(dx, heads, positions, table, direction: -1)
  }

  private static func rotate<S: Kernel>(
    _ x: Matrix<S>, _ heads: Int, _ positions: UnsafePointer<Int32>, _ table: RotaryTable<S>,
    direction: S
  ) {
    precondition(x.columns == heads * table.headDim)
    for row in 0..<x.rows {
      precondition(positions[row] >= 0 && Int(positions[row]) < table.cosines.rows)
    }
    S.rotary(
      x.rows, heads, table.headDim, x.pointer, x.stride, positions, table.cosines.pointer,
      table.sines.pointer, direction)
  }
}
