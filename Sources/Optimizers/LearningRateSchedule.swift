private import Foundation

/// How the learning rate goes over a run.
public struct LearningRateSchedule: Codable, Equatable, Sendable {
  /// What happens after the warm-up.
  public enum Decay: String, CaseIterable, Codable, Sendable {
    /// It stays.
    case constant
    /// It falls linearly to zero.
    case linear
    /// It falls along half a cosine to zero.
    case cosine
  }

  /// The highest rate.
  public var peak: Double
  /// Steps of linear rise from zero.
  public var warmupSteps: Int
  /// Steps of the whole run.
  public var totalSteps: Int
  /// What happens after the warm-up.
  public var decay: Decay

  /// All values.
  public init(peak: Double, warmupSteps: Int, totalSteps: Int, decay: Decay) {
    self.peak = peak
    self.warmupSteps = warmupSteps
    self.totalSteps = totalSteps
    self.decay = decay
  }

  /// The rate of step `step`, which counts from 0.
  public func rate(at step: Int) -> Double {
    if step < warmupSteps { return peak * Double(step + 1) / Double(warmupSteps) }
    let left = max(1, totalSteps - warmupSteps)
    let progress = min(1, Double(step - warmupSteps) / Double(left))
    return switch decay {
    case .constant: peak
    case .linear: peak * (1 - progress)
    case .cosine: peak * 0.5 * (1 + cos(Double.pi * progress))
    }
  }
}
