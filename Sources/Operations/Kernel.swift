public import Storage

/// An element type that the C kernels exist for. Pointers, counts and row distances are those of
/// the C functions of the same names; the operations of this module are what to call.
public protocol Kernel: Scalar {
  /// The corresponding C functions are `ck_rms_norm_forward_f32` and `ck_rms_norm_forward_f64`.
  static func rmsNormForward(
    _ rows: Int, _ n: Int, _ x: UnsafePointer<Self>, _ ldx: Int, _ w: UnsafePointer<Self>,
    _ epsilon: Self, _ y: UnsafeMutablePointer<Self>, _ ldy: Int
  )

  /// The corresponding C functions are `ck_rms_norm_backward_f32` and `ck_rms_norm_backward_f64`.
  static func rmsNormBackward(
    _ rows: Int, _ n: Int, _ x: UnsafePointer<Self>, _ ldx: Int, _ w: UnsafePointer<Self>,
    _ epsilon: Self, _ dy: UnsafePointer<Self>, _ lddy: Int, _ dx: UnsafeMutablePointer<Self>,
    _ lddx: Int, _ dw: UnsafeMutablePointer<Self>?
  )

  /// The corresponding C functions are `ck_rms_norm_forward_tangent_f32` and `ck_rms_norm_forward_tangent_f64`.
  static func rmsNormForwardTangent(
    _ rows: Int, _ n: Int, _ x: UnsafePointer<Self>, _ ldx: Int, _ xt: UnsafePointer<Self>,
    _ ldxt: Int, _ w: UnsafePointer<Self>, _ wt: UnsafePointer<Self>?, _ epsilon: Self,
    _ yt: UnsafeMutablePointer<Self>, _ ldyt: Int
  )

  /// The corresponding C functions are `ck_rms_norm_backward_tangent_f32` and `ck_rms_norm_backward_tangent_f64`.
  static func rmsNormBackwardTangent(
    _ rows: Int, _ n: Int, _ x: UnsafePointer<Self>, _ ldx: Int, _ xt: UnsafePointer<Self>,
    _ ldxt: Int, _ w: UnsafePointer<Self>, _ wt: UnsafePointer<Self>?, _ epsilon: Self,
    _ dy: UnsafePointer<Self>, _ lddy: Int, _ dyt: UnsafePointer<Self>, _ lddyt: Int,
    _ dxt: UnsafeMutablePointer<Self>, _ lddxt: Int, _ dwt: UnsafeMutablePointer<Self>?
  )

  /// The corresponding C functions are `ck_swiglu_forward_f32` and `ck_swiglu_forward_f64`.
  static func swigluForward(
    _ rows: Int, _ n: Int, _ g: UnsafePointer<Self>, _ ldg: Int, _ u: UnsafePointer<Self>,
    _ ldu: Int, _ y: UnsafeMutablePointer<Self>, _ ldy: Int
  )

  /// The corresponding C functions are `ck_swiglu_backward_f32` and `ck_swiglu_backward_f64`.
  static func swigluBackward(
    _ rows: Int, _ n: Int, _ g: UnsafePointer<Self>, _ ldg: Int, _ u: UnsafePointer<Self>,
    _ ldu: Int, _ dy: UnsafePointer<Self>, _ lddy: Int, _ dg: UnsafeMutablePointer<Self>,
    _ lddg: Int, _ du: UnsafeMutablePointer<Self>, _ lddu: Int
  )

  /// The corresponding C functions are `ck_swiglu_forward_tangent_f32` and `ck_swiglu_forward_tangent_f64`.
  static func swigluForwardTangent(
    _ rows: Int, _ n: Int, _ g: UnsafePointer<Self>, _ ldg: Int, _ u: UnsafePointer<Self>,
    _ ldu: Int, _ gt: UnsafePointer<Self>, _ ldgt: Int, _ ut: UnsafePointer<Self>, _ ldut: Int,
    _ yt: UnsafeMutablePointer<Self>, _ ldyt: Int
  )

  /// The corresponding C functions are `ck_swiglu_backward_tangent_f32` and `ck_swiglu_backward_tangent_f64`.
  static func swigluBackwardTangent(
    _ rows: Int, _ n: Int, _ g: UnsafePointer<Self>, _ ldg: Int, _ u: UnsafePointer<Self>,
    _ ldu: Int, _ gt: UnsafePointer<Self>, _ ldgt: Int, _ ut: UnsafePointer<Self>, _ ldut: Int,
    _ dy: UnsafePointer<Self>, _ lddy: Int, _ dyt: UnsafePointer<Self>, _ lddyt: Int,
    _ dgt: UnsafeMutablePointer<Self>, _ lddgt: Int, _ dut: UnsafeMutablePointer<Self>,
    _ lddut: Int
  )

  /// The corresponding C functions are `ck_rotary_f32` and `ck_rotary_f64`.
  static func rotary(
    _ rows: Int, _ heads: Int, _ d: Int, _ x: UnsafeMutablePointer<Self>, _ ldx: Int,
    _ positions: UnsafePointer<Int32>, _ cosines: UnsafePointer<Self>,
    _ sines: UnsafePointer<Self>, _ direction: Self
  )

  /// The corresponding C functions are `ck_dropout_forward_f32` and `ck_dropout_forward_f64`.
  static func dropoutForward(
    _ rows: Int, _ n: Int, _ x: UnsafePointer<Self>, _ ldx: Int, _ seeds: UnsafePointer<UInt64>,
    _ threshold: UInt64, _ scale: Self, _ y: UnsafeMutablePointer<Self>, _ ldy: Int
  )

