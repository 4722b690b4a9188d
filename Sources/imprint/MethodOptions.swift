public import ArgumentParser
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
    if let innerLr, !(innerLr > 0 && innerLr.isFinite) {
      throw ValidationError("--inner-lr must be a positive number.")
    }
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

  /// The choices, with those of a run as defaults.
  func configuration(_ base: MetaConfiguration?) -> MetaConfiguration {
    var result = base ?? MetaConfiguration()
    if let inner {
      if base == nil || base?.inner != inner {
        result.innerLearningRate = inner == .lora ? 0.1 : 0.01
        result.learnsInnerRates = false
        result.innerSteps = 1
      }
      result.inner = inner
    }
    if let innerParameters { result.innerParameters = innerParameters }
    if let innerLr {
      result.innerLearningRate = innerLr
      result.learnsInnerRates = false
    }
    if let innerSteps { result.innerSteps = innerSteps }
    return result
  }
}

extension InnerStep: ExpressibleByArgument {}
extension OuterStep: ExpressibleByArgument {}
extension Target: ExpressibleByArgument {}
extension InnerParameters: ExpressibleByArgument {}
extension FactorStorage: ExpressibleByArgument {}
