private import CKernels
public import Storage

extension Double: Kernel {
  /// Calls `ck_rms_norm_forward_f64`.
  public static func rmsNormForward(
    _ rows: Int, _ n: Int, _ x: UnsafePointer<Double>, _ ldx: Int, _ w: UnsafePointer<Double>,
    _ epsilon: Double, _ y: UnsafeMutablePointer<Double>, _ ldy: Int
  ) {
    ck_rms_norm_forward_f64(
      rows, n, x, ldx, w, epsilon, y, ldy)
  }

  /// Calls `ck_rms_norm_backward_f64`.
  public static func rmsNormBackward(
    _ rows: Int, _ n: Int, _ x: UnsafePointer<Double>, _ ldx: Int, _ w: UnsafePointer<Double>,
    _ epsilon: Double, _ dy: UnsafePointer<Double>, _ lddy: Int,
    _ dx: UnsafeMutablePointer<Double>, _ lddx: Int, _ dw: UnsafeMutablePointer<Double>?
  ) {
    ck_rms_norm_backward_f64(
      rows, n, x, ldx, w, epsilon, dy, lddy, dx, lddx, dw)
  }

  /// Calls `ck_rms_norm_forward_tangent_f64`.
  public static func rmsNormForwardTangent(
    _ rows: Int, _ n: Int, _ x: UnsafePointer<Double>, _ ldx: Int, _ xt: UnsafePointer<Double>,
    _ ldxt: Int, _ w: UnsafePointer<Double>, _ wt: UnsafePointer<Double>?, _ epsilon: Double,
    _ yt: UnsafeMutablePointer<Double>, _ ldyt: Int
  ) {
    ck_rms_norm_forward_tangent_f64(
      rows, n, x, ldx, xt, ldxt, w, wt, epsilon, yt, ldyt)
  }

  /// Calls `ck_rms_norm_backward_tangent_f64`.
  public static func rmsNormBackwardTangent(
    _ rows: Int, _ n: Int, _ x: UnsafePointer<Double>, _ ldx: Int, _ xt: UnsafePointer<Double>,
    _ ldxt: Int, _ w: UnsafePointer<Double>, _ wt: UnsafePointer<Double>?, _ epsilon: Double,
    _ dy: UnsafePointer<Double>, _ lddy: Int, _ dyt: UnsafePointer<Double>, _ lddyt: Int,
    _ dxt: UnsafeMutablePointer<Double>, _ lddxt: Int, _ dwt: UnsafeMutablePointer<Double>?
  ) {
    ck_rms_norm_backward_tangent_f64(
      rows, n, x, ldx, xt, ldxt, w, wt, epsilon, dy, lddy, dyt, lddyt, dxt, lddxt, dwt)
  }

  /// Calls `ck_swiglu_forward_f64`.
  public static func swigluForward(
    _ rows: Int, _ n: Int, _ g: UnsafePointer<Double>, _ ldg: Int, _ u: UnsafePointer<Double>,
    _ ldu: Int, _ y: UnsafeMutablePointer<Double>, _ ldy: Int
  ) {
    ck_swiglu_forward_f64(
      rows, n, g, ldg, u, ldu, y, ldy)
  }

  /// Calls `ck_swiglu_backward_f64`.
  public static func swigluBackward(
    _ rows: Int, _ n: Int, _ g: UnsafePointer<Double>, _ ldg: Int, _ u: UnsafePointer<Double>,
    _ ldu: Int, _ dy: UnsafePointer<Double>, _ lddy: Int, _ dg: UnsafeMutablePointer<Double>,
    _ lddg: Int, _ du: UnsafeMutablePointer<Double>, _ lddu: Int
  ) {
    ck_swiglu_backward_f64(
      rows, n, g, ldg, u, ldu, dy, lddy, dg, lddg, du, lddu)
  }

  /// Calls `ck_swiglu_forward_tangent_f64`.
  public static func swigluForwardTangent(
    _ rows: Int, _ n: Int, _ g: UnsafePointer<Double>, _ ldg: Int, _ u: UnsafePointer<Double>,
    _ ldu: Int, _ gt: UnsafePointer<Double>, _ ldgt: Int, _ ut: UnsafePointer<Double>,
    _ ldut: Int, _ yt: UnsafeMutablePointer<Double>, _ ldyt: Int
  ) {
    ck_swiglu_forward_tangent_f64(
      rows, n, g, ldg, u, ldu, gt, ldgt, ut, ldut, yt, ldyt)
  }

