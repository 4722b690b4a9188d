/// What an adapter is made of, with PEFT's words (`adapter_config.json`).
public struct AdapterConfiguration: Codable, Equatable, Sendable {
  /// r: the rank where ``rankPattern`` names no other.
  public var rank: Int
  /// α: the scale is α / r, or α / √r with ``useRSLoRA``.
  public var alpha: Double
  /// The linears that carry an adapter.
  public var targetModules: [LinearKind]
  /// Whether the scale is α / √r (rank-stabilised LoRA, Kalajdzievski 2023).
  public var useRSLoRA: Bool
  /// Ranks of single modules: module name or dotted suffix of it → r.
  public var rankPattern: [String: Int]
  /// Alphas of single modules.
  public var alphaPattern: [String: Double]

  /// Rank 8, alpha 16 on every linear unless said otherwise.
  public init(
    rank: Int = 8, alpha: Double = 16, targetModules: [LinearKind] = LinearKind.allCases,
    useRSLoRA: Bool = false, rankPattern: [String: Int] = [:], alphaPattern: [String: Double] = [:]
  ) {
    self.rank = rank
    self.alpha = alpha
    self.targetModules = targetModules
    self.useRSLoRA = useRSLoRA
    self.rankPattern = rankPattern
    self.alphaPattern = alphaPattern
  }

  /// The rank of `kind` in block `layer`.
  public func rank(layer: Int, kind: LinearKind) -> Int {
    Self.match(rankPattern, layer: layer, kind: kind) ?? rank
  }

  /// The factor in front of B·A of `kind` in block `layer`.
  public func scale(layer: Int, kind: LinearKind) -> Double {
    let alpha = Self.match(alphaPattern, layer: layer, kind: kind) ?? alpha
    let rank = Double(rank(layer: layer, kind: kind))
    return alpha / (useRSLoRA ? rank.squareRoot() : rank)
  }

  /// The value of the longest key that is the module's name or a dotted end of it.
  private static func match<Value>(
    _ pattern: [String: Value], layer: Int, kind: LinearKind
  ) -> Value? {
    let name = "model.layers.\(layer).\(kind.rawValue)"
    return pattern.filter { name == $0.key || name.hasSuffix("." + $0.key) }
      .max { $0.key.count < $1.key.count }?.value
  }
}
