public import Llama
import Operations
public import Text
public import Weights

/// What a model says of the responses of some queries.
public struct ResponseScore: Sendable, Equatable {
  /// By query: one prediction a token of the response.
  public var predictions: [[Prediction]]
  /// By query: how well the greedy answer matches, where answers were decoded.
  public var answers: [AnswerScore]?

  /// The mean over queries of the mean over tokens of −log P, nats.
  public var meanNLL: Double { mean { $0.map(\.negativeLogLikelihood) } }
  /// The mean share of tokens that are the likeliest.
  public var tokenAccuracy: Double { mean { $0.map { $0.isGreedy ? 1 : 0 } } }
  /// The share of queries whose every token is the likeliest: greedy decoding gives the response.
  public var exactMatch: Double {
    mean { [$0.allSatisfy(\.isGreedy) ? 1 : 0] }
  }
  /// The share of queries whose greedy answer is an accepted one.
  public var answerExactMatch: Double? { answers.map { Estimate($0.map(\.exactMatch)).mean } }
  /// The mean F1 of greedy answers.
  public var answerF1: Double? { answers.map { Estimate($0.map(\.f1)).mean } }

  private func mean(_ values: ([Prediction]) -> [Double]) -> Double {
    Estimate(predictions.map { Estimate(values($0)).mean }).mean
  }
}

/// The evaluation of a group of tasks.
public struct GroupScores: Sendable {
  /// NC: P_θ(a | q).
  public var unprompted: ResponseScore
  /// Prompt: P_θ(a | c ⊕ q).
  public var prompted: ResponseScore
  /// FT: P_θ′(a | q).
  public var adapted: ResponseScore
  /// FT after an inner step on other tasks' contexts, where it was asked for.
  public var irrelevant: ResponseScore?
  /// Mean loss of the contexts before and after the inner step.
  public var innerLoss: Double
  /// After the inner step.
  public var innerLossAfter: Double
}

extension MetaGradient {
  /// NC, Prompt and FT of `groups`, each group with its own inner step (paper §4).
  ///
  /// Greedy answers are decoded where there is a `reader` and the limits have tokens for them. Where
  /// it `sharesContexts`, the limits' cache must hold all that is asked. With `others`, FT is repeated
  /// after inner steps on their contexts, group by group. Throws ``WeightError`` where a base weight
  /// cannot be read.
  public func evaluate(
    _ groups: [TaskGroup], reader: AnswerReader? = nil, contextsOf others: [TaskGroup]? = nil,
    sharesContexts: Bool = true, measuresLossAfter: Bool = true
  ) throws(WeightError) -> [GroupScores] {
    let contexts = GroupedBatch(contextsOf: groups)
    let innerLosses = try adapt(contexts)
    let cache = sharesContexts ? cache : nil
    let asked = try ask(
      groups, [(.bare, true), (.bare, false), (.prompted, false)], reader: reader, cache: cache)
    let after =
      try measuresLossAfter && contexts.batch.count <= limits.outerRows
      ? losses(contexts, adaptedParameters(for: contexts)) : groups.map { _ in .nan }
    var irrelevant: [ResponseScore]?
    if let others {
      try adapt(GroupedBatch(contextsOf: others))
      irrelevant = try ask(groups, [(.bare, true)], reader: reader, cache: cache)[0]
    }
    return groups.indices.map { index in
      GroupScores(
        unprompted: asked[1][index], prompted: asked[2][index], adapted: asked[0][index],
        irrelevant: irrelevant?[index], innerLoss: innerLosses[index],
        innerLossAfter: after[index])
    }
  }

  /// FT of `groups` after one update on the mean of a group's contexts or, where `oneByOne`, an update
  /// on each in turn (paper §5.4). They have as many tasks, each with a context of its own.
  ///
  /// Throws ``WeightError`` where a base weight cannot be read.
  public func evaluateRetention(
    _ groups: [TaskGroup], oneByOne: Bool, reader: AnswerReader? = nil
  ) throws(WeightError) -> [ResponseScore] {
    precondition(groups.allSatisfy { $0.contexts.count == $0.triplets.count })
    if oneByOne {
      for place in groups.first?.triplets.indices ?? 0..<0 {
        let contexts = groups.map { TaskGroup([$0.triplets[place]]) }
        try adapt(GroupedBatch(contextsOf: contexts), isLater: place > 0)
      }
    } else {
      try adapt(GroupedBatch(contextsOf: groups))
    }
    return try ask(groups, [(.bare, true)], reader: reader, cache: cache)[0]
  }

