import LoRA
import Operations
import Storage
import Weights

/// Rows of a model's tensors with an adapter folded in: W + s B A.
struct MergedRows {
  let adapter: AdapterTensors<Float>?
  private let entries: [String: AdapterLayout.Entry]

  init(_ adapter: AdapterTensors<Float>?) {
    self.adapter = adapter
    entries = Dictionary(
      uniqueKeysWithValues: (adapter?.layout.entries ?? []).map {
        ("model.layers.\($0.layer).\($0.kind.rawValue).weight", $0)
      })
  }

  /// Whether the adapter changes the tensor of this name.
  func changes(_ name: String) -> Bool { entries[name] != nil }

  /// Calls `body` with the bytes of `rows` of `tensor` as `type`: f32, f16 or bf16.
  func bytes(
    of tensor: WeightTensor, _ rows: Range<Int>, as type: WeightType,
    scratch: UnsafeMutableRawBufferPointer,
    _ body: (UnsafeRawBufferPointer) throws(WeightError) -> Void
  ) throws(WeightError) {
    let count = rows.count * tensor.columns
    let values = UnsafeMutablePointer<Float>.allocate(capacity: count)
    defer { values.deallocate() }
    try tensor.decode(rows: rows, into: values, scratch: scratch)
    if let adapter, let entry = entries[tensor.name] {
      multiply(
        adapter.up(entry).rows(rows), adapter.down(entry),
        into: Matrix(values, rows: rows.count, columns: tensor.columns),
        scale: Float(entry.scale), keep: 1)
    }
    switch type {
    case .f16:
      let halves = UnsafeMutableBufferPointer<Float16>.allocate(capacity: count)
      defer { halves.deallocate() }
      for index in 0..<count { halves.initializeElement(at: index, to: Float16(values[index])) }
      try body(UnsafeRawBufferPointer(halves))
    case .bf16:
      let halves = UnsafeMutableBufferPointer<UInt16>.allocate(capacity: count)
      defer { halves.deallocate() }
      for index in 0..<count {
        // To nearest, ties to even.
        let bits = values[index].bitPattern
        halves.initializeElement(
          at: index, to: UInt16(truncatingIfNeeded: (bits &+ 0x7fff &+ (bits >> 16 & 1)) >> 16))
      }
      try body(UnsafeRawBufferPointer(halves))
    default:
      try body(UnsafeRawBufferPointer(start: values, count: 4 * count))
    }
  }
}
