import Foundation
public import MetaLearning

/// `golden.json`: reference values of an independent float64 implementation.
public struct Golden: Decodable, Sendable {
  /// One triplet and everything that was computed for it.
  public struct Triplet: Decodable, Sendable {
    /// Token ids.
    public var context: [Int32]
    /// Token ids.
    public var query: [Int32]
    /// Token ids.
    public var answer: [Int32]
    /// Mean loss of the context under the base.
    public var contextNLL: Double
    /// Mean loss of the answer without the context.
    public var nc: Double
    /// The same with the context in the prompt.
    public var prompt: Double
    /// By kind and adapter, for example `A/r3`.
    public var kinds: [String: Kind]
  }

  /// The result of one meta-gradient.
  public struct Kind: Decodable, Sendable {
    /// Before the inner step.
    public var inner_loss: Double
    /// After it.
    public var inner_loss_after: Double
    /// Loss of θ′.
    public var outer_loss: Double
    /// Mean loss of the answer under θ′.
    public var ft_nll: Double
    /// L2 norm of the gradient.
    public var norm: Double
    /// L2 norm of each tensor of the gradient.
    public var tensor_norms: [String: Double]
    /// The first four entries of the first and last four tensors.
    public var head: [String: [Double]]
    /// Sum of all entries.
    public var sum: Double
  }

  /// Inner learning rates by kind.
  public var eta: [String: Double]
  /// What joins context and query.
  public var separator: [Int32]
  /// By name.
  public var triplets: [String: Triplet]

  /// Reads a file of golden values.
  public init(path: String) throws {
    let object = try JSONSerialization.jsonObject(
      with: Data(contentsOf: URL(filePath: path)))
    let root = object as? [String: Any] ?? [:]
    let conventions = root["conventions"] as? [String: Any] ?? [:]
    eta = conventions["eta"] as? [String: Double] ?? [:]
    separator = (conventions["separator_ids"] as? [Int] ?? []).map(Int32.init)
    triplets = [:]
    for (name, value) in root["triples"] as? [String: [String: Any]] ?? [:] {
      var kinds: [String: Kind] = [:]
      for (key, value) in value where key.contains("/") {
        guard let entry = value as? [String: Any], entry["norm"] != nil else { continue }
        kinds[key] = try JSONDecoder().decode(
          Kind.self, from: JSONSerialization.data(withJSONObject: entry))
      }
      func ids(_ key: String) -> [Int32] { (value[key] as? [Int] ?? []).map(Int32.init) }
      triplets[name] = Triplet(
        context: ids("context"), query: ids("query"), answer: ids("answer"),
        contextNLL: value["context_nll"] as? Double ?? .nan, nc: value["nc"] as? Double ?? .nan,
        prompt: value["prompt"] as? Double ?? .nan, kinds: kinds)
    }
  }

  /// The triplet as the engine takes it.
  public func group(_ name: String) -> TaskGroup? {
    triplets[name].map {
      TaskGroup([
        .init(context: $0.context, query: $0.query, response: $0.answer, separator: separator)
      ])
    }
  }
}
