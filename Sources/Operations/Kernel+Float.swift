private import CKernels
public import Storage

extension Float: Kernel {
  /// Calls `ck_rms_norm_forward_f32`.
  public static func rmsNormForward(
    _ rows: Int, _ n: Int, _ x: UnsafePointer<Float>, _ ldx: Int, _ w: UnsafePointer<Float>,
    _ epsilon: Float, _ y: UnsafeMutablePointer<Float>, _ ldy: Int
  ) {
    ck_rms_norm_forward_f32(
      rows, n, x, ldx, w, epsilon, y, ldy)
  }

  /// Calls `ck_rms_norm_backward_f32`.
  public static func rmsNormBackward(
    _ rows: Int, _ n: Int, _ x: UnsafePointer<Float>, _ ldx: Int, _ w: UnsafePointer<Float>,
    _ epsilon: Float, _ dy: UnsafePointer<Float>, _ lddy: Int, _ dx: UnsafeMutablePointer<Float>,
    _ lddx: Int, _ dw: UnsafeMutablePointer<Float>?
  ) {
    ck_rms_norm_backward_f32(
      rows, n, x, ldx, w, epsilon, dy, lddy, dx, lddx, dw)
  }

  /// Calls `ck_rms_norm_forward_tangent_f32`.
  public static func rmsNormForwardTangent(
    _ rows: Int, _ n: Int, _ x: UnsafePointer<Float>, _ ldx: Int, _ xt: UnsafePointer<Float>,
    _ ldxt: Int, _ w: UnsafePointer<Float>, _ wt: UnsafePointer<Float>?, _ epsilon: Float,
    _ yt: UnsafeMutablePointer<Float>, _ ldyt: Int
  ) {
    ck_rms_norm_forward_tangent_f32(
      rows, n, x, ldx, xt, ldxt, w, wt, epsilon, yt, ldyt)
  }

  /// Calls `ck_rms_norm_backward_tangent_f32`.
  public static func rmsNormBackwardTangent(
    _ rows: Int, _ n: Int, _ x: UnsafePointer<Float>, _ ldx: Int, _ xt: UnsafePointer<Float>,
    _ ldxt: Int, _ w: UnsafePointer<Float>, _ wt: UnsafePointer<Float>?, _ epsilon: Float,
    _ dy: UnsafePointer<Float>, _ lddy: Int, _ dyt: UnsafePointer<Float>, _ lddyt: Int,
    _ dxt: UnsafeMutablePointer<Float>, _ lddxt: Int, _ dwt: UnsafeMutablePointer<Float>?
  ) {
    ck_rms_norm_backward_tangent_f32(
      rows, n, x, ldx, xt, ldxt, w, wt, epsilon, dy, lddy, dyt, lddyt, dxt, lddxt, dwt)
  }

  /// Calls `ck_swiglu_forward_f32`.
  public static func swigluForward(
    _ rows: Int, _ n: Int, _ g: UnsafePointer<Float>, _ ldg: Int, _ u: UnsafePointer<Float>,
    _ ldu: Int, _ y: UnsafeMutablePointer<Float>, _ ldy: Int
  ) {
    ck_swiglu_forward_f32(
      rows, n, g, ldg, u, ldu, y, ldy)
  }

  /// Calls `ck_swiglu_backward_f32`.
  public static func swigluBackward(
    _ rows: Int, _ n: Int, _ g: UnsafePointer<Float>, _ ldg: Int, _ u: UnsafePointer<Float>,
    _ ldu: Int, _ dy: UnsafePointer<Float>, _ lddy: Int, _ dg: UnsafeMutablePointer<Float>,
    _ lddg: Int, _ du: UnsafeMutablePointer<Float>, _ lddu: Int
  ) {
    ck_swiglu_backward_f32(
      rows, n, g, ldg, u, ldu, dy, lddy, dg, lddg, du, lddu)
  }

  /// Calls `ck_swiglu_forward_tangent_f32`.
  public static func swigluForwardTangent(
    _ rows: Int, _ n: Int, _ g: UnsafePointer<Float>, _ ldg: Int, _ u: UnsafePointer<Float>,
    _ ldu: Int, _ gt: UnsafePointer<Float>, _ ldgt: Int, _ ut: UnsafePointer<Float>, _ ldut: Int,
    _ yt: UnsafeMutablePointer<Float>, _ ldyt: Int
  ) {
    ck_swiglu_forward_tangent_f32(
      rows, n, g, ldg, u, ldu, gt, ldgt, ut, ldut, yt, ldyt)
  }

