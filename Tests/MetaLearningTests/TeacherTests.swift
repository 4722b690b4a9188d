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
      groups, weights: weights, workers: workers, maximum: 5, stops: [], together: 2)
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
    // A response ends before a stop; one that would be empty stays as it was.
    let stop = taught[0].triplets[0].response[0]
    let stopped = try Teacher.respond(
      [groups[0]], weights: weights, workers: workers, maximum: 5, stops: [stop], together: 1)
    #expect(stopped[0].triplets[0].response == groups[0].triplets[0].response)

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
}
