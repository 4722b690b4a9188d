import Foundation
import Llama
import LoRA
import MetaLearning
import Operations
import Storage
import TestSupport
import Testing
import Weights

/// Several contexts in one model, by one update or by updates in turn.
@Suite struct RetentionTests {
  /// LoRA inner: two updates in turn are one update from where another one ended. The same
  /// products in f64: 1e-10.
  @Test func lowRankUpdatesInTurn() throws {
    let arena = Arena()
    let groups = EvaluationTests.groups(4)
    let pairs = [
      TaskGroup([groups[0].triplets[0], groups[1].triplets[0]]),
      TaskGroup([groups[2].triplets[0], groups[3].triplets[0]]),
    ]
    let configuration = MetaConfiguration(innerLearningRate: 0.3, order: .first)
    let weights: LlamaWeights<Double> = try TinyModel.weights()
    let adapter: AdapterTensors<Double> = try TinyModel.adapter("lora_r3", arena: arena)
    let scores = try EvaluationTests.meta(weights, adapter, configuration, pairs, arena: arena)
      .evaluateRetention(pairs, oneByOne: true)
    for (pair, score) in zip(pairs, scores) {
      let first: AdapterTensors<Double> = try TinyModel.adapter("lora_r3", arena: arena)
      let gradient = AdapterTensors<Double>(layout: adapter.layout, arena: arena, for: .gradient)
      var batch = TokenBatch()
      let context = pair.triplets[0].context
      batch.append(context, predicted: context.count - 1)
      _ = try EvaluationTests.meta(weights, adapter, configuration, pairs, arena: arena)
        .accumulate(loss: batch, into: gradient)
      Elementwise.addScaled(gradient.flat, scale: -0.3, into: first.flat)
      let moved = EvaluationTests.meta(weights, first, configuration, pairs, arena: arena)
      for (index, triplet) in pair.triplets.enumerated() {
        // A query of either context, after the inner step on the second.
        var task = triplet
        task.context = pair.triplets[1].context
        let expected = try moved.evaluate([TaskGroup([task])])[0].adapted.predictions[0]
        for (given, expected) in zip(score.predictions[index], expected) {
          #expect(abs(given.negativeLogLikelihood - expected.negativeLogLikelihood) < 1e-10)
        }
      }
    }
  }

  /// Full inner: the first update is put into the weights, which are f32: 1e-5. With many rows to a
  /// model the store holds sums, with few it holds factors.
  @Test(arguments: [(false, FactorStorage.f32), (true, .f32)])
  func fullUpdatesInTurn(bias: Bool, storage: FactorStorage) throws {
    let arena = Arena()
    let tasks = EvaluationTests.groups(2).flatMap(\.triplets)
    let group = TaskGroup(tasks)
    let rate = 0.05
    let configuration = MetaConfiguration(
      inner: .full, innerLearningRate: rate, order: .first, factorStorage: storage)
    let base: LlamaWeights<Double> = try TinyModel.variant(bias: bias, untied: bias)
    let empty = AdapterTensors<Double>(
      layout: AdapterLayout(.init(targetModules: []), architecture: base.architecture),
      arena: arena, for: .adapter)
    let score = try EvaluationTests.meta(base, empty, configuration, [group], arena: arena)
      .evaluateRetention([group], oneByOne: true)[0]
    let layout = DenseLayout(base.architecture)
    let gradient = DenseTensors<Double>(layout: layout, arena: arena, for: .gradient)
    var batch = TokenBatch()
    batch.append(tasks[0].context, predicted: tasks[0].context.count - 1)
    _ = try EvaluationTests.meta(
      base, empty, .init(outer: .full, inner: .full, order: .first), [group], arena: arena
    ).accumulate(loss: batch, into: OuterGradient(dense: gradient))
    let moved: LlamaWeights<Double> = try TinyModel.variant(bias: bias, untied: bias) {
      name, values in
      guard let key = layout.keys.first(where: { $0.name == name }), let part = gradient[key]
      else { return values }
      return zip(values, part.elements).map { Float(Double($0) - rate * $1) }
    }
    let expected = EvaluationTests.meta(moved, empty, configuration, [group], arena: arena)
    for (index, task) in tasks.enumerated() {
      var task = task
      task.context = tasks[1].context
      let rows = try expected.evaluate([TaskGroup([task])])[0].adapted.predictions[0]
      for (given, expected) in zip(score.predictions[index], rows) {
        #expect(abs(given.negativeLogLikelihood - expected.negativeLogLikelihood) < 1e-5)
      }
    }
  }

