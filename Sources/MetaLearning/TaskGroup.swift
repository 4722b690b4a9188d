import Storage

/// Tasks that share one adapted model: K contexts of one inner step and the queries asked of it.
///
/// Zhang et al. 2025, §3 (K = 1) and §5.4 (several contexts).
public struct TaskGroup: Sendable {
  /// One triplet in token ids.
  public struct Triplet: Sendable {
    /// c: at least two tokens.
    public var context: [Int32]
    /// q: at least one token.
    public var query: [Int32]
    /// a: at least one token.
    public var response: [Int32]
    /// What joins context and query in Prompt form.
    public var separator: [Int32]
    /// What stands in front of the query where there is no context: bos, or nothing.
    public var start: [Int32]
    /// Every answer that counts as right, in words; none where the task has no text.
    public var answers: [String]
    /// Which of its file's tasks it is, from 1, where it is of a file.
    public var number: Int?

    /// All parts.
    public init(
      context: [Int32], query: [Int32], response: [Int32], separator: [Int32],
      start: [Int32] = [], answers: [String] = [], number: Int? = nil
    ) {
      self.context = context
      self.query = query
      self.response = response
      self.separator = separator
      self.start = start
      self.answers = answers
      self.number = number
    }

    /// q ⊕ a, behind what starts a text.
    public var unprompted: [Int32] { start + query + response }
    /// c ⊕ separator ⊕ q ⊕ a.
    public var prompted: [Int32] { context + separator + query + response }
  }

  /// The tasks.
  public let triplets: [Triplet]
  /// The places in ``triplets`` of the tasks of each context: a context that several tasks have goes
  /// through the inner pass once.
  public let contexts: [[Int]]

  /// A group of `triplets`.
  public init(_ triplets: [Triplet]) {
    precondition(!triplets.isEmpty)
    self.triplets = triplets
    contexts = Array(triplets.indices).joined(by: { triplets[$0].context })
  }

  /// Rows of the inner pass: tokens that predict another.
  public var innerRows: Int {
    contexts.reduce(0) { $0 + triplets[$1[0]].context.count - 1 }
  }
  /// Rows of the outer pass.
  public var outerRows: Int { triplets.reduce(0) { $0 + $1.unprompted.count - 1 } }
  /// The most rows of the Prompt form in `forms`.
  public func promptedRows(_ forms: PromptForms) -> Int {
    let rows = triplets.map { $0.prompted.count - 1 }
    func saved(_ places: [Int]) -> Int {
      (places.count - 1) * triplets[places[0]].context.count
    }
    return switch forms {
    case .none: 0
    case .onePerContext: contexts.reduce(0) { $0 + ($1.map { rows[$0] }.max() ?? 0) }
    case .all: rows.reduce(0, +)
    case .allSharing: rows.reduce(0, +) - contexts.reduce(0) { $0 + saved($1) }
    }
  }
  /// Scored rows of the outer pass.
  public var responseTokens: Int { triplets.reduce(0) { $0 + $1.response.count } }
}

/// Which tasks of a group are computed in Prompt form.
public enum PromptForms: Sendable {
  /// None.
  case none
  /// One of each context.
  case onePerContext
  /// All of them.
  case all
  /// All of them, with a key-value cache that lets the tasks of one context read it once.
  case allSharing
}

extension [TaskGroup.Triplet] {
  /// Groups of `contexts` contexts. With `queries` of 1 every task brings a context of its own; with
  /// more, up to so many tasks that have the same context share it, wherever they are in the list.
  ///
  /// A rest that does not fill a group is left out.
  public func grouped(contexts: Int, queries: Int) -> [TaskGroup] {
    let bundles: [[Element]] =
      queries == 1
      ? map { [$0] } : joined(by: \.context).flatMap { $0.cut(into: queries) }
    return bundles.cut(into: contexts).filter { $0.count == contexts }.map {
      TaskGroup(Array($0.joined()))
    }
  }
}
