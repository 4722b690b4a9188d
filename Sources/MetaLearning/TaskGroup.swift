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

    /// All parts.
    public init(
      context: [Int32], query: [Int32], response: [Int32], separator: [Int32],
      start: [Int32] = [], answers: [String] = []
    ) {
      self.context = context
      self.query = query
      self.response = response
      self.separator = separator
      self.start = start
      self.answers = answers
    }

    /// q ⊕ a, behind what starts a text.
    public var unprompted: [Int32] { start + query + response }
    /// c ⊕ separator ⊕ q ⊕ a.
    public var prompted: [Int32] { context + separator + query + response }
  }

  /// The tasks.
  public var triplets: [Triplet]

  /// A group of `triplets`.
  public init(_ triplets: [Triplet]) {
    precondition(!triplets.isEmpty)
    self.triplets = triplets
  }

  /// Rows of the inner pass: tokens that predict another.
  public var innerRows: Int { triplets.reduce(0) { $0 + $1.context.count - 1 } }
  /// Rows of the outer pass.
  public var outerRows: Int { triplets.reduce(0) { $0 + $1.unprompted.count - 1 } }
  /// Rows of the Prompt form.
  public var promptedRows: Int { triplets.reduce(0) { $0 + $1.prompted.count - 1 } }
  /// Scored rows of the outer pass.
  public var responseTokens: Int { triplets.reduce(0) { $0 + $1.response.count } }
}
