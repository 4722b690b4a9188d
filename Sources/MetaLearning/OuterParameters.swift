public import Llama
public import LoRA
public import Operations
public import Optimizers
public import Storage
public import Weights

/// What the outer loop trains: an adapter, or every parameter.
public struct OuterParameters: Sendable {
  /// The adapter; of no linears where every parameter is trained.
  public let adapter: AdapterTensors<Float>
  /// Every parameter, where they are trained.
  public let dense: DenseTensors<Float>?
  /// What sweeps run on: the base, or ``dense``.
  public let weights: LlamaWeights<Float>

  /// Buffers for what `outer` trains, uninitialised.
  public init(
    _ outer: OuterStep, layout: AdapterLayout, base: LlamaWeights<Float>, arena: Arena
  ) {
    let architecture = base.architecture
    switch outer {
    case .lora:
      adapter = AdapterTensors(layout: layout, arena: arena, for: .adapter)
      dense = nil
      weights = base
    case .full:
      adapter = AdapterTensors(
        layout: AdapterLayout(.init(targetModules: []), architecture: architecture), arena: arena,
        for: .adapter)
      let dense = DenseTensors<Float>(
        layout: DenseLayout(architecture), arena: arena, for: .parameters)
      self.dense = dense
      weights = LlamaWeights(parameters: dense)
    }
  }

  /// All trained values, shape (1, count).
  public var flat: Matrix<Float> { dense?.flat ?? adapter.flat }

  /// A fresh adapter, or the parameters of `base`.
  ///
  /// Throws ``WeightError`` where a base weight cannot be read.
  public func initialize(from base: LlamaWeights<Float>, seed: UInt64) throws(WeightError) {
    if let dense { try dense.load(base) } else { adapter.initialize(seed: seed) }
  }

  /// Zeros in the shape of the trained values, and of `meta`'s inner rates where they are learned.
  func gradient(of meta: MetaGradient<Float>, arena: Arena) -> OuterGradient<Float> {
    let rates = meta.rates.names.count
    return OuterGradient(
      adapter: dense == nil
        ? meta.sharedGradient
          ?? AdapterTensors(layout: adapter.layout, arena: arena, for: .gradient) : nil,
      dense: dense.map { DenseTensors(layout: $0.layout, arena: arena, for: .gradient) },
      rates: rates > 0 ? arena.matrix(1, rates, for: .gradient) : nil)
  }
}

/// The outer loop's gradient and optimisers.
public struct OuterOptimizer: Sendable {
  /// Where a step's gradient is summed.
  public let gradient: OuterGradient<Float>
  /// Adam on the trained values.
  public let adam: AdamW<Float>
  /// Adam on the logarithms of the inner rates, where they are learned.
  public let rateAdam: AdamW<Float>?

  /// Buffers for `parameters`, and for `meta`'s inner rates.
  public init(
    _ parameters: OuterParameters, meta: MetaGradient<Float>,
    configuration: AdamW<Float>.Configuration = .init(), workers: Workers, arena: Arena
  ) {
    gradient = parameters.gradient(of: meta, arena: arena)
    adam = AdamW(
      count: parameters.flat.count, configuration: configuration, workers: workers, arena: arena)
    rateAdam = gradient.rates.map { AdamW(count: $0.count, workers: workers, arena: arena) }
  }

  /// The gradient of the trained values, shape (1, count).
  public var flat: Matrix<Float> {
    guard let values = gradient.dense?.flat ?? gradient.adapter?.flat else {
      preconditionFailure("an adapter or every parameter is trained")
    }
    return values
  }
}