  /// Calls `ck_swiglu_backward_tangent_f32`.
  public static func swigluBackwardTangent(
    _ rows: Int, _ n: Int, _ g: UnsafePointer<Float>, _ ldg: Int, _ u: UnsafePointer<Float>,
    _ ldu: Int, _ gt: UnsafePointer<Float>, _ ldgt: Int, _ ut: UnsafePointer<Float>, _ ldut: Int,
    _ dy: UnsafePointer<Float>, _ lddy: Int, _ dyt: UnsafePointer<Float>, _ lddyt: Int,
    _ dgt: UnsafeMutablePointer<Float>, _ lddgt: Int, _ dut: UnsafeMutablePointer<Float>,
    _ lddut: Int
  ) {
    ck_swiglu_backward_tangent_f32(
      rows, n, g, ldg, u, ldu, gt, ldgt, ut, ldut, dy, lddy, dyt, lddyt, dgt, lddgt, dut, lddut)
  }

  /// Calls `ck_rotary_f32`.
  public static func rotary(
    _ rows: Int, _ heads: Int, _ d: Int, _ x: UnsafeMutablePointer<Float>, _ ldx: Int,
    _ positions: UnsafePointer<Int32>, _ cosines: UnsafePointer<Float>,
    _ sines: UnsafePointer<Float>, _ direction: Float
  ) {
    ck_rotary_f32(
      rows, heads, d, x, ldx, positions, cosines, sines, direction)
  }

  /// Calls `ck_dropout_forward_f32`.
  public static func dropoutForward(
    _ rows: Int, _ n: Int, _ x: UnsafePointer<Float>, _ ldx: Int, _ seeds: UnsafePointer<UInt64>,
    _ threshold: UInt64, _ scale: Float, _ y: UnsafeMutablePointer<Float>, _ ldy: Int
  ) {
    ck_dropout_forward_f32(
      rows, n, x, ldx, seeds, threshold, scale, y, ldy)
  }

  /// Calls `ck_dropout_backward_f32`.
  public static func dropoutBackward(
    _ rows: Int, _ n: Int, _ dy: UnsafePointer<Float>, _ lddy: Int,
    _ seeds: UnsafePointer<UInt64>, _ threshold: UInt64, _ scale: Float,
    _ dx: UnsafeMutablePointer<Float>, _ lddx: Int
  ) {
    ck_dropout_backward_f32(
      rows, n, dy, lddy, seeds, threshold, scale, dx, lddx)
  }

  /// Calls `ck_softmax_f32`.
  public static func softmax(
    _ rows: Int, _ first: Int, _ columns: Int, _ s: UnsafeMutablePointer<Float>, _ lds: Int
  ) {
    ck_softmax_f32(
      rows, first, columns, s, lds)
  }

  /// Calls `ck_softmax_derivative_f32`.
  public static func softmaxDerivative(
    _ rows: Int, _ first: Int, _ columns: Int, _ p: UnsafePointer<Float>, _ ldp: Int,
    _ d: UnsafeMutablePointer<Float>, _ ldd: Int
  ) {
    ck_softmax_derivative_f32(
      rows, first, columns, p, ldp, d, ldd)
  }

  /// Calls `ck_softmax_backward_tangent_f32`.
  public static func softmaxBackwardTangent(
    _ rows: Int, _ first: Int, _ columns: Int, _ p: UnsafePointer<Float>, _ ldp: Int,
    _ pt: UnsafePointer<Float>, _ ldpt: Int, _ d: UnsafeMutablePointer<Float>, _ ldd: Int,
    _ dt: UnsafeMutablePointer<Float>, _ lddt: Int
  ) {
    ck_softmax_backward_tangent_f32(
      rows, first, columns, p, ldp, pt, ldpt, d, ldd, dt, lddt)
  }

  /// Calls `ck_cross_entropy_forward_f32`.
  public static func crossEntropyForward(
    _ rows: Int, _ n: Int, _ z: UnsafePointer<Float>, _ ldz: Int, _ targets: UnsafePointer<Int32>,
    _ nll: UnsafeMutablePointer<Double>, _ correct: UnsafeMutablePointer<UInt8>
  ) {
    ck_cross_entropy_forward_f32(
      rows, n, z, ldz, targets, nll, correct)
  }

