public import Llama
public import LoRA
public import Operations
public import Storage

/// Where the outer gradient is added: to what the outer loop trains.
public struct OuterGradient<S: Kernel>: Sendable {
  /// ∂/∂φ of the adapter, where it is trained.
  public var adapter: AdapterTensors<S>?
  /// ∂/∂θ of every parameter, where they are trained.
  public var dense: DenseTensors<S>?
  /// ∂/∂ρ of the inner rates, (1, tensors), where they are learned.
  public var rates: Matrix<S>?

  /// The parts that are trained.
  public init(
    adapter: AdapterTensors<S>? = nil, dense: DenseTensors<S>? = nil, rates: Matrix<S>? = nil
  ) {
    self.adapter = adapter
    self.dense = dense
    self.rates = rates
  }

  /// All zero.
  public func clear() {
    adapter?.flat.fill(0)
    dense?.flat.fill(0)
    rates?.fill(0)
  }

  /// What takes `scale` · the gradient of a pass over `rows` rows under the unadapted parameters.
  func sinks(rows: Int, scale: S, dropout: AdapterDropout? = nil) -> GradientCollector<S> {
    GradientCollector(
      adapters: adapter.map {
        [AdapterSink(rows: 0..<rows, gradient: $0, scale: .all(scale), dropout: dropout)]
      } ?? [],
      dense: dense.map { DenseSink(gradient: $0, scale: scale) })
  }
}
