import Llama
import LoRA
import Operations
import Storage
import TestSupport
import Testing

@Suite struct AnswerTests {
  let arena = Arena()
  let weights: LlamaWeights<Double>
  let adapter: AdapterTensors<Double>
  let sweep: Sweep<Double>

  init() throws {
    weights = try TinyModel.weights()
    adapter = try TinyModel.adapter("lora_r3", arena: arena)
    let engine = LlamaEngine(
      weights: weights, workers: Workers(count: 2),
      limits: EngineLimits(
        rows: 40, tangentRows: 0, sequence: 40, updateRank: 0, adapterRank: 3, logitRows: 3),
      arena: arena)
    sweep = Sweep(
      engine: engine, capacity: 40, hasTangents: false, policy: .lean, arena: arena)
  }

  private func parameters(adapted: Bool, _ rows: Range<Int>) -> ParameterChange<Double> {
    var change = ParameterChange<Double>(layers: 2)
    if adapted { change.add(adapter, rows: rows) }
    return change
  }

  private func greedy(_ prompt: [Int32], adapted: Bool, maximum: Int, stops: Set<Int32> = [])
    throws -> [Int32]
  {
    let cache = KeyValueCache<Double>(
      architecture: weights.architecture, sequences: 1, capacity: 40, arena: arena)
    return try sweep.generate([prompt], maximum: maximum, stops: stops, cache: cache) {
      parameters(adapted: adapted, 0..<$0)
    }[0]
  }

