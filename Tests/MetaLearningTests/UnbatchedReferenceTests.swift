import Llama
import LoRA
import MetaLearning
import Operations
import Storage
import TestSupport
import Testing

/// K contexts in one pass against a reference that takes one text at a time.
@Suite struct UnbatchedReferenceTests {
  private let arena = Arena()

  private func meta(_ adapter: AdapterTensors<Double>) throws -> MetaGradient<Double> {
    MetaGradient(
      weights: try TinyModel.weights(), adapter: adapter,
      configuration: .init(innerLearningRate: 0.1),
      limits: MetaLimits(
        groups: 1, innerRows: 64, outerRows: 96, scoredRows: 32, sequence: 32, logitRows: 16),
      policy: .lean, workers: Workers(count: 2), arena: arena)
  }

  /// The mean gradient of texts, each in a pass of its own, at the adapter's values.
  private func gradient(
    _ texts: [(ids: [Int32], predicted: Int)], at values: [Double],
    _ layout: AdapterLayout
  ) throws -> [Double] {
    let adapter = AdapterTensors<Double>(layout: layout, arena: arena, for: .adapter)
    for (index, value) in values.enumerated() { adapter.flat.pointer[index] = value }
    let meta = try meta(adapter)
    var sum = [Double](repeating: 0, count: values.count)
    for text in texts {
      let one = AdapterTensors<Double>(layout: layout, arena: arena, for: .gradient)
      var batch = TokenBatch()
      batch.append(text.ids, predicted: text.predicted, weight: 1)
      _ = try meta.accumulate(loss: batch, into: one)
      for (index, value) in one.flat.elements.enumerated() {
        sum[index] += value / Double(texts.count)
      }
    }
    return sum
  }

  /// g, v and H v from single texts; H v as a central difference of g along v with a step of 1e-5
  /// of θ's scale, whose error is about 1e-9 of the gradient: 1e-6. Where tasks share a context the
  /// reference takes it as often as they do.
  @Test(arguments: [[0], [0, 1], [0, 1, 2], [0, 0], [1, 0, 1], [2, 2, 2]])
  func contextsTogetherAreContextsAlone(_ contexts: [Int]) throws {
    let golden = try Golden(path: TinyModel.folder + "/golden.json")
    let given = ["t0", "t1", "t2"].compactMap { golden.group($0)?.triplets.first }
    let triplets = zip(given, contexts).map { task, context in
      var task = task
      task.context = given[context].context
      return task
    }
    let adapter: AdapterTensors<Double> = try TinyModel.adapter("lora_r3", arena: arena)
    let layout = adapter.layout
    let start = adapter.flat.elements
    let texts = triplets.map { (ids: $0.context, predicted: $0.context.count - 1) }
    let queries = triplets.map { (ids: $0.unprompted, predicted: $0.response.count) }
    let g = try gradient(texts, at: start, layout)
    let v = try gradient(queries, at: zip(start, g).map { $0 - 0.1 * $1 }, layout)
    let h = 1e-5 / v.reduce(0) { max($0, abs($1)) }
    let ahead = try gradient(texts, at: zip(start, v).map { $0 + h * $1 }, layout)
    let behind = try gradient(texts, at: zip(start, v).map { $0 - h * $1 }, layout)
    let expected = v.indices.map { v[$0] - 0.1 * (ahead[$0] - behind[$0]) / (2 * h) }
    let result = AdapterTensors<Double>(layout: layout, arena: arena, for: .gradient)
    _ = try meta(adapter).accumulate([TaskGroup(triplets)], weight: 1, into: result)
    #expect(relativeDifference(result.flat.elements, expected) < 1e-6)
  }
}
