import Llama
public import Operations
public import Weights

/// A mean over tasks with its standard error.
public struct Estimate: Codable, Sendable, Equatable {
  /// The mean.
  public var mean: Double
  /// Its standard error: the sample's standard deviation / √n; 0 for one value.
  public var standardError: Double

  /// The mean of `values`.
  public init(_ values: [Double]) {
    let count = Double(max(values.count, 1))
    let average = values.reduce(0, +) / count
    let squares = values.reduce(0) { $0 + ($1 - average) * ($1 - average) }
    mean = average
    standardError = values.count < 2 ? 0 : (squares / (count - 1) / count).squareRoot()
  }
}

/// How well responses are predicted in one form.
public struct FormReport: Codable, Sendable, Equatable {
  /// Mean over tokens of −log P, nats.
  public var nll: Estimate
  /// Share of tokens that are the likeliest.
  public var tokenAccuracy: Estimate
  /// Share of responses that greedy decoding gives word for word.
  public var exactMatch: Estimate

  init(_ scores: [ResponseScore]) {
    nll = Estimate(scores.map(\.meanNLL))
    tokenAccuracy = Estimate(scores.map(\.tokenAccuracy))
    exactMatch = Estimate(scores.map(\.exactMatch))
  }
}

/// NC, Prompt and FT over a set of tasks (Zhang et al. 2025, §4).
public struct EvaluationReport: Codable, Sendable, Equatable {
  /// How many groups of tasks were evaluated; estimates are over groups.
  public var groups: Int
  /// Tasks of a group.
  public var contextsPerUpdate: Int
  /// P_θ(a | q).
  public var nc: FormReport
  /// P_θ(a | c ⊕ q).
  public var prompt: FormReport
  /// P_θ′(a | q).
  public var ft: FormReport
  /// Mean loss of the contexts before and after the inner step.
  public var innerLoss: Estimate
  /// After it.
  public var innerLossAfter: Estimate
  /// Mean loss of plain texts a token, where there were some.
  public var plainText: Estimate?

  enum CodingKeys: String, CodingKey {
    case groups
    case contextsPerUpdate = "contexts_per_update"
    case nc, prompt, ft
    case innerLoss = "inner_loss"
    case innerLossAfter = "inner_loss_after"
    case plainText = "plain_text_nll"
  }
}

/// Evaluates an adapter on tasks.
public enum Evaluation {
  /// The report of `groups`, and of `texts` where there are any; `together` groups in a sweep.
  ///
  /// `progress` is called with groups done, of all. Throws ``WeightError`` where a base weight
  /// cannot be read.
  public static func run<S: Kernel>(
    _ meta: MetaGradient<S>, groups: [TaskGroup], texts: [[Int32]] = [], together: Int,
    progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws(WeightError) -> EvaluationReport {
    var scores: [GroupScores] = []
    for part in groups.cut(into: together) {
      scores += try meta.evaluate(part)
      progress(scores.count, groups.count)
    }
    var plain: [Double] = []
    for text in texts {
      let row = try meta.score(texts: [text])[0].map(\.negativeLogLikelihood)
      plain.append(row.reduce(0, +) / Double(row.count))
    }
    return EvaluationReport(
      groups: groups.count, contextsPerUpdate: groups.first?.triplets.count ?? 1,
      nc: FormReport(scores.map(\.unprompted)), prompt: FormReport(scores.map(\.prompted)),
      ft: FormReport(scores.map(\.adapted)), innerLoss: Estimate(scores.map(\.innerLoss)),
      innerLossAfter: Estimate(scores.map(\.innerLossAfter)),
      plainText: plain.isEmpty ? nil : Estimate(plain))
  }
}
