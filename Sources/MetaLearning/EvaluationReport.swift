import Llama
import Text

/// A mean over tasks with its standard error.
public struct Estimate: Codable, Sendable, Equatable {
  /// The mean.
  public var mean: Double
  /// Its standard error; NaN for one value or cluster, which say nothing of it.
  ///
  /// The sample's standard deviation / √n, which for shares of 0 and 1 is √(p (1 − p) / (n − 1)).
  /// Values in G clusters are not independent: the square is G / (G − 1) Σ_g (Σ_{i ∈ g} (x_i − x̄))² / n²
  /// then (Liang & Zeger 1986, for a mean), the same where every cluster has one value.
  public var standardError: Double

  enum CodingKeys: String, CodingKey {
    case mean
    case standardError = "standard_error"
  }

  /// The mean of `values`; `clusters` are the places of those that belong together, nil where every
  /// value is on its own.
  public init(_ values: [Double], clusters: [[Int]]? = nil) {
    precondition(clusters.map { $0.reduce(0) { $0 + $1.count } == values.count } ?? true)
    let count = Double(max(values.count, 1))
    let average = values.reduce(0, +) / count
    let residuals = values.map { $0 - average }
    let sums = clusters?.map { $0.reduce(0) { $0 + residuals[$1] } } ?? residuals
    let squares = sums.reduce(0) { $0 + $1 * $1 }
    let parts = Double(sums.count)
    mean = average
    standardError = sums.count < 2 ? .nan : (squares * parts / (parts - 1)).squareRoot() / count
  }

  /// Reads both numbers; null stands for one that is not finite.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    mean = try values.decode(Double?.self, forKey: .mean) ?? .nan
    standardError = try values.decode(Double?.self, forKey: .standardError) ?? .nan
  }

  /// Writes both numbers; one that is not finite as null.
  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(mean.isFinite ? mean : nil, forKey: .mean)
    try values.encode(standardError.isFinite ? standardError : nil, forKey: .standardError)
  }

  /// Σ parts / Σ wholes, of pairs; nil where the wholes do not sum to something positive.
  ///
  /// Its standard error is that of a ratio estimate: the standard error of part − ratio · whole, ÷
  /// the mean of the wholes (Cochran 1977, §6.4).
  public init?(ratioOf parts: [Double], to wholes: [Double], clusters: [[Int]]? = nil) {
    let (part, whole) = (Estimate(parts).mean, Estimate(wholes).mean)
    guard whole > 0 else { return nil }
    let ratio = part / whole
    self = Estimate(zip(parts, wholes).map { $0 - ratio * $1 }, clusters: clusters)
    mean = ratio
    standardError /= whole
  }
}

/// How well responses are predicted in one form.
public struct FormReport: Codable, Sendable, Equatable {
  /// Mean over tokens of −log P, nats.
  public var nll: Estimate
  /// Share of tokens that are the likeliest.
  public var tokenAccuracy: Estimate
  /// Share of responses that are the likeliest token by token.
  public var exactMatch: Estimate
  /// Share of greedy answers that are an accepted one after SQuAD's normalisation.
  public var answerExactMatch: Estimate?
  /// Mean F1 of the words of greedy answers, the best over the accepted ones.
  public var answerF1: Estimate?

  enum CodingKeys: String, CodingKey {
    case nll
    case tokenAccuracy = "token_accuracy"
    case exactMatch = "exact_match"
    case answerExactMatch = "answer_exact_match"
    case answerF1 = "answer_f1"
  }

  init(_ scores: [ResponseScore], clusters: [[Int]]? = nil) {
    func estimate(_ value: (ResponseScore) -> Double) -> Estimate {
      Estimate(scores.map(value), clusters: clusters)
    }
    // Either all have answers or none has.
    func estimate(_ value: (ResponseScore) -> Double?) -> Estimate? {
      let values = scores.compactMap(value)
      return values.isEmpty ? nil : Estimate(values, clusters: clusters)
    }
    nll = estimate(\.meanNLL)
    tokenAccuracy = estimate(\.tokenAccuracy)
    exactMatch = estimate(\.exactMatch)
    answerExactMatch = estimate(\.answerExactMatch)
    answerF1 = estimate(\.answerF1)
  }
}

/// By which queries the context step changes an answer (Zhang et al. 2025, Table 4): shares of all.
public struct Breakdown: Codable, Sendable, Equatable {
  /// What counts as correct.
  public enum Criterion: String, Codable, Sendable {
    /// The greedy answer is an accepted one.
    case answerExactMatch = "answer_exact_match"
    /// Every token of the response is the likeliest.
    case exactMatch = "exact_match"
  }

  /// What counts as correct.
  public var criterion: Criterion
  /// Wrong in NC and in FT.
  public var neither: Estimate
  /// Right in both.
  public var both: Estimate
  /// Right in NC, wrong in FT.
  public var onlyWithout: Estimate
  /// Wrong in NC, right in FT.
  public var onlyWith: Estimate

  enum CodingKeys: String, CodingKey {
    case criterion, neither, both
    case onlyWithout = "only_without"
    case onlyWith = "only_with"
  }

