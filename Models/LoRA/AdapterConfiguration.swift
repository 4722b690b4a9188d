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
  /// Ranks of single modules, by a key as PEFT matches it: a regular expression for the module's
  /// name, `model.layers.N.self_attn.q_proj`, or for what follows one of its dots. Of several keys
  /// that match, the first in alphabetical order decides, which is the order of PEFT's files.
  public var rankPattern: [String: Int]
  /// Alphas of single modules, by the same keys.
  public var alphaPattern: [String: Double]
  /// p: the share of the inputs of A that plain fine-tuning leaves out; nothing else does.
  public var dropout: Double

  /// Rank 8, alpha 16 on every linear unless said otherwise.
  public init(
    rank: Int = 8, alpha: Double = 16, targetModules: [LinearKind] = LinearKind.allCases,
    useRSLoRA: Bool = false, rankPattern: [String: Int] = [:],
    alphaPattern: [String: Double] = [:], dropout: Double = 0
  ) {
    self.rank = rank
    self.alpha = alpha
    self.targetModules = targetModules
    self.useRSLoRA = useRSLoRA
    self.rankPattern = rankPattern
    self.alphaPattern = alphaPattern
    self.dropout = dropout
  }

  /// Reads a configuration; one without `dropout` has none.
  public init(from decoder: any Decoder) throws {
    let file = try decoder.container(keyedBy: CodingKeys.self)
    rank = try file.decode(Int.self, forKey: .rank)
    alpha = try file.decode(Double.self, forKey: .alpha)
    targetModules = try file.decode([LinearKind].self, forKey: .targetModules)
    useRSLoRA = try file.decode(Bool.self, forKey: .useRSLoRA)
    rankPattern = try file.decode([String: Int].self, forKey: .rankPattern)
    alphaPattern = try file.decode([String: Double].self, forKey: .alphaPattern)
    dropout = try file.decodeIfPresent(Double.self, forKey: .dropout) ?? 0
  }
}
