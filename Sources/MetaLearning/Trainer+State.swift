import Llama
import LoRA
import Optimizers
public import Storage
public import Weights

/// What a trainer is between two steps. Whoever adds to a trainer something that steps change adds
/// its name here, and checkpoints hold it.
extension Trainer {
  /// The tensors that steps change, by the name that a checkpoint gives them.
  public var state: [(name: String, values: Matrix<Float>)] {
    var state = [
      (parameters.dense == nil ? "adapter" : "parameters", parameters.flat),
      ("first", optimizer.adam.first), ("second", optimizer.adam.second),
    ]
    if let logs = meta.rates.logs, let adam = optimizer.rateAdam {
      state += [
        ("inner_rates", logs), ("inner_rates.first", adam.first),
        ("inner_rates.second", adam.second),
      ]
    }
    return state
  }

  /// The numbers that steps change.
  public var numbers: [String: Double] {
    [
      "step": Double(step), "optimizer_steps": Double(optimizer.adam.steps),
      "skipped_steps": Double(skippedSteps),
    ]
  }

  /// Brings the trainer to where it was when `checkpoint` was written.
  ///
  /// Throws ``WeightError`` where the checkpoint lacks something or is of other parameters.
  public func restore(_ checkpoint: Checkpoint) throws(WeightError) {
    for (name, values) in state { try checkpoint.read(name, into: values) }
    step = try checkpoint.count("step")
    skippedSteps = try checkpoint.count("skipped_steps")
    optimizer.adam.steps = try checkpoint.count("optimizer_steps")
    optimizer.rateAdam?.steps = optimizer.adam.steps
  }
}
