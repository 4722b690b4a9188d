public import ArgumentParser
import Invocation
public import Llama
public import MetaLearning

/// Flags of the inner step, shared by the subcommands.
struct MethodOptions: ParsableArguments {
  @Option(help: "What the inner step moves: lora (the adapter) or full (every parameter).")
  var inner: InnerStep?

  @Option(help: "Which parameters a full inner step moves: linear or all.")
  var innerParameters: InnerParameters?

  @Option(
    help:
      "Learning rate of the inner step (default: the run's, or 0.1 for lora and 0.01 for full); takes the place of learned rates."
  )
  var innerLr: Double?

  @Option(help: "Inner steps; more than one for --inner lora only.")
  var innerSteps: Int?

  func validate() throws {
    try requirePositive("--inner-lr", innerLr)
    if let innerSteps, !(1...64).contains(innerSteps) {
      throw ValidationError("--inner-steps must be 1 to 64.")
    }
    if innerParameters != nil, inner == .lora {
      throw ValidationError("--inner-parameters goes with --inner full.")
    }
    if inner == .full, let innerSteps, innerSteps > 1 {
      throw ValidationError("--inner-steps above 1 goes with --inner lora.")
    }
  }

  /// The choices, with those of a run as defaults; without a run, the step is `fallback` where no flag
  /// says so.
  ///
  /// Throws where a flag does not go with the step: ``Problem`` where that is the run's.
  func configuration(
    _ base: MetaConfiguration?, fallback: InnerStep = .lora
  ) throws -> MetaConfiguration {
    var result = base ?? MetaConfiguration(inner: fallback)
    if let inner, inner != result.inner {
      result.inner = inner
      result.innerLearningRate = inner.defaultLearningRate
      result.learnsInnerRates = false
      result.innerSteps = 1
    }
    if let innerParameters {
      guard result.inner == .full else {
        throw refusal("--inner-parameters goes with --inner full", base)
      }
      result.innerParameters = innerParameters
    }
    if let innerLr {
      result.innerLearningRate = innerLr
      result.learnsInnerRates = false
    }
    if let innerSteps {
      guard innerSteps == 1 || result.inner == .lora else {
        throw refusal("--inner-steps above 1 goes with --inner lora", base)
      }
      result.innerSteps = innerSteps
    }
    return result
  }

  private func refusal(_ text: String, _ base: MetaConfiguration?) -> any Error {
    base.map { Problem("\(text): the run's inner step is \($0.inner)") }
      ?? ValidationError(text + ".")
  }
}

extension InnerStep: ExpressibleByArgument {}
extension OuterStep: ExpressibleByArgument {}
extension Target: ExpressibleByArgument {}
extension InnerParameters: ExpressibleByArgument {}
extension FactorStorage: ExpressibleByArgument {}
