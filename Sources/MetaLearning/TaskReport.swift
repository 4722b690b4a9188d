import Llama
import Operations
import Text

/// What an evaluation found of one task.
public struct TaskReport: Codable, Sendable, Equatable {
  /// One form of asking.
  public struct Form: Codable, Sendable, Equatable {
    /// The mean over the response's tokens of −log P, nats; nil where it is not finite.
    public var nll: Double?
    /// The share of the response's tokens that are the likeliest.
    public var tokenAccuracy: Double
    /// Whether all of them are.
    public var exactMatch: Bool
    /// What greedy decoding says, where answers were decoded.
    public var answer: String?
    /// Whether that is an accepted answer after SQuAD's normalisation.
    public var answerExactMatch: Bool?
    /// The F1 of its words, the best over the accepted answers.
    public var answerF1: Double?

    enum CodingKeys: String, CodingKey {
      case nll
      case tokenAccuracy = "token_accuracy"
      case exactMatch = "exact_match"
      case answer
      case answerExactMatch = "answer_exact_match"
      case answerF1 = "answer_f1"
    }

    fileprivate init(_ predictions: [Prediction], _ answer: AnswerScore?) {
      let score = ResponseScore(predictions: [predictions])
      nll = finite(score.meanNLL)
      tokenAccuracy = score.tokenAccuracy
      exactMatch = score.exactMatch == 1
      self.answer = answer?.answer
      answerExactMatch = answer.map { $0.exactMatch == 1 }
      answerF1 = answer?.f1
    }
  }

  /// Which task of its file it is, from 1.
  public var task: Int?
  /// P_θ(a | q).
  public var nc: Form
  /// P_θ(a | c ⊕ q).
  public var prompt: Form
  /// P_θ′(a | q).
  public var ft: Form
  /// The same after an inner step on another task's context.
  public var irrelevant: Form?
  /// The mean loss of its group's contexts before the inner step; nil where it is not finite.
  public var innerLoss: Double?
  /// After it: where that is more, the step went too far.
  public var innerLossAfter: Double?

  enum CodingKeys: String, CodingKey {
    case task, nc, prompt, ft
    case irrelevant = "ft_irrelevant"
    case innerLoss = "inner_loss"
    case innerLossAfter = "inner_loss_after"
  }

  /// The tasks of `group`, whose scores are `scores`.
  public static func tasks(of group: TaskGroup, _ scores: GroupScores) -> [TaskReport] {
    group.triplets.enumerated().map { place, triplet in
      func form(_ score: ResponseScore) -> Form {
        Form(score.predictions[place], score.answers?[place])
      }
      return TaskReport(
        task: triplet.number, nc: form(scores.unprompted), prompt: form(scores.prompted),
        ft: form(scores.adapted), irrelevant: scores.irrelevant.map(form),
        innerLoss: finite(scores.innerLoss), innerLossAfter: finite(scores.innerLossAfter))
    }
  }
}

private func finite(_ value: Double) -> Double? { value.isFinite ? value : nil }
