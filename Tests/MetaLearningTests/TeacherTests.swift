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
      budget: 1 << 30
    ).groups
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
      groups, weights: weights, workers: workers, end: AnswerEnd(stops: [], maximum: 5), budget: 0
    ).groups
    #expect(single.map(\.triplets[0].response) == taught.map(\.triplets[0].response))
  }

  /// What the cache has is not decoded again, be it all or a part; what is damaged or of something
  /// else is.
  @Test func answersAreKeptAsTheyAreDecoded() throws {
    let golden = try Golden(path: TinyModel.folder + "/golden.json")
    let groups = ["t0", "t1", "t2"].compactMap { golden.group($0) }
    let weights: LlamaWeights<Double> = try TinyModel.weights()
    let folder = try TemporaryFolder()
    let path = folder.file("cache.jsonl")
    func respond(_ groups: [TaskGroup], key: String = "a") throws -> [[Int32]] {
      try Teacher.respond(
        groups, weights: weights, workers: Workers(count: 1),
        end: AnswerEnd(stops: [], maximum: 5), budget: 0,
        cache: TeacherCache(path: path, key: key)
      ).groups.map { $0.triplets[0].response }
    }
    func rows() throws -> [Substring] {
      try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
    }
    func write(_ rows: [Substring]) throws {
      try rows.joined(separator: "\n").write(toFile: path, atomically: true, encoding: .utf8)
    }
    let expected = try respond(groups)
    let whole = try rows()
    #expect(whole.count == 3)
    #expect(try respond(groups) == expected && rows() == whole)
    // Killed while the third row was written.
    try write(Array(whole.prefix(2)) + [whole[2].dropLast(9)])
    #expect(try respond(groups) == expected)
    #expect(try rows().count == 4 && rows().last == whole[2])
    #expect(try respond(groups) == expected && rows().count == 4)
    // Another model's or other tasks' rows, and ids that the vocabulary does not have.
    #expect(try respond(groups, key: "b") == expected && rows().count == 7)
    let foreign = whole[0].replacing(/\[\[[0-9]+/, with: "[[67")
    try write([foreign[...], whole[1], whole[2]])
    #expect(try respond(groups) == expected && rows().last == whole[0])
    for wrong in ["\"from\":-1", "\"from\":3", "\"from\":\(Int.max)"] {
      try write([whole[0].replacing(/"from":0/, with: wrong)[...], whole[1], whole[2]])
      #expect(try respond(groups) == expected)
    }
    // What is kept is what was said.
    let said = try rows().last?.replacing(/\[\[[0-9]+/, with: "[[7")
    try write([try #require(said)[...], whole[1], whole[2]])
    #expect(try respond(groups)[0].first == 7)
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
        [group], weights: weights, workers: Workers(count: 1), end: end, budget: 1 << 30
      ).groups[0].triplets[0].response
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
      ).groups.map { $0.triplets[0].response }
    }
    var again = first.triplets[0]
    again.query = Array(again.query.reversed()) + [3]
    again.response = Array(repeating: 1, count: 9)
    let triplets = [first.triplets[0], second.triplets[0], again]
    let alone = try triplets.map { try respond([$0])[0] }
    #expect(try respond(triplets) == alone)
    #expect(Set(alone).count == 3)
  }

  /// Groups whose tasks have two contexts by turns, and one whose have one each.
  private static func mixedGroups() throws -> [TaskGroup] {
    let golden = try Golden(path: TinyModel.folder + "/golden.json")
    let given = try ["t0", "t1", "t2"].map { try #require(golden.group($0)).triplets[0] }
    func group(_ contexts: Int...) -> TaskGroup {
      TaskGroup(
        contexts.enumerated().map { place, context in
          var task = given[place % 3]
          task.context = given[context].context
          return task
        })
    }
    return [group(0, 1, 0, 0), group(2, 2, 1, 2), group(0, 1)]
  }

  /// A teacher that reads a shared context once has the same divergences and gradient: the same
  /// products in f64, 1e-10.
  @Test(arguments: [InnerStep.lora, .full]) func divergencesOfSharedContexts(
    _ inner: InnerStep
  ) throws {
    let groups = try Self.mixedGroups()
    let weights: LlamaWeights<Double> = try TinyModel.weights()
    func step(_ prompts: PromptForms) throws -> (losses: [Double], gradient: [Double]) {
      let arena = Arena()
      let adapter: AdapterTensors<Double> = try TinyModel.adapter("lora_r3", arena: arena)
      let limits = MetaLimits(covering: groups, together: 3, prompts: prompts, logitRows: 7)
      #expect((limits.cachedTokens > 0) == (prompts == .allSharing))
      let meta = MetaGradient(
        weights: weights, adapter: adapter,
        configuration: .init(inner: inner, innerLearningRate: 0.03, target: .teacher),
        limits: limits, policy: .lean, workers: Workers(count: 2), arena: arena)
      let gradient = AdapterTensors<Double>(layout: adapter.layout, arena: arena, for: .gradient)
      let losses = try meta.accumulate(groups, weight: 1, into: gradient).map(\.outerLoss)
      return (losses, gradient.flat.elements)
    }
    let (alone, shared) = (try step(.all), try step(.allSharing))
    for (a, b) in zip(alone.losses + alone.gradient, shared.losses + shared.gradient) {
      #expect(abs(a - b) < 1e-10 * (1 + abs(a)))
    }
    #expect(alone.losses.allSatisfy { $0 > 0 })
  }

  /// Held-out tasks, in the buffers of a training whose teacher reads shared contexts once, are scored
  /// as in those of one that does not: 1e-12 for sums in f64 of other blocks.
  @Test func heldOutTasksBesideSharedContexts() throws {
    let groups = try Self.mixedGroups()
    // The longest has one context twice, which is read for each of its queries.
    let single = try ["t0", "t1", "t2"].map { name in
      try #require(Golden(path: TinyModel.folder + "/golden.json").group(name))
    }
    let longest = try #require(single.max { $0.promptedRows(.all) < $1.promptedRows(.all) })
    let held =
      single + [TaskGroup(Array(repeating: longest.triplets[0], count: 6))]
    let weights: LlamaWeights<Double> = try TinyModel.weights()
    let base: LlamaWeights<Float> = try TinyModel.weights()
    func scores(_ prompts: PromptForms) throws -> [Double] {
      let arena = Arena()
      let adapter: AdapterTensors<Double> = try TinyModel.adapter("lora_r3", arena: arena)
      let limits = MemoryPlanner(
        weights: base, layout: adapter.layout, configuration: .init(target: .teacher),
        groups: groups, heldOut: held, textRows: 0, prompts: prompts, workers: Workers(count: 1),
        trains: true
      ).limits(together: 1, logitRows: 7)
      #expect((limits.cachedTokens > 0) == (prompts == .allSharing))
      let meta = MetaGradient(
        weights: weights, adapter: adapter,
        configuration: .init(innerLearningRate: 0.03, target: .teacher), limits: limits,
        policy: .lean, workers: Workers(count: 1), arena: arena)
      return try limits.pack(held, prompts: .all).flatMap { part in
        try meta.evaluate(part, sharesContexts: false).flatMap {
          [$0.unprompted.meanNLL, $0.prompted.meanNLL, $0.adapted.meanNLL]
        }
      }
    }
    for (alone, shared) in zip(try scores(.all), try scores(.allSharing)) {
      #expect(abs(alone - shared) < 1e-12)
    }
  }

  /// Sweeps that are packed for shared contexts are within what was planned for them.
  @Test(arguments: 1...4) func packedSweepsFit(together: Int) throws {
    let mixed = try Self.mixedGroups()
    let groups = (0..<9).map { mixed[$0 * $0 % 3] }
    let limits = MetaLimits(
      packing: groups, together: together, prompts: .allSharing, logitRows: 8)
    let parts = limits.pack(groups, prompts: .allSharing)
    #expect(parts.flatMap(\.self).map(\.triplets.count) == groups.map(\.triplets.count))
    for part in parts {
      let tokens = part.flatMap(\.triplets).reduce(0) { $0 + $1.prompted.count }
      #expect(tokens <= limits.cachedTokens && part.count <= together)
      #expect(part.reduce(0) { $0 + $1.promptedRows(.allSharing) } <= limits.outerRows)
    }
    // Without room for sharing, as many as fit with every context read anew.
    var alone = MetaLimits(packing: groups, together: together, prompts: .all, logitRows: 8)
    alone.groups = 9
    for part in alone.pack(groups, prompts: .allSharing) {
      #expect(part.reduce(0) { $0 + $1.promptedRows(.all) } <= alone.outerRows)
    }
  }
}