  /// Calls `ck_cross_entropy_backward_f32`.
  public static func crossEntropyBackward(
    _ rows: Int, _ n: Int, _ z: UnsafeMutablePointer<Float>, _ ldz: Int,
    _ targets: UnsafePointer<Int32>, _ weights: UnsafePointer<Float>
  ) -> Double {
    ck_cross_entropy_backward_f32(
      rows, n, z, ldz, targets, weights)
  }

  /// Calls `ck_cross_entropy_backward_tangent_f32`.
  public static func crossEntropyBackwardTangent(
    _ rows: Int, _ n: Int, _ z: UnsafeMutablePointer<Float>, _ ldz: Int,
    _ zt: UnsafeMutablePointer<Float>, _ ldzt: Int, _ targets: UnsafePointer<Int32>,
    _ weights: UnsafePointer<Float>
  ) {
    ck_cross_entropy_backward_tangent_f32(
      rows, n, z, ldz, zt, ldzt, targets, weights)
  }

  /// Calls `ck_cross_entropy_tangent_f32`.
  public static func crossEntropyTangent(
    _ rows: Int, _ n: Int, _ d: UnsafePointer<Float>, _ ldd: Int, _ zt: UnsafeMutablePointer<Float>,
    _ ldzt: Int, _ targets: UnsafePointer<Int32>, _ weights: UnsafePointer<Float>
  ) {
    ck_cross_entropy_tangent_f32(
      rows, n, d, ldd, zt, ldzt, targets, weights)
  }

  /// Calls `ck_divergence_backward_f32`.
  public static func divergenceBackward(
    _ rows: Int, _ n: Int, _ z: UnsafeMutablePointer<Float>, _ ldz: Int,
    _ t: UnsafePointer<Float>, _ ldt: Int, _ weights: UnsafePointer<Float>
  ) -> Double {
    ck_divergence_backward_f32(
      rows, n, z, ldz, t, ldt, weights)
  }

  /// Calls `ck_to_bf16_f32`.
  public static func toBF16(
    _ n: Int, _ x: UnsafePointer<Float>, _ y: UnsafeMutablePointer<UInt16>
  ) { ck_to_bf16_f32(n, x, y) }

  /// Calls `ck_from_bf16_f32`.
  public static func fromBF16(
    _ n: Int, _ x: UnsafePointer<UInt16>, _ y: UnsafeMutablePointer<Float>
  ) { ck_from_bf16_f32(n, x, y) }

  /// Calls `ck_add_scaled_f32`.
  public static func addScaled(
    _ rows: Int, _ n: Int, _ scale: Float, _ x: UnsafePointer<Float>, _ ldx: Int,
    _ y: UnsafeMutablePointer<Float>, _ ldy: Int
  ) {
    ck_add_scaled_f32(
      rows, n, scale, x, ldx, y, ldy)
  }

  /// Calls `ck_scale_f32`.
  public static func scale(
    _ n: Int, _ scale: Float, _ x: UnsafeMutablePointer<Float>
  ) {
    ck_scale_f32(
      n, scale, x)
  }

  /// Calls `ck_dot_f32`.
  public static func dot(
    _ n: Int, _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>
  ) -> Double {
    ck_dot_f32(
      n, x, y)
  }

  /// Calls `ck_is_finite_f32`.
  public static func isFinite(
    _ n: Int, _ x: UnsafePointer<Float>
  ) -> Bool {
    ck_is_finite_f32(
      n, x)
  }

  /// Calls `ck_adamw_f32`.
  public static func adamw(
    _ n: Int, _ parameter: UnsafeMutablePointer<Float>, _ gradient: UnsafePointer<Float>,
    _ first: UnsafeMutablePointer<Float>, _ second: UnsafeMutablePointer<Float>,
    _ learningRate: Float, _ beta1: Float, _ beta2: Float, _ epsilon: Float, _ weightDecay: Float,
    _ correction1: Float, _ correction2: Float
  ) {
    ck_adamw_f32(
      n, parameter, gradient, first, second, learningRate, beta1, beta2, epsilon, weightDecay,
      correction1, correction2)
  }
}
