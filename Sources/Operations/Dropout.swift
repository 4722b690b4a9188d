public import Storage

/// Dropout with inverted scaling, whose mask is a function of seeds and stored nowhere.
///
/// Whoever computes activations again gets the same mask again. Element j of a token's row is
/// kept where number j of its SplitMix64 stream, as ``SplitMix64/uniform()`` gives it, is not below
/// the rate. Source: Srivastava et al. 2014; where PEFT has it: Hu et al. 2021's code, on the input
/// of A.
public struct DropoutMask: Sendable {
  /// p: the share of elements that become zero, 0 ..< 1.
  public let rate: Double
  /// Of each row of a batch: the seed of its stream.
  private let seeds: [UInt64]

  /// The mask of rows whose streams start at what `seed` and their token make.
  public init(rate: Double, seed: UInt64, tokens: [UInt64]) {
    precondition(rate >= 0 && rate < 1)
    self.rate = rate
    seeds = tokens.map { SplitMix64.mix(seed, $0) }
  }

  private var threshold: UInt64 { UInt64((rate * 0x1p53).rounded(.up)) }

  /// y = m ∘ x / (1 − p) for the `rows` of the batch that x and y, shape (rows, n), hold.
  public func forward<S: Kernel>(x: Matrix<S>, rows: Range<Int>, y: Matrix<S>) {
    precondition(x.rows == rows.count && y.rows == x.rows && y.columns == x.columns)
    seeds[rows].withUnsafeBufferPointer { seeds in
      guard let seeds = seeds.baseAddress else { return }
      S.dropoutForward(
        x.rows, x.columns, x.pointer, x.stride, seeds, threshold, S(1 / (1 - rate)), y.pointer,
        y.stride)
    }
  }

  /// dx += m ∘ dy / (1 − p).
  public func backward<S: Kernel>(dy: Matrix<S>, rows: Range<Int>, dx: Matrix<S>) {
    precondition(dy.rows == rows.count && dx.rows == dy.rows && dx.columns == dy.columns)
    seeds[rows].withUnsafeBufferPointer { seeds in
      guard let seeds = seeds.baseAddress else { return }
      S.dropoutBackward(
        dy.rows, dy.columns, dy.pointer, dy.stride, seeds, threshold, S(1 / (1 - rate)),
        dx.pointer, dx.stride)
    }
  }
}
