public import Llama
public import Operations
public import Storage
public import Weights

/// The frozen base as teacher: what it answers with the context in its prompt.
///
/// Zhang et al. 2025, §3.2: â is the greedy continuation of c ⊕ q by the base without the adapter.
public enum Teacher {
  /// What became of the responses.
  public struct Outcome: Sendable {
    /// The tasks with the teacher's responses.
    public var groups: [TaskGroup]
    /// How many tasks have the response that they came with, as the teacher says nothing.
    public var silent: Int
  }

  /// Replaces the responses of `groups` by the teacher's, which end as `end` says.
  ///
  /// As many are decoded together as `budget` bytes have room for; a context that several tasks have
  /// is read once for them, and decoding goes on behind what the given response has in common with
  /// the teacher's. Where the teacher says nothing before the end, the given response stays. What
  /// `cache` has is not decoded again, and what is decoded is added to it. `progress` is called with
  /// tasks done, of all. Throws ``WeightError`` where a base weight cannot be read or the cache not be
  /// written.
  public static func respond<S: Kernel>(
    _ groups: [TaskGroup], weights: LlamaWeights<S>, workers: Workers, end: AnswerEnd, budget: Int,
    cache: TeacherCache? = nil, progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws(WeightError) -> Outcome {
    let triplets = groups.flatMap(\.triplets)
    let order = Array(triplets.indices).joined(by: { triplets[$0].context }).flatMap(\.self)
    let asked = order.map { place in
      var triplet = triplets[place]
      triplet.response = Array(triplet.response.prefix(end.maximum))
      return triplet
    }
    var answers =
      cache?.read(count: asked.count, vocabularySize: weights.architecture.vocabSize)
      ?? asked.map { _ in nil }
    if answers.contains(where: { $0 == nil }) {
      let reading = reading(asked, end: end, weights: weights, workers: workers, budget: budget)
      let base = ParameterChange<S>(layers: weights.architecture.numHiddenLayers)
      var first = 0
      for part in reading.parts {
        let places = first..<first + part.count
        first = places.upperBound
        // The parts are the same whatever is known: so are the sums in them.
        if answers[places].contains(where: { $0 == nil }) {
          let given = try reading.sweep.answer(
            [part.map { $0.question(prompted: true) }], end: end, cache: reading.cache,
            parameters: { _ in base })[0].map(\.greedy)
          try cache?.append(given, from: places.lowerBound)
          answers.replaceSubrange(places, with: given)
        }
        progress(places.upperBound, asked.count)
      }
    }
    return outcome(groups, order, answers.map { $0 ?? [] }, end)
  }

  /// `groups` with the answers to the tasks at the places `order`.
  private static func outcome(
    _ groups: [TaskGroup], _ order: [Int], _ answers: [[Int32]], _ end: AnswerEnd
  ) -> Outcome {
    var triplets = groups.flatMap(\.triplets)
    var silent = 0
    for (place, answer) in zip(order, answers) {
      if answer.allSatisfy(end.closing.contains) {
        silent += 1
      } else {
        triplets[place].response = answer
      }
    }
    var next = 0
    let taught = groups.map { group in
      defer { next += group.triplets.count }
      return TaskGroup(Array(triplets[next..<next + group.triplets.count]))
    }
    return Outcome(groups: taught, silent: silent)
  }

  /// Buffers for as many of `asked` at a time as fit, or for one.
  private static func reading<S: Kernel>(
    _ asked: [TaskGroup.Triplet], end: AnswerEnd, weights: LlamaWeights<S>, workers: Workers,
    budget: Int
  ) -> Reading<S> {
    func reading(_ count: Int, _ arena: Arena) -> Reading<S> {
      Reading(
        asked.cut(into: count), maximum: end.maximum, weights: weights, workers: workers,
        arena: arena)
    }
    let counts = [256, 128, 64, 32, 16, 8, 4, 2]
    let together = counts.first { reading($0, Arena(plansOnly: true)).bytes <= budget } ?? 1
    return reading(together, Arena())
  }

  /// Tasks that are answered some at a time, with the buffers for any of these parts.
  private struct Reading<S: Kernel> {
    let parts: [[TaskGroup.Triplet]]
    let sweep: Sweep<S>
    let cache: KeyValueCache<S>
    /// What the buffers take.
    let bytes: Int

    init(
      _ parts: [[TaskGroup.Triplet]], maximum: Int, weights: LlamaWeights<S>, workers: Workers,
      arena: Arena
    ) {
      self.parts = parts
      let rows = parts.map { TaskGroup($0).promptedRows(.allSharing) }.max() ?? 1
      let tokens = parts.map { part in
        part.map { $0.question(prompted: true).cachedTokens(maximum: maximum) }
      }
      let engine = LlamaEngine(
        weights: weights, workers: workers,
        limits: EngineLimits(
          rows: rows, tangentRows: 0, sequence: tokens.joined().max() ?? 1, updateRank: 0,
          adapterRank: 0, logitRows: min(rows, 32)),
        arena: arena)
      sweep = Sweep(
        engine: engine, capacity: rows, hasTangents: false, policy: .lean, arena: arena)
      cache = KeyValueCache(
        architecture: weights.architecture, tokens: tokens.map { $0.reduce(0, +) }.max() ?? 0,
        arena: arena)
      bytes = arena.bytes
    }
  }
}
