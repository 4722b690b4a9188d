/// Tasks that have the same context, put together so that one inner step serves all of their queries.
public struct SharedContexts {
  /// What is evaluated: up to so many queries of one context each.
  public let groups: [TaskGroup]
  /// For each of ``groups``, the places of its tasks in the list that was given.
  private let places: [[Int]]

  /// Groups of `tasks`, up to `queries` in each; groups of several tasks stay as they are.
  public init(_ tasks: [TaskGroup], queries: Int) {
    let isSingle = tasks.allSatisfy { $0.triplets.count == 1 }
    places =
      isSingle
      ? tasks.placesByContexts.flatMap { $0.cut(into: queries) } : tasks.indices.map { [$0] }
    groups = places.map { TaskGroup($0.flatMap { tasks[$0].triplets }) }
  }

  /// How many tasks the first `count` of ``groups`` have.
  public func tasks(of count: Int) -> Int { places[..<count].reduce(0) { $0 + $1.count } }

  /// The scores of the tasks in the order in which they were given, from those of ``groups``.
  public func apart(_ scores: [GroupScores]) -> [GroupScores] {
    let rows = zip(places, scores).flatMap { places, score in
      zip(places, places.count == 1 ? [score] : score.apart)
    }
    return rows.sorted { $0.0 < $1.0 }.map(\.1)
  }
}

extension GroupScores {
  /// The scores of each query, whose context is that of all.
  fileprivate var apart: [GroupScores] {
    unprompted.predictions.indices.map { query in
      var own = self
      own.unprompted = unprompted.of(query)
      own.prompted = prompted.of(query)
      own.adapted = adapted.of(query)
      own.irrelevant = irrelevant?.of(query)
      return own
    }
  }
}

extension ResponseScore {
  fileprivate func of(_ query: Int) -> ResponseScore {
    ResponseScore(predictions: [predictions[query]], answers: answers.map { [$0[query]] })
  }
}