  /// Rounds under other parameters, responses that greedy decoding follows for none, some or all of
  /// their tokens: the scores of whole passes and the answers of plain decoding.
  @Test func answersAreThoseOfPlainDecoding() throws {
    let prompts: [[Int32]] = [[5, 9, 30, 2, 61], [7, 1], [40]]
    var rounds: [[Question]] = []
    for adapted in [true, false] {
      rounds.append(
        try prompts.enumerated().map { index, prompt in
          var response = try greedy(prompt, adapted: adapted, maximum: 4)
          if index == 1 { response[2] = (response[2] + 1) % 67 }
          if index == 2 { response = [(response[0] + 1) % 67] }
          return Question(prompt: prompt, response: response)
        })
    }
    let end = AnswerEnd(stops: [], maximum: 9)
    let cache = KeyValueCache<Double>(
      architecture: weights.architecture,
      tokens: rounds.joined().reduce(0) { $0 + $1.cachedTokens(maximum: 9) }, arena: arena)
    let answers = try sweep.answer(rounds, end: end, cache: cache) { batch in
      var change = ParameterChange<Double>(layers: 2)
      for (segment, sequence) in zip(batch.segments, batch.sequences) where sequence[0] < 3 {
        change.add(adapter, rows: segment)
      }
      return change
    }
    for (round, adapted) in [true, false].enumerated() {
      for (question, answer) in zip(rounds[round], answers[round]) {
        #expect(
          try answer.greedy == greedy(question.prompt, adapted: adapted, maximum: 9),
          "\(question.prompt), adapted \(adapted)")
        var batch = TokenBatch()
        batch.append(question.prompt + question.response, predicted: question.response.count)
        sweep.begin(batch, parameters: parameters(adapted: adapted, 0..<batch.count))
        try sweep.forward()
        for (given, expected) in zip(answer.predictions, try sweep.score()) {
          #expect(given.isGreedy == expected.isGreedy)
          #expect(
            abs(given.negativeLogLikelihood - expected.negativeLogLikelihood) < 1e-12)
        }
      }
    }
  }

  /// A closing id ends an answer and is part of it, but not that of a question that stays open.
  @Test func answersCloseEachOnItsOwn() throws {
    let prompts: [[Int32]] = [[5, 9, 30, 2, 61], [7, 1], [40], [3, 3, 8], [66, 12]]
    let candidates = try prompts.map { try greedy($0, adapted: true, maximum: 6) }
    let chosen = try #require(candidates.firstIndex { Set($0).count > 1 })
    let (prompt, whole) = (prompts[chosen], candidates[chosen])
    let closing = try #require(whole.first { $0 != whole[0] })
    let place = try #require(whole.firstIndex(of: closing))
    let questions = [false, true].map {
      Question(prompt: prompt, response: [whole[0]], staysOpen: $0)
    }
    let cache = KeyValueCache<Double>(
      architecture: weights.architecture,
      tokens: questions.reduce(0) { $0 + $1.cachedTokens(maximum: 6) }, arena: arena)
    let answers = try sweep.answer(
      [questions], end: AnswerEnd(stops: [], closing: [closing], maximum: 6), cache: cache
    ) { parameters(adapted: true, 0..<$0.count) }
    #expect(answers[0].map(\.greedy) == [Array(whole[...place]), whole])
  }

  /// Questions about contexts of one and several, in any order, read once: the scores and answers of each
  /// alone. 1e-12 for sums in f64 of other blocks.
  @Test func aContextIsReadOnce() throws {
    let contexts: [[Int32]] = [[5, 9, 30, 2, 61], [7, 1], [40, 3, 3]]
    let asked: [(context: Int, query: [Int32], response: [Int32])] = [
      (0, [8, 2], [4]), (1, [8], [9, 9]), (0, [11], [1, 2, 3]), (2, [6, 6], [5]),
      (1, [20, 21, 22], [7]),
    ]
    let questions = asked.map {
      Question(
        prompt: contexts[$0.context] + $0.query, response: $0.response,
        context: contexts[$0.context].count)
    }
    let end = AnswerEnd(stops: [], maximum: 4)
    let cache = KeyValueCache<Double>(architecture: weights.architecture, tokens: 80, arena: arena)
    var rows: [Int] = []
    func answers(_ questions: [Question], _ end: AnswerEnd?) throws -> [Answer] {
      try sweep.answer([questions], end: end, cache: cache) {
        rows.append($0.count)
        return parameters(adapted: true, 0..<$0.count)
      }[0]
    }
    let together = try answers(questions, end)
    // The contexts of 5 and 2 tokens once, that of 3 with its question.
    #expect(rows[0] == 5 + (2 + 3) + 2 + (2 + 3) + (3 + 2))
    for (question, answer) in zip(questions, together) {
      let alone = try answers([question], end)[0]
      #expect(answer.greedy == alone.greedy && answer.greedy.count == 4)
      for (a, b) in zip(answer.predictions, alone.predictions) {
        #expect(a.isGreedy == b.isGreedy)
        #expect(abs(a.negativeLogLikelihood - b.negativeLogLikelihood) < 1e-12)
      }
    }
    let scored = try answers(questions, nil)
    #expect(scored.map(\.predictions) == together.map(\.predictions))
    #expect(scored.allSatisfy { $0.greedy.isEmpty })
  }

  /// Ends inside the given response and behind it: stops are left out, closing ids are kept.
  @Test func answersEnd() throws {
    let prompt: [Int32] = [5, 9, 30, 2, 61]
    let plain = try greedy(prompt, adapted: true, maximum: 8)
    let cache = KeyValueCache<Double>(
      architecture: weights.architecture, tokens: 40, arena: arena)
    func answer(_ given: Int, _ end: AnswerEnd) throws -> [Int32] {
      let question = Question(prompt: prompt, response: Array(plain.prefix(given)))
      return try sweep.answer([[question]], end: end, cache: cache) {
        parameters(adapted: true, 0..<$0.count)
      }[0][0].greedy
    }
    for place in 1..<6 {
      let first = plain.firstIndex(of: plain[place]) ?? place
      for given in [1, 3, 8] {
        #expect(
          try answer(given, AnswerEnd(stops: [plain[place]], maximum: 8))
            == Array(plain.prefix(first)))
        #expect(
          try answer(given, AnswerEnd(stops: [], closing: [plain[place]], maximum: 8))
            == Array(plain.prefix(first + 1)))
      }
    }
    #expect(try answer(5, AnswerEnd(stops: [], maximum: 2)) == Array(plain.prefix(5)))
    #expect(try answer(1, AnswerEnd(stops: [], maximum: 2)) == Array(plain.prefix(2)))
  }
}
