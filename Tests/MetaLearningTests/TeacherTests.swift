import Foundation
import Llama
import LoRA
import MetaLearning
import Operations
import Storage
import TestSupport
import Testing

@Suite struct TeacherTests {
  /// Every token of a teacher's response is the likeliest in Prompt form under the base.
  @Test func responsesAreGreedyUnderTheBase() throws {
    let golden = try Golden(path: TinyModel.folder + "/golden.json")
    let groups = ["t0", "t1", "t2"].compactMap { golden.group($0) }
    let weights: LlamaWeights<Double> = try TinyModel.weights()
    let workers = Workers(count: 2)
    let taught = try Teacher.respond(
      groups, weights: weights, workers: workers, end: AnswerEnd(stops: [], maximum: 5),
      budget: 1 << 30)
    let arena = Arena()
    let layout = AdapterLayout(.init(rank: 1), architecture: weights.architecture)
    let adapter = AdapterTensors<Double>(layout: layout, arena: arena, for: .adapter)
    let meta = MetaGradient(
      weights: weights, adapter: adapter, configuration: .init(order: .first),
      limits: MetaLimits(covering: taught, together: 3, prompts: .all, logitRows: 8),
      policy: .lean, workers: workers, arena: arena)
    for scores in try meta.evaluate(taught) {
      #expect(scores.prompted.predictions[0].count == 5)
      #expect(scores.prompted.exactMatch == 1)
    }
    // A budget of nothing takes them one by one, and says the same.
    let single = try Teacher.respond(
      groups, weights: weights, workers: workers, end: AnswerEnd(stops: [], maximum: 5), budget: 0)
    #expect(single.map(\.triplets[0].response) == taught.map(\.triplets[0].response))

    let folder = try TemporaryFolder()
    let cache = TeacherCache(path: folder.file("cache.json"), key: "a")
    #expect(cache.read(groups, vocabularySize: 67) == nil)
    try cache.write(taught)
    #expect(
      cache.read(groups, vocabularySize: 67)?.map(\.triplets[0].response)
        == taught.map(\.triplets[0].response))
    #expect(
      TeacherCache(path: folder.file("cache.json"), key: "b").read(groups, vocabularySize: 67)
        == nil)
    #expect(cache.read([groups[0]], vocabularySize: 67) == nil)
  }

  /// A response ends before a stop and with what closes it; one that says nothing stays as it was.
  @Test func responsesEnd() throws {
    let group = try #require(try Golden(path: TinyModel.folder + "/golden.json").group("t0"))
    let weights: LlamaWeights<Double> = try TinyModel.weights()
    func response(stops: Set<Int32> = [], closing: Set<Int32> = [], maximum: Int = 5) throws
      -> [Int32]
    {
      let end = AnswerEnd(stops: stops, closing: closing, maximum: maximum)
      return try Teacher.respond(
        [group], weights: weights, workers: Workers(count: 1), end: end, budget: 1 << 30)[0]
        .triplets[0].response
    }
    let whole = try response()
    #expect(whole.count == 5)
    #expect(try response(maximum: 1) == [whole[0]])
    let given = group.triplets[0].response
    #expect(try response(stops: [whole[0]]) == given)
    #expect(try response(closing: [whole[0]]) == given)
    let later = try #require(whole.first { $0 != whole[0] })
    let place = try #require(whole.firstIndex(of: later))
    #expect(try response(stops: [later]) == Array(whole[..<place]))
    #expect(try response(closing: [later]) == Array(whole[...place]))
  }

  /// Tasks of one context, wherever they are in the list and whatever responses they came with, get
  /// what each gets alone.
  @Test func aSharedContextIsReadOnce() throws {
    let golden = try Golden(path: TinyModel.folder + "/golden.json")
    let (first, second) = try (#require(golden.group("t0")), #require(golden.group("t1")))
    let weights: LlamaWeights<Double> = try TinyModel.weights()
    func respond(_ triplets: [TaskGroup.Triplet]) throws -> [[Int32]] {
      try Teacher.respond(
        triplets.map { TaskGroup([$0]) }, weights: weights, workers: Workers(count: 1),
        end: AnswerEnd(stops: [], maximum: 4), budget: 1 << 30
      ).map { $0.triplets[0].response }
    }
    var again = first.triplets[0]
    again.query = Array(again.query.reversed()) + [3]
    again.response = Array(repeating: 1, count: 9)
    let triplets = [first.triplets[0], second.triplets[0], again]
    let alone = try triplets.map { try respond([$0])[0] }
    #expect(try respond(triplets) == alone)
    #expect(Set(alone).count == 3)
  }
}