  /// Calls `ck_swiglu_backward_tangent_f64`.
  public static func swigluBackwardTangent(
    _ rows: Int, _ n: Int, _ g: UnsafePointer<Double>, _ ldg: Int, _ u: UnsafePointer<Double>,
    _ ldu: Int, _ gt: UnsafePointer<Double>, _ ldgt: Int, _ ut: UnsafePointer<Double>,
    _ ldut: Int, _ dy: UnsafePointer<Double>, _ lddy: Int, _ dyt: UnsafePointer<Double>,
    _ lddyt: Int, _ dgt: UnsafeMutablePointer<Double>, _ lddgt: Int,
    _ dut: UnsafeMutablePointer<Double>, _ lddut: Int
  ) {
    ck_swiglu_backward_tangent_f64(
      rows, n, g, ldg, u, ldu, gt, ldgt, ut, ldut, dy, lddy, dyt, lddyt, dgt, lddgt, dut, lddut)
  }

  /// Calls `ck_rotary_f64`.
  public static func rotary(
    _ rows: Int, _ heads: Int, _ d: Int, _ x: UnsafeMutablePointer<Double>, _ ldx: Int,
    _ positions: UnsafePointer<Int32>, _ cosines: UnsafePointer<Double>,
    _ sines: UnsafePointer<Double>, _ direction: Double
  ) {
    ck_rotary_f64(
      rows, heads, d, x, ldx, positions, cosines, sines, direction)
  }

  /// Calls `ck_dropout_forward_f64`.
  public static func dropoutForward(
    _ rows: Int, _ n: Int, _ x: UnsafePointer<Double>, _ ldx: Int, _ seeds: UnsafePointer<UInt64>,
    _ threshold: UInt64, _ scale: Double, _ y: UnsafeMutablePointer<Double>, _ ldy: Int
  ) {
    ck_dropout_forward_f64(
      rows, n, x, ldx, seeds, threshold, scale, y, ldy)
  }

  /// Calls `ck_dropout_backward_f64`.
  public static func dropoutBackward(
    _ rows: Int, _ n: Int, _ dy: UnsafePointer<Double>, _ lddy: Int,
    _ seeds: UnsafePointer<UInt64>, _ threshold: UInt64, _ scale: Double,
    _ dx: UnsafeMutablePointer<Double>, _ lddx: Int
  ) {
    ck_dropout_backward_f64(
      rows, n, dy, lddy, seeds, threshold, scale, dx, lddx)
  }

  /// Calls `ck_softmax_f64`.
  public static func softmax(
    _ rows: Int, _ first: Int, _ columns: Int, _ s: UnsafeMutablePointer<Double>, _ lds: Int
  ) {
    ck_softmax_f64(
      rows, first, columns, s, lds)
  }

  /// Calls `ck_softmax_derivative_f64`.
  public static func softmaxDerivative(
    _ rows: Int, _ first: Int, _ columns: Int, _ p: UnsafePointer<Double>, _ ldp: Int,
    _ d: UnsafeMutablePointer<Double>, _ ldd: Int
  ) {
    ck_softmax_derivative_f64(
      rows, first, columns, p, ldp, d, ldd)
  }

  /// Calls `ck_softmax_backward_tangent_f64`.
  public static func softmaxBackwardTangent(
    _ rows: Int, _ first: Int, _ columns: Int, _ p: UnsafePointer<Double>, _ ldp: Int,
    _ pt: UnsafePointer<Double>, _ ldpt: Int, _ d: UnsafeMutablePointer<Double>, _ ldd: Int,
    _ dt: UnsafeMutablePointer<Double>, _ lddt: Int
  ) {
    ck_softmax_backward_tangent_f64(
      rows, first, columns, p, ldp, pt, ldpt, d, ldd, dt, lddt)
  }

  /// Calls `ck_cross_entropy_forward_f64`.
  public static func crossEntropyForward(
    _ rows: Int, _ n: Int, _ z: UnsafePointer<Double>, _ ldz: Int,
    _ targets: UnsafePointer<Int32>, _ nll: UnsafeMutablePointer<Double>,
    _ correct: UnsafeMutablePointer<UInt8>
  ) {
    ck_cross_entropy_forward_f64(
      rows, n, z, ldz, targets, nll, correct)
  }

