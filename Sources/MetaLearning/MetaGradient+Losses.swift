public import Llama
public import LoRA
import Operations
public import Weights

/// Losses of θ: the Prompt form, plain text, and everything that plain fine-tuning trains.
extension MetaGradient {
  /// gradient += the gradient of the weighted loss of `batch` under the unadapted parameters.
  public func accumulate(
    loss batch: TokenBatch, dropout: AdapterDropout? = nil, into gradient: OuterGradient<S>
  ) throws(WeightError) -> Double {
    outer.begin(batch, parameters: unadaptedParameters(rows: batch.count, dropout: dropout))
    try outer.forward()
    try outer.backward(
      into: gradient.sinks(rows: batch.count, scale: 1, dropout: dropout))
    return outer.loss
  }

  /// The same for an adapter alone.
  public func accumulate(
    loss batch: TokenBatch, into gradient: AdapterTensors<S>
  ) throws(WeightError) -> Double {
    try accumulate(loss: batch, into: OuterGradient(adapter: gradient))
  }

  /// gradient += that of Σ weight · loss of `examples`, as many in a sweep as its rows hold.
  ///
  /// `dropout` gets its tokens from here: each is told by its place in its example and the
  /// example's place in the list, so that masks do not depend on how many share a sweep. Returns each
  /// example's loss. Throws ``WeightError`` where a base weight cannot be read.
  public func accumulate(
    _ examples: [LossExample], dropout: AdapterDropout? = nil, into gradient: OuterGradient<S>
  ) throws(WeightError) -> [Double] {
    var losses: [Double] = []
    while losses.count < examples.count {
      var dropout = dropout
      let first = losses.count
      let batch = batch(of: examples, from: first)
      for (index, example) in examples.enumerated().dropFirst(first).prefix(batch.lossRanges.count)
      {
        dropout?.tokens += (0..<example.rows).map { UInt64(index) << 32 | UInt64($0) }
      }
      _ = try accumulate(loss: batch, dropout: dropout, into: gradient)
      for (index, range) in batch.lossRanges.enumerated() {
        losses.append(outer.losses[range].reduce(0, +) / examples[first + index].weight)
      }
    }
    return losses
  }

  /// What θ says of the scored tokens of `examples`, as many in a sweep as its rows hold.
  ///
  /// Throws ``WeightError`` where a base weight cannot be read.
  public func score(_ examples: [LossExample]) throws(WeightError) -> [[Prediction]] {
    var result: [[Prediction]] = []
    while result.count < examples.count {
      let batch = batch(of: examples, from: result.count)
      outer.begin(batch, parameters: unadaptedParameters(rows: batch.count))
      try outer.forward()
      let predictions = try outer.score()
      result += batch.lossRanges.map { Array(predictions[$0]) }
    }
    return result
  }

  /// The examples from `first` on that share a sweep.
  private func batch(of examples: [LossExample], from first: Int) -> TokenBatch {
    var batch = TokenBatch()
    for example in examples[first...] {
      if batch.count > 0, batch.count + example.rows > limits.outerRows { break }
      batch.append(example.tokens, predicted: example.predicted, weight: example.weight)
    }
    return batch
  }
}
