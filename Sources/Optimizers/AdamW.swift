public import Operations
public import Storage

/// Adam with decoupled weight decay. Source: Loshchilov & Hutter 2019, algorithm 2.
public final class AdamW<S: Kernel>: @unchecked Sendable {
  /// The method's constants, with the names and defaults of PyTorch.
  public struct Configuration: Codable, Equatable, Sendable {
    /// Decay of the first moment.
    public var beta1: Double
    /// Decay of the second moment.
    public var beta2: Double
    /// Added to the root of the second moment.
    public var epsilon: Double
    /// λ: the parameters shrink by learning rate · λ at every step.
    public var weightDecay: Double

    /// Adam's usual constants, no decay.
    public init(
      beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8, weightDecay: Double = 0
    ) {
      self.beta1 = beta1
      self.beta2 = beta2
      self.epsilon = epsilon
      self.weightDecay = weightDecay
    }
  }

  /// The constants.
  public let configuration: Configuration
  /// First moments, shape (1, count).
  public let first: Matrix<S>
  /// Second moments, shape (1, count).
  public let second: Matrix<S>
  /// How many steps were taken.
  public var steps = 0
  private let workers: Workers
  private let arena: Arena

  /// Zero moments for `count` parameters.
  public init(
    count: Int, configuration: Configuration = .init(), workers: Workers, arena: Arena
  ) {
    self.configuration = configuration
    self.workers = workers
    self.arena = arena
    first = arena.matrix(1, max(count, 1), for: .optimizer)
    second = arena.matrix(1, max(count, 1), for: .optimizer)
  }

  /// One step along `gradient`, shape (1, count) as `parameters`.
  public func step(parameters: Matrix<S>, gradient: Matrix<S>, learningRate: Double) {
    precondition(parameters.count == first.count && gradient.count == first.count)
    steps += 1
    let (beta1, beta2) = (configuration.beta1, configuration.beta2)
    let correction1 = 1 - power(beta1, steps)
    let correction2 = 1 - power(beta2, steps)
    let constants = configuration
    let (first, second) = (first, second)
    workers.split(parameters.count, grain: 1024) { range, _ in
      AdamKernel.step(
        parameter: parameters.columns(range), gradient: gradient.columns(range),
        first: first.columns(range), second: second.columns(range), learningRate: S(learningRate),
        beta1: S(beta1), beta2: S(beta2), epsilon: S(constants.epsilon),
        weightDecay: S(constants.weightDecay), correction1: S(correction1),
        correction2: S(correction2))
    }
  }

  private func power(_ base: Double, _ exponent: Int) -> Double {
    var (result, factor, left) = (1.0, base, exponent)
    while left > 0 {
      if left & 1 == 1 { result *= factor }
      factor *= factor
      left >>= 1
    }
    return result
  }
}

/// Scales gradients so that their global norm stays below a bound.
public enum GradientClipping {
  /// The L2 norm of `gradient`, accumulated in f64; scales it where it is above `maximum`.
  @discardableResult
  public static func clip<S: Kernel>(_ gradient: Matrix<S>, toNorm maximum: Double?) -> Double {
    let norm = Elementwise.squaredNorm(gradient).squareRoot()
    if let maximum, norm > maximum, norm.isFinite {
      Elementwise.scale(gradient, by: S(maximum / norm))
    }
    return norm
  }
}
