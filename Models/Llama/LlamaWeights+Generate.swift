public import LoRA
import Operations
public import Storage
public import Weights

extension LlamaWeights {
  /// Continues `prompt`, of one token at least, with `adapter` where there is one.
  ///
  /// Ends at an id of `stops`, by default those that end texts of the model (which is not part of the
  /// result), where `emit` returns false, or after `maximum` tokens. `emit` is called with each new id as it comes. Throws
  /// ``WeightError`` where a base weight cannot be read.
  public func generate(
    _ prompt: [Int32], adapter: AdapterTensors<S>? = nil, maximum: Int,
    sampling: Sampling = Sampling(), stops: Set<Int32>? = nil, workers: Workers = Workers(),
    emit: (_ id: Int32) -> Bool = { _ in true }
  ) throws(WeightError) -> [Int32] {
    let arena = Arena()
    let length = prompt.count + maximum
    let engine = LlamaEngine(
      weights: self, workers: workers,
      limits: EngineLimits(
        rows: prompt.count, tangentRows: 0, sequence: length,
        updateRank: 0, adapterRank: adapter?.layout.maxRank ?? 0, logitRows: 1),
      arena: arena)
    let sweep = Sweep(
      engine: engine, capacity: prompt.count, hasTangents: false, policy: .lean, arena: arena)
    let cache = KeyValueCache<S>(
      architecture: architecture, sequences: 1, capacity: length, arena: arena)
    let stops = stops ?? Set(architecture.eosTokenIds.map { Int32($0) })
    return try sweep.generate(
      [prompt], maximum: maximum, stops: stops, sampling: sampling, cache: cache
    ) { rows in
      var change = ParameterChange<S>(layers: architecture.numHiddenLayers)
      if let adapter { change.add(adapter, rows: 0..<rows) }
      return change
    } emit: { _, id in
      emit(id)
    }[0]
  }
}
