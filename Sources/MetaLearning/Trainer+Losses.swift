import LoRA
import Storage
import Weights

/// The losses of one step, means in nats.
struct StepLosses {
  var outer: Double
  var inner: Double?
  var prompt: Double?
  var nc: Double?
  var lm: Double?

  var areFinite: Bool {
    [outer, inner ?? 0, prompt ?? 0, nc ?? 0, lm ?? 0].allSatisfy(\.isFinite)
  }
}

extension Trainer {
  /// The step of plain fine-tuning: gradient += ∂(Σ share · mean loss of a form + λ · texts).
  func finetune(_ plain: FinetuningConfiguration) throws(WeightError) -> StepLosses {
    var examples: [LossExample] = []
    var places: [TaskForm: Range<Int>] = [:]
    let batch = groups.isEmpty ? [] : tasksOfStep()
    for form in plain.forms {
      let start = examples.count
      examples += self.examples(of: batch, form, plain)
      places[form] = start..<examples.count
    }
    let tasks = examples.count
    if configuration.lmWeight > 0 { examples += textExamples() }
    let rate = configuration.adapter.dropout
    let losses = try meta.accumulate(
      examples,
      dropout: rate > 0 ? AdapterDropout(rate: rate, seed: configuration.seed, step: step) : nil,
      into: optimizer.gradient)
    return StepLosses(
      outer: zip(examples, losses).reduce(0) { $0 + $1.0.weight * $1.1 },
      prompt: places[.prompt].flatMap { mean(losses[$0]) },
      nc: places[.nc].flatMap { mean(losses[$0]) }, lm: mean(losses[tasks...]))
  }

  /// The tasks of `batch` that the step trains in `form`.
  func examples(
    of batch: [TaskGroup], _ form: TaskForm, _ plain: FinetuningConfiguration
  ) -> [LossExample] {
    let size = configuration.batchSize
    let stream = SplitMix64.mix(configuration.seed, 0x66_6f72_6d73)
    return batch.enumerated().flatMap { index, group -> [LossExample] in
      var share = plain.share(form)
      if plain.mixesForms {
        var draw = SplitMix64(seed: SplitMix64.mix(stream, UInt64(step * size + index)))
        guard (draw.uniform() < plain.promptShare) == (form == .prompt) else { return [] }
        share = 1
      }
      return group.triplets.map {
        LossExample(
          $0, form, weight: share / Double(batch.count * group.triplets.count),
          masksPrompt: plain.masksPrompt)
      }
    }
  }

  /// What meta-training lowers beside the outer loss: the same tasks in Prompt form, and plain text.
  func accumulateBeside(_ batch: [TaskGroup]) throws(WeightError) -> (prompt: Double?, lm: Double?)
  {
    var examples = configuration.promptWeight > 0 ? promptExamples(batch) : []
    let prompts = examples.count
    if configuration.lmWeight > 0 { examples += textExamples() }
    let losses = try meta.accumulate(examples, into: optimizer.gradient)
    return (mean(losses[..<prompts]), mean(losses[prompts...]))
  }

  /// The tasks of `batch` in Prompt form: of those that have the same context one, drawn anew in
  /// every step, for all of them.
  private func promptExamples(_ batch: [TaskGroup]) -> [LossExample] {
    var draw = SplitMix64(
      seed: SplitMix64.mix(SplitMix64.mix(configuration.seed, 0x70_726f_6d70), UInt64(step)))
    return batch.flatMap { group in
      group.contexts.map { places in
        let place = places.count == 1 ? 0 : Int(draw.next() % UInt64(places.count))
        let weight =
          configuration.promptWeight * Double(places.count)
          / Double(batch.count * group.triplets.count)
        return LossExample(group.triplets[places[place]], .prompt, weight: weight)
      }
    }
  }

  /// Where the step's plain texts are in ``texts``.
  func textsOfStep() -> [Int] {
    let count = configuration.lmBatchSize
    return configuration.lmWeight > 0
      ? (0..<count).map { textOrder.item(at: step * count + $0) } : []
  }

  /// The step's plain texts: λ · the mean of their losses.
  private func textExamples() -> [LossExample] {
    let weight = configuration.lmWeight / Double(configuration.lmBatchSize)
    return textsOfStep().map { LossExample(text: texts[$0], weight: weight) }
  }

  private func mean(_ losses: ArraySlice<Double>) -> Double? {
    losses.isEmpty ? nil : losses.reduce(0, +) / Double(losses.count)
  }
}