  /// Calls `ck_cross_entropy_backward_f64`.
  public static func crossEntropyBackward(
    _ rows: Int, _ n: Int, _ z: UnsafeMutablePointer<Double>, _ ldz: Int,
    _ targets: UnsafePointer<Int32>, _ weights: UnsafePointer<Double>
  ) -> Double {
    ck_cross_entropy_backward_f64(
      rows, n, z, ldz, targets, weights)
  }

  /// Calls `ck_cross_entropy_backward_tangent_f64`.
  public static func crossEntropyBackwardTangent(
    _ rows: Int, _ n: Int, _ z: UnsafeMutablePointer<Double>, _ ldz: Int,
    _ zt: UnsafeMutablePointer<Double>, _ ldzt: Int, _ targets: UnsafePointer<Int32>,
    _ weights: UnsafePointer<Double>
  ) {
    ck_cross_entropy_backward_tangent_f64(
      rows, n, z, ldz, zt, ldzt, targets, weights)
  }

  /// Calls `ck_cross_entropy_tangent_f64`.
  public static func crossEntropyTangent(
    _ rows: Int, _ n: Int, _ d: UnsafePointer<Double>, _ ldd: Int,
    _ zt: UnsafeMutablePointer<Double>,
    _ ldzt: Int, _ targets: UnsafePointer<Int32>, _ weights: UnsafePointer<Double>
  ) {
    ck_cross_entropy_tangent_f64(
      rows, n, d, ldd, zt, ldzt, targets, weights)
  }

  /// Calls `ck_divergence_backward_f64`.
  public static func divergenceBackward(
    _ rows: Int, _ n: Int, _ z: UnsafeMutablePointer<Double>, _ ldz: Int,
    _ t: UnsafePointer<Double>, _ ldt: Int, _ weights: UnsafePointer<Double>
  ) -> Double {
    ck_divergence_backward_f64(
      rows, n, z, ldz, t, ldt, weights)
  }

  /// Calls `ck_to_bf16_f64`.
  public static func toBF16(
    _ n: Int, _ x: UnsafePointer<Double>, _ y: UnsafeMutablePointer<UInt16>
  ) { ck_to_bf16_f64(n, x, y) }

  /// Calls `ck_from_bf16_f64`.
  public static func fromBF16(
    _ n: Int, _ x: UnsafePointer<UInt16>, _ y: UnsafeMutablePointer<Double>
  ) { ck_from_bf16_f64(n, x, y) }

  /// Calls `ck_add_scaled_f64`.
  public static func addScaled(
    _ rows: Int, _ n: Int, _ scale: Double, _ x: UnsafePointer<Double>, _ ldx: Int,
    _ y: UnsafeMutablePointer<Double>, _ ldy: Int
  ) {
    ck_add_scaled_f64(
      rows, n, scale, x, ldx, y, ldy)
  }

  /// Calls `ck_scale_f64`.
  public static func scale(
    _ n: Int, _ scale: Double, _ x: UnsafeMutablePointer<Double>
  ) {
    ck_scale_f64(
      n, scale, x)
  }

  /// Calls `ck_dot_f64`.
  public static func dot(
    _ n: Int, _ x: UnsafePointer<Double>, _ y: UnsafePointer<Double>
  ) -> Double {
    ck_dot_f64(
      n, x, y)
  }

  /// Calls `ck_is_finite_f64`.
  public static func isFinite(
    _ n: Int, _ x: UnsafePointer<Double>
  ) -> Bool {
    ck_is_finite_f64(
      n, x)
  }

  /// Calls `ck_adamw_f64`.
  public static func adamw(
    _ n: Int, _ parameter: UnsafeMutablePointer<Double>, _ gradient: UnsafePointer<Double>,
    _ first: UnsafeMutablePointer<Double>, _ second: UnsafeMutablePointer<Double>,
    _ learningRate: Double, _ beta1: Double, _ beta2: Double, _ epsilon: Double,
    _ weightDecay: Double, _ correction1: Double, _ correction2: Double
  ) {
    ck_adamw_f64(
      n, parameter, gradient, first, second, learningRate, beta1, beta2, epsilon, weightDecay,
      correction1, correction2)
  }
}
