private import CKernels
import Storage

/// Products of f32 rows with a tile of weights that has just been decoded, on the calling thread.
///
/// They read the tile where the decoder left it, in the second cache, while a general product
/// copies both factors into panels at every call. They exist for f32 with AVX2 or AVX-512, eight
/// rows or more and a depth that 16 divides; elsewhere the functions say so and do nothing.
enum TileProduct {
  /// How many elements ``pack(_:into:)`` writes for x of shape (rows, depth).
  static func packedCount(rows: Int, depth: Int) -> Int { ck_product_packed_count(rows, depth) }

  /// Brings x, shape (R, in), into the order in which ``forward(rows:packed:tile:output:)`` reads it.
  ///
  /// Returns nil where these products do not exist or `target` is too small.
  static func pack<S>(_ x: Matrix<S>, into target: Matrix<S>) -> UnsafePointer<Float>? {
    guard let x = x as? Matrix<Float>, let target = target as? Matrix<Float>,
      ck_product_is_supported(x.rows, x.columns),
      packedCount(rows: x.rows, depth: x.columns) <= target.count
    else { return nil }
    ck_product_pack(x.rows, x.columns, x.pointer, x.stride, target.pointer)
    return UnsafePointer(target.pointer)
  }

  /// y = x Wᵀ. Shapes: x (rows, in) packed, W the tile (out, in), y (rows, out).
  static func forward<S>(
    rows: Int, packed: UnsafePointer<Float>, tile: Matrix<S>, output: Matrix<S>
  ) -> Bool {
    guard let tile = tile as? Matrix<Float>, let output = output as? Matrix<Float> else {
      return false
    }
    ck_product_forward(
      rows, tile.rows, tile.columns, packed, tile.pointer, output.pointer, output.stride)
    BLAS.count(rows, tile.rows, tile.columns)
    return true
  }

  /// dx = dy W, or dx += dy W where it `adds`. Shapes: dy (R, out), W the tile (out, in), dx (R, in).
  static func backward<S>(
    outputGradient dy: Matrix<S>, tile: Matrix<S>, inputGradient dx: Matrix<S>, adds: Bool
  ) -> Bool {
    guard let dy = dy as? Matrix<Float>, let tile = tile as? Matrix<Float>,
      let dx = dx as? Matrix<Float>, ck_product_is_supported(dx.rows, dx.columns)
    else { return false }
    ck_product_backward(
      dy.rows, tile.rows, tile.columns, dy.pointer, dy.stride, tile.pointer, dx.pointer, dx.stride,
      adds)
    BLAS.count(dy.rows, tile.rows, tile.columns)
    return true
  }
}
