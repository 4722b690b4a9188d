public import Llama
public import Storage

/// How a run uses the memory that it is given.
public struct MemoryPlan: Sendable {
  /// The most adapted models in one sweep.
  public var together: Int
  /// What is kept between the passes.
  public var keep: KeepPolicy
  /// Scored rows whose logits are in memory at once.
  public var logitRows: Int
  /// The sizes of the buffers.
  public var limits: MetaLimits
  /// Bytes by component.
  public var ledger: [MemoryComponent: Int]
  /// What the process takes besides: code, tables, tokenizer, tasks.
  public var floor: Int

  /// All values.
  public init(
    together: Int, keep: KeepPolicy, logitRows: Int, limits: MetaLimits,
    ledger: [MemoryComponent: Int] = [:], floor: Int = 0
  ) {
    self.together = together
    self.keep = keep
    self.logitRows = logitRows
    self.limits = limits
    self.ledger = ledger
    self.floor = floor
  }

  /// All of it in bytes.
  public var total: Int { ledger.values.reduce(floor, +) }

  /// Bytes by name: every component, `process` for what it takes besides, and `total`.
  public var bytes: [String: Int] {
    var parts = Dictionary(uniqueKeysWithValues: ledger.map { ($0.key.rawValue, $0.value) })
    parts["process"] = floor
    parts["total"] = total
    return parts
  }
}
