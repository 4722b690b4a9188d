private import CKernels
import Storage

/// Products of f32 rows with a tile of weights that has just been decoded, on the calling thread.
///
/// They read the tile where the decoder left it, in the second cache, while a general product
/// copies both factors into panels at every call. Where the processor has AVX2 or AVX-512.
enum TileProduct {
  /// How many elements ``pack(_:into:)`` writes for x of shape (rows, depth); nil where these
  /// products do not exist: other processors, a few rows, a depth that 16 does not divide.
  static func packedCount(rows: Int, depth: Int) -> Int? {
    ck_product_is_supported(rows, depth) ? ck_product_packed_count(rows, depth) : nil
  }

  /// Brings x, shape (R, in), into the order in which ``forward(rows:packed:tile:output:)`` reads it.
  static func pack(_ x: Matrix<Float>, into packed: UnsafeMutablePointer<Float>) {
    ck_product_pack(x.rows, x.columns, x.pointer, x.stride, packed)
  }

  /// y = x Wᵀ. Shapes: x (rows, in) packed, W the tile (out, in), y (rows, out).
  static func forward(
    rows: Int, packed: UnsafePointer<Float>, tile: Matrix<Float>, output: Matrix<Float>
  ) {
    ck_product_forward(
      rows, tile.rows, tile.columns, packed, tile.pointer, output.pointer, output.stride)
    BLAS.count(rows, tile.rows, tile.columns)
  }

  /// dx = dy W, or dx += dy W where it `adds`. Shapes: dy (R, out), W the tile (out, in), dx (R, in).
  static func backward(
    outputGradient dy: Matrix<Float>, tile: Matrix<Float>, inputGradient dx: Matrix<Float>,
    adds: Bool
  ) {
    ck_product_backward(
      dy.rows, tile.rows, tile.columns, dy.pointer, dy.stride, tile.pointer, dx.pointer, dx.stride,
      adds)
    BLAS.count(dy.rows, tile.rows, tile.columns)
  }
}