  /// The corresponding C functions are `ck_dropout_backward_f32` and `ck_dropout_backward_f64`.
  static func dropoutBackward(
    _ rows: Int, _ n: Int, _ dy: UnsafePointer<Self>, _ lddy: Int,
    _ seeds: UnsafePointer<UInt64>, _ threshold: UInt64, _ scale: Self,
    _ dx: UnsafeMutablePointer<Self>, _ lddx: Int
  )

  /// The corresponding C functions are `ck_softmax_f32` and `ck_softmax_f64`.
  static func softmax(
    _ rows: Int, _ first: Int, _ columns: Int, _ s: UnsafeMutablePointer<Self>, _ lds: Int
  )

  /// The corresponding C functions are `ck_softmax_derivative_f32` and `ck_softmax_derivative_f64`.
  static func softmaxDerivative(
    _ rows: Int, _ first: Int, _ columns: Int, _ p: UnsafePointer<Self>, _ ldp: Int,
    _ d: UnsafeMutablePointer<Self>, _ ldd: Int
  )

  /// The corresponding C functions are `ck_softmax_backward_tangent_f32` and `ck_softmax_backward_tangent_f64`.
  static func softmaxBackwardTangent(
    _ rows: Int, _ first: Int, _ columns: Int, _ p: UnsafePointer<Self>, _ ldp: Int,
    _ pt: UnsafePointer<Self>, _ ldpt: Int, _ d: UnsafeMutablePointer<Self>, _ ldd: Int,
    _ dt: UnsafeMutablePointer<Self>, _ lddt: Int
  )

  /// The corresponding C functions are `ck_cross_entropy_forward_f32` and `ck_cross_entropy_forward_f64`.
  static func crossEntropyForward(
    _ rows: Int, _ n: Int, _ z: UnsafePointer<Self>, _ ldz: Int, _ targets: UnsafePointer<Int32>,
    _ nll: UnsafeMutablePointer<Double>, _ correct: UnsafeMutablePointer<UInt8>
  )

  /// The corresponding C functions are `ck_cross_entropy_backward_f32` and `ck_cross_entropy_backward_f64`.
  static func crossEntropyBackward(
    _ rows: Int, _ n: Int, _ z: UnsafeMutablePointer<Self>, _ ldz: Int,
    _ targets: UnsafePointer<Int32>, _ weights: UnsafePointer<Self>
  ) -> Double

  /// The corresponding C functions are `ck_cross_entropy_backward_tangent_f32` and `ck_cross_entropy_backward_tangent_f64`.
  static func crossEntropyBackwardTangent(
    _ rows: Int, _ n: Int, _ z: UnsafeMutablePointer<Self>, _ ldz: Int,
    _ zt: UnsafeMutablePointer<Self>, _ ldzt: Int, _ targets: UnsafePointer<Int32>,
    _ weights: UnsafePointer<Self>
  )

  /// The corresponding C functions are `ck_cross_entropy_tangent_f32` and `ck_cross_entropy_tangent_f64`.
  static func crossEntropyTangent(
    _ rows: Int, _ n: Int, _ d: UnsafePointer<Self>, _ ldd: Int, _ zt: UnsafeMutablePointer<Self>,
    _ ldzt: Int, _ targets: UnsafePointer<Int32>, _ weights: UnsafePointer<Self>
  )

  /// The corresponding C functions are `ck_divergence_backward_f32` and `ck_divergence_backward_f64`.
  static func divergenceBackward(
    _ rows: Int, _ n: Int, _ z: UnsafeMutablePointer<Self>, _ ldz: Int, _ t: UnsafePointer<Self>,
    _ ldt: Int, _ weights: UnsafePointer<Self>
  ) -> Double

  /// The corresponding C functions are `ck_to_bf16_f32` and `ck_to_bf16_f64`.
  static func toBF16(_ n: Int, _ x: UnsafePointer<Self>, _ y: UnsafeMutablePointer<UInt16>)

  /// The corresponding C functions are `ck_from_bf16_f32` and `ck_from_bf16_f64`.
  static func fromBF16(_ n: Int, _ x: UnsafePointer<UInt16>, _ y: UnsafeMutablePointer<Self>)

  /// The corresponding C functions are `ck_add_scaled_f32` and `ck_add_scaled_f64`.
  static func addScaled(
    _ rows: Int, _ n: Int, _ scale: Self, _ x: UnsafePointer<Self>, _ ldx: Int,
    _ y: UnsafeMutablePointer<Self>, _ ldy: Int
  )

  /// The corresponding C functions are `ck_scale_f32` and `ck_scale_f64`.
  static func scale(
    _ n: Int, _ scale: Self, _ x: UnsafeMutablePointer<Self>
  )

  /// The corresponding C functions are `ck_dot_f32` and `ck_dot_f64`.
  static func dot(
    _ n: Int, _ x: UnsafePointer<Self>, _ y: UnsafePointer<Self>
  ) -> Double

  /// The corresponding C functions are `ck_is_finite_f32` and `ck_is_finite_f64`.
  static func isFinite(
    _ n: Int, _ x: UnsafePointer<Self>
  ) -> Bool

  /// The corresponding C functions are `ck_adamw_f32` and `ck_adamw_f64`.
  static func adamw(
    _ n: Int, _ parameter: UnsafeMutablePointer<Self>, _ gradient: UnsafePointer<Self>,
    _ first: UnsafeMutablePointer<Self>, _ second: UnsafeMutablePointer<Self>,
    _ learningRate: Self, _ beta1: Self, _ beta2: Self, _ epsilon: Self, _ weightDecay: Self,
    _ correction1: Self, _ correction2: Self
  )
}