  /// One context is the same in both ways; bf16 factors are near the exact ones.
  @Test func oneContextInTurnIsOneUpdate() throws {
    let arena = Arena()
    let groups = EvaluationTests.groups(3)
    let weights: LlamaWeights<Double> = try TinyModel.weights()
    let adapter: AdapterTensors<Double> = try TinyModel.adapter("lora_r3", arena: arena)
    for inner in [InnerStep.lora, .full] {
      let meta = EvaluationTests.meta(
        weights, adapter, .init(inner: inner, innerLearningRate: 0.02, order: .first), groups,
        arena: arena)
      #expect(
        try meta.evaluateRetention(groups, oneByOne: true)
          == meta.evaluateRetention(groups, oneByOne: false))
    }
    let tasks = TaskGroup(groups.flatMap(\.triplets))
    let scores = try [FactorStorage.f32, .bf16].map { storage in
      try EvaluationTests.meta(
        weights, adapter,
        .init(inner: .full, innerLearningRate: 0.02, order: .first, factorStorage: storage),
        [tasks], arena: arena
      ).evaluateRetention([tasks], oneByOne: true)[0].meanNLL
    }
    #expect(abs(scores[0] - scores[1]) < 2e-3 && scores[0] != scores[1])
  }

  @Test func randomGroupsHoldEveryTaskOnce() {
    let groups = EvaluationTests.groups(10).regrouped(into: 3, seed: 5)
    #expect(groups.map(\.triplets.count) == [3, 3, 3])
    let contexts = groups.flatMap(\.triplets).map { "\($0.context) \($0.query)" }
    #expect(Set(contexts).count == 9)
    let again = EvaluationTests.groups(10).regrouped(into: 3, seed: 5)
    #expect(again.flatMap(\.triplets).map { "\($0.context) \($0.query)" } == contexts)
  }

  @Test func retentionNeedsAGroup() throws {
    let arena = Arena()
    let evaluator = Evaluator(
      weights: try TinyModel.weights(), adapter: try TinyModel.adapter("lora_r3", arena: arena),
      configuration: .init(), workers: Workers(count: 1), budget: 1 << 30)
    #expect(throws: EvaluationError.retention(contexts: 16, tasks: 3)) {
      try evaluator.run(EvaluationTests.groups(3), options: .init(retention: [16]))
    }
  }

  /// Tasks of the same context are in different groups of retention, in which no context is twice: an
  /// update in turn for each fits where one for each context does.
  @Test(arguments: [InnerStep.lora, .full], [FactorStorage.f32, .bf16])
  func retentionOfDifferentContexts(_ inner: InnerStep, _ storage: FactorStorage) throws {
    let tasks = EvaluationTests.tasksOfThreeContexts
    for size in [2, 3] {
      let groups = tasks.regrouped(into: size, seed: 4)
      #expect(groups.count == (size == 2 ? 4 : 2))
      #expect(groups.allSatisfy { $0.contexts.count == size && $0.triplets.count == size })
    }
    let arena = Arena()
    var configuration = MetaConfiguration(inner: inner, innerLearningRate: 0.02)
    configuration.factorStorage = inner == .full ? storage : .f32
    let evaluator = Evaluator(
      weights: try TinyModel.weights(), adapter: try TinyModel.adapter("lora_r3", arena: arena),
      configuration: configuration, workers: Workers(count: 1), budget: 1 << 30)
    let report = try evaluator.run(tasks, options: .init(retention: [1, 2, 3], seed: 4))
    #expect(report.retention?.map(\.groups) == [14, 4, 2])
    #expect(report.retention?.allSatisfy { $0.sequential.nll.mean.isFinite } == true)
    #expect(throws: EvaluationError.retention(contexts: 4, tasks: 14)) {
      try evaluator.run(tasks, options: .init(retention: [2, 4]))
    }
  }
}