  init(_ scores: [GroupScores], clusters: [[Int]]) {
    let byAnswer = scores.allSatisfy { $0.unprompted.answers != nil && $0.adapted.answers != nil }
    criterion = byAnswer ? .answerExactMatch : .exactMatch
    func correct(_ score: ResponseScore) -> [Bool] {
      if byAnswer, let answers = score.answers { return answers.map { $0.exactMatch == 1 } }
      return score.predictions.map { $0.allSatisfy(\.isGreedy) }
    }
    func share(_ without: Bool, _ with: Bool) -> Estimate {
      Estimate(
        scores.map { group in
          let pairs = zip(correct(group.unprompted), correct(group.adapted))
          let hits = pairs.count { $0 == without && $1 == with }
          return Double(hits) / Double(group.unprompted.predictions.count)
        }, clusters: clusters)
    }
    neither = share(false, false)
    both = share(true, true)
    onlyWithout = share(true, false)
    onlyWith = share(false, true)
  }
}

/// A share for each way of counting that has one.
public struct ShareReport: Codable, Sendable, Equatable {
  /// By share of tokens that are the likeliest.
  public var tokenAccuracy: Estimate?
  /// By share of responses that are the likeliest token by token.
  public var exactMatch: Estimate?
  /// By share of greedy answers that are accepted.
  public var answerExactMatch: Estimate?
  /// By F1 of greedy answers.
  public var answerF1: Estimate?

  enum CodingKeys: String, CodingKey {
    case tokenAccuracy = "token_accuracy"
    case exactMatch = "exact_match"
    case answerExactMatch = "answer_exact_match"
    case answerF1 = "answer_f1"
  }

  /// (FT − floor) / (Prompt − floor) over groups, with NC as the floor or without one.
  init(_ scores: [GroupScores], aboveNC: Bool, clusters: [[Int]]) {
    func share(_ value: (ResponseScore) -> Double?) -> Estimate? {
      let rows = scores.compactMap { group -> (part: Double, whole: Double)? in
        guard let ft = value(group.adapted), let prompt = value(group.prompted),
          let nc = value(group.unprompted)
        else { return nil }
        return aboveNC ? (ft - nc, prompt - nc) : (ft, prompt)
      }
      return rows.isEmpty
        ? nil
        : Estimate(ratioOf: rows.map(\.part), to: rows.map(\.whole), clusters: clusters)
    }
    tokenAccuracy = share(\.tokenAccuracy)
    exactMatch = share(\.exactMatch)
    answerExactMatch = share(\.answerExactMatch)
    answerF1 = share(\.answerF1)
  }
}

/// What is left of several contexts (Zhang et al. 2025, Table 2): all queries of a group are asked of
/// the one model that has taken in all of its contexts.
public struct Retention: Codable, Sendable, Equatable {
  /// Contexts of a group.
  public var contexts: Int
  /// How many random groups there were; estimates are over groups.
  public var groups: Int
  /// FT after one update on the mean of the contexts' losses.
  public var batched: FormReport
  /// FT after an update on each context, one after another.
  public var sequential: FormReport
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
  /// The same after an inner step on the contexts of other tasks (Table 5).
  public var irrelevant: FormReport?
  /// Which queries the context step helps and hurts (Table 4).
  public var breakdown: Breakdown
  /// (FT − NC) / (Prompt − NC).
  public var gapRecovered: ShareReport
  /// FT / Prompt.
  public var ftToPrompt: ShareReport
  /// Several contexts in one model, by their number.
  public var retention: [Retention]?
  /// Mean loss of the contexts before the inner step.
  public var innerLoss: Estimate
  /// After it.
  public var innerLossAfter: Estimate
  /// Mean loss of plain texts a token, where there were some.
  public var plainText: Estimate?

  enum CodingKeys: String, CodingKey {
    case groups
    case contextsPerUpdate = "contexts_per_update"
    case nc, prompt, ft
    case irrelevant = "ft_irrelevant"
    case breakdown
    case gapRecovered = "gap_recovered"
    case ftToPrompt = "ft_to_prompt"
    case retention
    case innerLoss = "inner_loss"
    case innerLossAfter = "inner_loss_after"
    case plainText = "plain_text_nll"
  }

  /// `clusters` are the places of the groups that have the same contexts.
  init(_ scores: [GroupScores], contextsPerUpdate: Int, clusters: [[Int]]) {
    func form(_ score: (GroupScores) -> ResponseScore) -> FormReport {
      FormReport(scores.map(score), clusters: clusters)
    }
    groups = scores.count
    self.contextsPerUpdate = contextsPerUpdate
    nc = form(\.unprompted)
    prompt = form(\.prompted)
    ft = form(\.adapted)
    let control = scores.compactMap(\.irrelevant)
    irrelevant = control.isEmpty ? nil : FormReport(control, clusters: clusters)
    breakdown = Breakdown(scores, clusters: clusters)
    gapRecovered = ShareReport(scores, aboveNC: true, clusters: clusters)
    ftToPrompt = ShareReport(scores, aboveNC: false, clusters: clusters)
    innerLoss = Estimate(scores.map(\.innerLoss), clusters: clusters)
    innerLossAfter = Estimate(scores.map(\.innerLossAfter), clusters: clusters)
  }
}
