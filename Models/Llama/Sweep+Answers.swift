import Operations
import Storage
public import Weights

/// What is asked of a model: a prompt, and the response that is looked for.
public struct Question: Sendable {
  /// At least one token.
  public var prompt: [Int32]
  /// At least one token.
  public var response: [Int32]
  /// How many of the prompt's first tokens are a context, which is read once for all questions of a
  /// round that begin with the same; less than all of them.
  public var context: Int
  /// Whether its answer goes on behind the ids that close others.
  public var staysOpen: Bool

  /// All parts.
  public init(
    prompt: [Int32], response: [Int32], context: Int = 0, staysOpen: Bool = false
  ) {
    precondition(context < prompt.count)
    self.prompt = prompt
    self.response = response
    self.context = context
    self.staysOpen = staysOpen
  }
}

/// What a model says to a question.
public struct Answer: Sendable, Equatable {
  /// One prediction a token of the response that was looked for.
  public var predictions: [Prediction]
  /// The greedy continuation of the prompt.
  public var greedy: [Int32]
}

/// Where a greedy answer ends.
public struct AnswerEnd: Sendable {
  /// Ids that end an answer and are not part of it.
  public var stops: Set<Int32>
  /// Ids that end an answer and are part of it.
  public var closing: Set<Int32>
  /// The most tokens of an answer, or as many as the response that is looked for has.
  public var maximum: Int

  /// All values; `maximum` is positive.
  public init(stops: Set<Int32>, closing: Set<Int32> = [], maximum: Int) {
    precondition(maximum > 0)
    self.stops = stops
    self.closing = closing
    self.maximum = maximum
  }

  /// Appends `id` to the answer to `question`, unless it is a stop. Returns whether the answer goes
  /// on.
  func extend(_ answer: inout [Int32], by id: Int32, to question: Question) -> Bool {
    if stops.contains(id) { return false }
    answer.append(id)
    let isClosed = closing.contains(id) && !question.staysOpen
    return !isClosed && answer.count < max(maximum, question.response.count)
  }
}

extension Sweep {
  /// Scores the given response of every question, and answers it greedily unless `end` is nil. Without
  /// a cache there are no answers, and no context is shared.
  ///
  /// One pass over the prompts and responses of a round does both: its keys and values stay in
  /// `cache`, and where the first tokens of the given response are the likeliest ones, decoding goes
  /// on behind them. (Leviathan et al. 2023, "Fast inference from transformers via speculative
  /// decoding", with the given response as the draft.) The answers of all rounds are decoded
  /// together. `parameters` says what the rows of a batch see; the batch's `sequences` count the
  /// questions through all rounds. A context that several questions of a round begin with is read
  /// once, under the parameters of the first of them. The cache needs the questions'
  /// `cachedTokens(maximum:)` together; answers end where the model's positions do.
  ///
  /// Throws ``WeightError`` where a base weight cannot be read.
  public func answer(
    _ rounds: [[Question]], end: AnswerEnd?, cache: KeyValueCache<S>?,
    parameters: (TokenBatch) -> ParameterChange<S>
  ) throws(WeightError) -> [[Answer]] {
    let questions = rounds.flatMap(\.self)
    cache?.reset(
      capacities: questions.map {
        min($0.cachedTokens(maximum: end?.maximum ?? 0), architecture.maxPositionEmbeddings)
      })
    var answers: [Answer] = []
    var pending: [(sequence: Int, ids: [Int32])] = []
    for round in rounds {
      for (question, answer) in zip(
        round,
        try readRound(
          round, from: answers.count, decodes: end != nil, cache: cache, parameters: parameters))
      {
        let sequence = answers.count
        var greedy: [Int32] = []
        let draft = question.response.prefix(answer.agreed) + (answer.other.map { [$0] } ?? [])
        let goesOn = draft.allSatisfy { end?.extend(&greedy, by: $0, to: question) ?? false }
        answers.append(Answer(predictions: answer.predictions, greedy: greedy))
        // The last token of the answer is the first that the cache does not count.
        guard goesOn, let last = greedy.last, let cache else { continue }
        cache.advance(sequence, by: question.prompt.count + greedy.count - 1)
        if cache.hasRoom(sequence) { pending.append((sequence, [last])) }
      }
    }
    if let cache, let end {
      try decode(pending, cache: cache, parameters: parameters) { sequence, logits in
        let id = Sampling.likeliest(logits)
        return end.extend(&answers[sequence].greedy, by: id, to: questions[sequence]) ? id : nil
      }
    }
    var next = 0
    return rounds.map { round in
      defer { next += round.count }
      return Array(answers[next..<next + round.count])
    }
  }

  /// Scores the responses of a round whose first sequence is `first`, leaving keys and values in the
  /// cache. Returns the predictions, and where it `decodes` how many tokens greedy decoding agrees
  /// with and the one that it has instead of the next.
  private func readRound(
    _ questions: [Question], from first: Int, decodes: Bool, cache: KeyValueCache<S>?,
    parameters: (TokenBatch) -> ParameterChange<S>
  ) throws(WeightError) -> [(predictions: [Prediction], agreed: Int, other: Int32?)] {
    let batch = TokenBatch(questions, sharesContexts: cache != nil, from: first)
    begin(batch, parameters: parameters(batch))
    try forward(in: cache)
    var misses: [Int: Int32] = [:]
    let predictions = try headScore { row, isGreedy, logits in
      if decodes, !isGreedy { misses[row] = Sampling.likeliest(logits) }
    }
    return batch.lossRanges.suffix(questions.count).map { rows in
      let miss = rows.first { misses[$0] != nil }
      return (
        Array(predictions[rows]), (miss ?? rows.upperBound) - rows.lowerBound,
        miss.flatMap { misses[$0] }
      )
    }
  }
}

extension TokenBatch {
  /// Prompts with their responses, which are scored, as the last segments in the order of `questions`;
  /// their sequences count from `first`. Where it `sharesContexts`, by a key-value cache, a context
  /// that several begin with stands before them once.
  package init(_ questions: [Question], sharesContexts: Bool, from first: Int = 0) {
    var read = questions.map { _ in 0 }
    if sharesContexts {
      for places in Array(questions.indices).joined(by: { questions[$0].shareable })
      where places.count > 1 {
        let context = questions[places[0]].shareable
        if context.isEmpty { continue }
        append(sharedBy: places.map { first + $0 }, context)
        for place in places { read[place] = context.count }
      }
    }
    for (place, question) in questions.enumerated() {
      append(
        question.prompt.dropFirst(read[place]) + question.response,
        predicted: question.response.count, at: read[place], sequence: first + place)
    }
  }
}

extension Question {
  /// The context, which others may begin with.
  fileprivate var shareable: ArraySlice<Int32> { prompt.prefix(context) }

  /// Tokens that the cache holds of this question and of an answer of at most `maximum` tokens.
  public func cachedTokens(maximum: Int) -> Int { prompt.count + max(response.count, maximum) }
}
