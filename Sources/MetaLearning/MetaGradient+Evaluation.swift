public import Llama
import Operations
public import Weights

/// What a model says of the responses of some queries.
public struct ResponseScore: Sendable, Equatable {
  /// By query: one prediction a token of the response.
  public var predictions: [[Prediction]]

  /// The mean over queries of the mean over tokens of −log P, nats.
  public var meanNLL: Double { mean { $0.map(\.negativeLogLikelihood) } }
  /// The mean share of tokens that are the likeliest.
  public var tokenAccuracy: Double { mean { $0.map { $0.isGreedy ? 1 : 0 } } }
  /// The share of queries whose every token is the likeliest: greedy decoding gives the response.
  public var exactMatch: Double {
    mean { [$0.allSatisfy(\.isGreedy) ? 1 : 0] }
  }

  private func mean(_ values: ([Prediction]) -> [Double]) -> Double {
    let means = predictions.map { row in
      let row = values(row)
      return row.reduce(0, +) / Double(max(row.count, 1))
    }
    return means.reduce(0, +) / Double(max(means.count, 1))
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
  /// Mean loss of the contexts before and after the inner step.
  public var innerLoss: Double
  /// After the inner step.
  public var innerLossAfter: Double
}

extension MetaGradient {
  /// NC, Prompt and FT of `groups`, each group with its own inner step (paper §4).
  ///
  /// Throws ``WeightError`` where a base weight cannot be read.
  public func evaluate(_ groups: [TaskGroup]) throws(WeightError) -> [GroupScores] {
    let innerPlan = GroupedBatch(contextsOf: groups)
    let innerLosses = try adapt(innerPlan)
    let queries = GroupedBatch(queriesOf: groups, target: .gold, weight: 1)
    let adapted = try score(queries, adaptedParameters(for: queries))
    let after =
      try innerPlan.batch.count <= limits.outerRows
      ? score(innerPlan, adaptedParameters(for: innerPlan)) : []
    let unprompted = try score(queries, unadaptedParameters(rows: queries.batch.count))
    let prompts = GroupedBatch(promptsOf: groups, weight: 1)
    let prompted = try score(prompts, unadaptedParameters(rows: prompts.batch.count))
    return groups.indices.map { index in
      GroupScores(
        unprompted: unprompted[index], prompted: prompted[index], adapted: adapted[index],
        innerLoss: innerLosses[index],
        innerLossAfter: after.isEmpty ? .nan : after[index].meanNLL)
    }
  }

  /// Predictions of a batch under `parameters`, by group.
  private func score(
    _ plan: GroupedBatch, _ parameters: ParameterChange<S>
  ) throws(WeightError) -> [ResponseScore] {
    outer.begin(plan.batch, parameters: parameters)
    try outer.forward()
    let predictions = try outer.score()
    return plan.groups.map { group in
      ResponseScore(
        predictions: plan.batch.lossRanges.filter {
          group.scored.lowerBound <= $0.lowerBound && $0.upperBound <= group.scored.upperBound
        }.map { Array(predictions[$0]) })
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
