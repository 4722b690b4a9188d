/// How the elements of a tensor are stored. Raw values are those of the weight file.
public enum WeightType: UInt8, CaseIterable, Sendable {
  /// IEEE 754 binary32.
  case f32 = 0
  /// IEEE 754 binary16.
  case f16 = 1
  /// bfloat16: the upper half of a binary32.
  case bf16 = 2
  /// GGUF block types; layouts as in ggml's `ggml-common.h`.
  case q8_0 = 16
  /// 4-bit blocks of 32 with a scale.
  case q4_0 = 17
  /// 4-bit blocks of 32 with a scale and a minimum.
  case q4_1 = 18
  /// 5-bit blocks of 32 with a scale.
  case q5_0 = 19
  /// 5-bit blocks of 32 with a scale and a minimum.
  case q5_1 = 20
  /// 4-bit super-blocks of 256.
  case q4_K = 21
  /// 5-bit super-blocks of 256.
  case q5_K = 22
  /// 6-bit super-blocks of 256.
  case q6_K = 23

  /// How many elements are stored together; a row is a whole number of them.
  public var blockElements: Int {
    switch self {
    case .f32, .f16, .bf16: 1
    case .q8_0, .q4_0, .q4_1, .q5_0, .q5_1: 32
    case .q4_K, .q5_K, .q6_K: 256
    }
  }

  /// Whether every element is a floating-point number of its own.
  public var isFloatingPoint: Bool { self == .f32 || self == .f16 || self == .bf16 }

  /// The size in bytes of ``blockElements`` elements.
  public var blockBytes: Int {
    switch self {
    case .f32: 4
    case .f16, .bf16: 2
    case .q8_0: 34
    case .q4_0: 18
    case .q4_1: 20
    case .q5_0: 22
    case .q5_1: 24
    case .q4_K: 144
    case .q5_K: 176
    case .q6_K: 210
    }
  }
}
