import Storage
public import Weights

/// What held-out tasks give after a step of a run: means over groups of tasks.
public struct HeldOutMetrics: Codable, Sendable {
  /// Steps done; 0 before the first.
  public var step: Int
  /// −log P_θ(a | q), nats per token.
  public var ncNLL: Double
  /// −log P_θ(a | c ⊕ q).
  public var promptNLL: Double
  /// −log P_θ′(a | q); nil where the run has no inner step.
  public var ftNLL: Double?
  /// Share of responses that are the likeliest token by token, NC.
  public var ncExactMatch: Double
  /// Prompt.
  public var promptExactMatch: Double
  /// FT, where there is an inner step.
  public var ftExactMatch: Double?
  /// Mean loss of the contexts before the inner step, where there is one.
  public var innerLoss: Double?
  /// Seconds that it took.
  public var seconds: Double

  enum CodingKeys: String, CodingKey {
    case step
    case ncNLL = "nc_nll"
    case promptNLL = "prompt_nll"
    case ftNLL = "ft_nll"
    case ncExactMatch = "nc_exact_match"
    case promptExactMatch = "prompt_exact_match"
    case ftExactMatch = "ft_exact_match"
    case innerLoss = "inner_loss"
    case seconds
  }
}

extension Trainer {
  /// NC, Prompt and, unless this is plain fine-tuning, FT of `groups`, in the buffers of training: its
  /// plan must have been made for them, too, with their Prompt forms. Changes nothing of the run.
  ///
  /// Throws ``WeightError`` where a base weight cannot be read.
  public func evaluate(_ groups: [TaskGroup]) throws(WeightError) -> HeldOutMetrics {
    let start = ContinuousClock.now
    if configuration.finetuning != nil { return try evaluatePlainly(groups, since: start) }
    var scores: [GroupScores] = []
    for part in plan.limits.pack(groups, prompts: .all) {
      scores += try meta.evaluate(part, sharesContexts: false, measuresLossAfter: false)
    }
    func mean(_ value: (GroupScores) -> Double) -> Double { Estimate(scores.map(value)).mean }
    return HeldOutMetrics(
      step: step, ncNLL: mean(\.unprompted.meanNLL), promptNLL: mean(\.prompted.meanNLL),
      ftNLL: mean(\.adapted.meanNLL), ncExactMatch: mean(\.unprompted.exactMatch),
      promptExactMatch: mean(\.prompted.exactMatch), ftExactMatch: mean(\.adapted.exactMatch),
      innerLoss: mean(\.innerLoss), seconds: (ContinuousClock.now - start).inSeconds)
  }

  /// NC and Prompt of `groups` under θ.
  private func evaluatePlainly(
    _ groups: [TaskGroup], since start: ContinuousClock.Instant
  ) throws(WeightError) -> HeldOutMetrics {
    func score(_ form: TaskForm) throws(WeightError) -> ResponseScore {
      ResponseScore(
        predictions: try meta.score(
          groups.flatMap(\.triplets).map { LossExample($0, form, weight: 1) }))
    }
    let (bare, prompted) = (try score(.nc), try score(.prompt))
    return HeldOutMetrics(
      step: step, ncNLL: bare.meanNLL, promptNLL: prompted.meanNLL, ncExactMatch: bare.exactMatch,
      promptExactMatch: prompted.exactMatch, seconds: (ContinuousClock.now - start).inSeconds)
  }
}
