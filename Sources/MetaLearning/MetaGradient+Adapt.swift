import Llama
public import LoRA
import Operations
import Storage
public import Weights

/// θ′ on its own: the inner step on a document, whatever its length.
extension MetaGradient {
  /// Takes the inner steps on the mean loss of `contexts`, as one group: θ′ after one update on all
  /// of them. Returns their mean losses before the first step and after the last, nats a token.
  ///
  /// As many contexts as the limits' inner rows hold go through the model together; the gradients of
  /// all of them are summed before the step. `progress` is called with contexts done, of all, in all
  /// passes. Throws ``WeightError`` where a base weight cannot be read.
  public func adapt(
    to contexts: [[Int32]], progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws(WeightError) -> (before: Double, after: Double) {
    precondition(contexts.allSatisfy { $0.count > 1 && $0.count - 1 <= limits.innerRows })
    let batches = batches(of: contexts)
    let total = contexts.count * (configuration.innerSteps + 1)
    var (done, before, after) = (0, 0.0, 0.0)
    for step in 0..<configuration.innerSteps {
      for (place, batch) in batches.enumerated() {
        inner.begin(
          batch,
          parameters: documentParameters(
            rows: batch.count, scored: batch.lossRows.count, after: step))
        try inner.forward()
        try inner.backward(into: documentCollector(batch, step: step, isFirst: place == 0))
        if step == 0 { before += inner.loss }
        done += batch.segments.count
        progress(done, total)
      }
    }
    for batch in batches {
      inner.begin(
        batch,
        parameters: documentParameters(
          rows: batch.count, scored: batch.lossRows.count, after: configuration.innerSteps))
      try inner.forward()
      for (prediction, weight) in zip(try inner.score(), batch.weights) {
        after += prediction.negativeLogLikelihood * weight
      }
      done += batch.segments.count
      progress(done, total)
    }
    return (before, after)
  }

  /// φ after the inner steps of ``adapt(to:progress:)``; nil where they moved every parameter.
  public var adaptedAdapter: AdapterTensors<S>? { adapted.last?[0] }

  private func batches(of contexts: [[Int32]]) -> [TokenBatch] {
    var result: [TokenBatch] = []
    for context in contexts {
      if let last = result.last, last.count + context.count - 1 <= limits.innerRows {
        result[result.count - 1].append(
          context, predicted: context.count - 1, weight: 1 / Double(contexts.count))
      } else {
        var batch = TokenBatch()
        batch.append(context, predicted: context.count - 1, weight: 1 / Double(contexts.count))
        result.append(batch)
      }
    }
    return result
  }

  /// θ after `steps` inner steps.
  private func documentParameters(
    rows: Int, scored: Int, after steps: Int
  ) -> ParameterChange<S> {
    if steps == 0 { return unadaptedParameters(rows: rows) }
    if innerFactors != nil { return adaptedParameters(for: [(0, 0..<rows, 0..<scored)]) }
    var change = ParameterChange<S>(layers: layers)
    change.add(adapted[steps - 1][0], rows: 0..<rows)
    return change
  }

  private func documentCollector(
    _ batch: TokenBatch, step: Int, isFirst: Bool
  ) -> GradientCollector<S> {
    if let innerFactors {
      innerFactors.begin(
        groups: [(0..<batch.count, 0..<batch.lossRows.count)], isLater: !isFirst)
      return GradientCollector(factors: innerFactors)
    }
    let start = step == 0 ? adapter : adapted[step - 1][0]
    if isFirst { adapted[step][0].flat.copy(from: start.flat) }
    return GradientCollector(adapters: [
      AdapterSink(
        rows: 0..<batch.count, gradient: adapted[step][0], scale: adapterRates(-1))
    ])
  }
}

extension MetaGradient where S == Float {
  /// What the inner step of ``adapt(to:progress:)`` has made of the linears, the adapter's part and
  /// the step's together. Valid until the next step.
  public var adaptedSum: AdapterSum {
    let change = documentParameters(rows: 1, scored: 1, after: configuration.innerSteps)
    let workers = engine.workers
    return AdapterSum(of: change.updates, architecture: engine.weights.architecture) {
      change.load($0, workers: workers)
    }
  }
}
