public import Operations
import Storage

/// Dropout on the inputs of an adapter's A, as PEFT's `lora_dropout` has it: one mask for every
/// linear, a function of the seed, the step, the block, the linear and the token.
public struct AdapterDropout: Sendable {
  /// p.
  public let rate: Double
  private let seed: UInt64
  /// Of each row of a batch: a number that tells its token from the step's others.
  public var tokens: [UInt64]

  /// The dropout of step `step` of a run with `seed`.
  public init(rate: Double, seed: UInt64, step: Int, tokens: [UInt64] = []) {
    self.rate = rate
    self.seed = SplitMix64.mix(seed, UInt64(step))
    self.tokens = tokens
  }

  /// The mask of a linear.
  public func mask(layer: Int, kind: LinearKind) -> DropoutMask {
    let linear = UInt64(kind.place(in: layer))
    return DropoutMask(rate: rate, seed: SplitMix64.mix(seed, linear), tokens: tokens)
  }
}