  private enum Form { case bare, prompted }

  /// Asks every query in each of `rounds`: in its form, of θ′ of its group where adapted, else of θ.
  private func ask(
    _ groups: [TaskGroup], _ rounds: [(form: Form, isAdapted: Bool)], reader: AnswerReader?,
    cache: KeyValueCache<S>?
  ) throws(WeightError) -> [[ResponseScore]] {
    let triplets = groups.flatMap(\.triplets)
    let owners = groups.enumerated().flatMap { index, group in group.triplets.map { _ in index } }
    func parameters(_ batch: TokenBatch) -> ParameterChange<S> {
      adaptedParameters(
        for: batch.spans {
          rounds[$0 / triplets.count].isAdapted ? owners[$0 % triplets.count] : nil
        })
    }
    let reader = limits.answerTokens > 0 ? reader : nil
    let questions = rounds.map { round in
      triplets.map {
        $0.question(
          prompted: round.form == .prompted, staysOpen: reader?.hasLines($0) ?? false)
      }
    }
    let answers = try outer.answer(
      questions, end: reader?.end, cache: cache, parameters: parameters)
    let rows = answers.map { answers in
      zip(answers, triplets).map { answer, task in
        ResponseScore(
          predictions: [answer.predictions],
          answers: reader.map { [$0.score(answer.greedy, task)] })
      }
    }
    return rows.map { Self.joined($0, owners: owners, count: groups.count) }
  }

  /// The scores of single queries put together by their group.
  private static func joined(
    _ scores: [ResponseScore], owners: [Int], count: Int
  ) -> [ResponseScore] {
    let byOwner = Dictionary(grouping: zip(owners, scores), by: \.0)
    return (0..<count).map { owner in
      let own = (byOwner[owner] ?? []).map(\.1)
      return ResponseScore(
        predictions: own.flatMap(\.predictions),
        answers: own.allSatisfy { $0.answers != nil } ? own.flatMap { $0.answers ?? [] } : nil)
    }
  }

  /// The weighted losses of a batch under `parameters`, by group.
  private func losses(
    _ plan: GroupedBatch, _ parameters: ParameterChange<S>
  ) throws(WeightError) -> [Double] {
    outer.begin(plan.batch, parameters: parameters)
    try outer.forward()
    let predictions = try outer.score()
    return plan.groups.map { group in
      group.scored.reduce(0) {
        $0 + plan.batch.weights[$1] * predictions[$1].negativeLogLikelihood
      }
    }
  }

  /// Mean −log P of the next token over `texts` under the unadapted parameters, token by token.
  public func score(texts: [[Int32]]) throws(WeightError) -> [[Prediction]] {
    var batch = TokenBatch()
    for text in texts { batch.append(text, predicted: text.count - 1) }
    outer.begin(batch, parameters: unadaptedParameters(rows: batch.count))
    try outer.forward()
    let predictions = try outer.score()
    return batch.lossRanges.map { Array(predictions[$0]) }
  }
}

extension TokenBatch {
  /// The rows and scored rows of sequences of one group (or none) that lie side by side.
  fileprivate func spans(
    group: (_ sequence: Int) -> Int?
  ) -> [(group: Int?, rows: Range<Int>, scored: Range<Int>)] {
    var spans: [(group: Int?, rows: Range<Int>, scored: Range<Int>)] = []
    for (place, sequences) in sequences.enumerated() {
      let (rows, scored) = (segments[place], lossRanges[place])
      let owner = group(sequences[0])
      precondition(sequences.allSatisfy { group($0) == owner }, "others share a context")
      if let last = spans.last, last.group == owner {
        spans[spans.count - 1].rows = last.rows.lowerBound..<rows.upperBound
        spans[spans.count - 1].scored = last.scored.lowerBound..<scored.upperBound
      } else {
        spans.append((owner, rows, scored))
      }
    }
    return spans
  }
}
