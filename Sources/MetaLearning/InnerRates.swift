import Foundation
import Llama
import LoRA
public import Operations
public import Storage
import Weights

/// The inner step's learning rate η of every tensor that it moves.
///
/// One rate for all, or one learned for each (Meta-SGD, Li et al. 2017): then ρ = log η is the
/// parameter, so that a rate stays positive and its steps are relative. With v = ∂L_out/∂θ′ and
/// g = ∂L_in/∂θ, ∂L_out/∂ρ = −η ⟨v, g⟩ in each tensor.
public final class InnerRates<S: Kernel>: @unchecked Sendable {
  /// The tensors' names: an adapter's `layers.N.….lora_A`, or Hugging Face's.
  public let names: [String]
  /// ρ, shape (1, tensors); nil where one rate holds for all.
  public let logs: Matrix<S>?
  private let base: S
  private let places: [ParameterKey: Int]
  private let arena: Arena?

  /// Rates that all start at `rate`, for the tensors that `configuration`'s inner step moves.
  init(
    _ configuration: MetaConfiguration, adapter: AdapterLayout, architecture: Architecture,
    arena: Arena
  ) {
    base = S(configuration.innerLearningRate)
    guard configuration.learnsInnerRates else {
      names = []
      logs = nil
      places = [:]
      self.arena = nil
      return
    }
    switch configuration.inner {
    case .lora:
      names = adapter.entries.flatMap { [$0.downName, $0.upName] }
      places = [:]
    case .full:
      let keys = ParameterKey.all(in: architecture, moving: configuration.innerParameters)
      names = keys.map(\.name)
      places = Dictionary(uniqueKeysWithValues: keys.enumerated().map { ($1, $0) })
    }
    let logs: Matrix<S> = arena.matrix(1, names.count, for: .adapter)
    if !arena.plansOnly { logs.fill(S(log(configuration.innerLearningRate))) }
    self.logs = logs
    self.arena = arena
  }

  /// η of the tensor `index` of ``names``.
  public subscript(index: Int) -> S {
    guard let logs else { return base }
    return S(exp(Double(logs[0, index])))
  }

  /// η of a parameter of the model.
  func rate(of key: ParameterKey) -> S { self[place(of: key)] }

  /// The index of a parameter of the model; 0 where one rate holds for all.
  func place(of key: ParameterKey) -> Int { places[key] ?? 0 }

  /// A tensor whose learned rate is zero or infinite in `S`; nil where there is none.
  var impossibleName: String? {
    guard logs != nil else { return nil }
    return names.indices.first { !(self[$0] > 0 && self[$0].isFinite) }.map { names[$0] }
  }

  /// Every rate by name, empty where one holds for all.
  public var byName: [String: Double] {
    guard let logs else { return [:] }
    return Dictionary(
      uniqueKeysWithValues: names.enumerated().map { ($1, exp(Double(logs[0, $0]))) })
  }

  /// Takes rates by name. Returns the name that is missing, unknown or not positive, if any.
  public func set(_ rates: [String: Double]) -> String? {
    guard let logs else { return rates.keys.sorted().first }
    if let unknown = rates.keys.sorted().first(where: { !names.contains($0) }) { return unknown }
    for (index, name) in names.enumerated() {
      guard let rate = rates[name], rate > 0, rate.isFinite else { return name }
      logs[0, index] = S(log(rate))
    }
    return nil
  }
}
