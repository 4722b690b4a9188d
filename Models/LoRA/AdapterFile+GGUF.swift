public import Storage
public import Weights

/// An adapter as llama.cpp has it (`general.type` = `adapter`): tensors `blk.N.attn_q.weight.lora_a`,
/// (r, in), and `….lora_b`, (out, r), one α for all. Rows of B of queries and keys of Llama models
/// are in llama.cpp's interleaved order, as the rows of their matrices are.
struct GGUFAdapterSource: AdapterSource {
  private let file: GGUFFile
  private let tensors: [String: GGUFTensor]
  /// α; 0 stands for a scale of 1.
  private let alpha: Double
  let architecture: String

  var path: String { file.path }

  /// Whether the file at `path` starts like a GGUF file.
  static func matches(_ path: String) throws(WeightError) -> Bool {
    do {
      let file = try MappedFile(path: path)
      return withExtendedLifetime(file) { GGUFFile.matches(file.bytes) }
    } catch {
      throw WeightError(path: path, error.problem)
    }
  }

  init(path: String) throws(WeightError) {
    file = try GGUFFile(path: path)
    let type = try file.string("general.type")
    guard type == "adapter" else {
      throw WeightError(path: path, "general.type: expected adapter, found '\(type)'")
    }
    let kind = try file.string("adapter.type")
    guard kind == "lora" else {
      throw WeightError(path: path, "adapter.type: expected lora, found '\(kind)'")
    }
    guard file.metadata["adapter.alora.invocation_tokens"] == nil else {
      throw WeightError(path: path, "adapter.alora.invocation_tokens: is not supported")
    }
    alpha =
      file.metadata["adapter.lora.alpha"] == nil ? 0 : try file.number("adapter.lora.alpha")
    guard alpha.isFinite else {
      throw WeightError(path: path, "adapter.lora.alpha: expected a finite number")
    }
    architecture = try file.string("general.architecture")
    tensors = Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.name, $0) })
  }

  /// By short name: the name in the file. Names of no linear of ours stay as they are.
  var names: [String: String] {
    Dictionary(
      tensors.keys.map { (Self.shortName($0) ?? $0, $0) }, uniquingKeysWith: { first, _ in first })
  }

  private static func shortName(_ name: String) -> String? {
    // blk.N.PART.weight.lora_a
    let words = name.split(separator: ".", omittingEmptySubsequences: false)
    guard words.count == 5, words[0] == "blk", words[3] == "weight",
      ["lora_a", "lora_b"].contains(words[4]),
      let kind = LinearKind.allCases.first(where: { $0.ggufName == words[2] })
    else { return nil }
    return "layers.\(words[1]).\(kind.rawValue).lora_\(words[4] == "lora_a" ? "A" : "B")"
  }

  func scale(ofRank rank: Int) -> Double { alpha == 0 ? 1 : alpha / Double(rank) }

  private func tensor(_ name: String) throws(WeightError) -> GGUFTensor {
    guard let tensor = tensors[name] else {
      throw WeightError(path: path, "tensor '\(name)' is missing")
    }
    return tensor
  }

  func shape(of name: String) throws(WeightError) -> [Int] { try tensor(name).shape }

  func floats(_ name: String) throws(WeightError) -> [Float] { try file.floats(tensor(name)) }

  func check(_ architecture: Architecture) throws(WeightError) {
    guard self.architecture == architecture.modelType else {
      throw WeightError(
        path: path,
        "general.architecture: expected \(architecture.modelType), found '\(self.architecture)'")
    }
  }

  func row(_ row: Int, of name: String, in architecture: Architecture) -> Int {
    Self.row(row, of: name, in: architecture)
  }

  static func row(_ row: Int, of name: String, in architecture: Architecture) -> Int {
    let isRotary =
      architecture.modelType == "llama"
      && [LinearKind.query, .key].contains { name.hasSuffix("\($0.rawValue).lora_B") }
    return isRotary ? GGUFFile.interleaved(row, headDim: architecture.headDim) : row
  }
}

extension AdapterFile {
  /// Writes `adapter` as a GGUF file that llama.cpp takes with `--lora`, in f32 or f16.
  ///
  /// llama.cpp's scale is α / r with one α for all tensors. Where the adapter has another scale in
  /// some (`use_rslora`, patterns), it is in B: the product is the same to the rounding of f32.
  /// `name` is what the file says that it is. Throws ``WeightError`` where it cannot be written.
  public static func writeGGUF<S: Scalar>(
    _ adapter: AdapterTensors<S>, to path: String, name: String, type: WeightType = .f32
  ) throws(WeightError) {
    precondition(type == .f32 || type == .f16)
    let layout = adapter.layout
    let alphas = layout.entries.map { $0.scale * Double($0.rank) }
    // The first α, unless it means "none" to llama.cpp.
    let alpha = Double(Float(alphas.first ?? 1))
    let common = alpha == 0 ? 1 : alpha
    var tensors: [(GGUFWriter.Description, values: [Float])] = []
    for (entry, own) in zip(layout.entries, alphas) {
      let base = "blk.\(entry.layer).\(entry.kind.ggufName).weight"
      let (down, up) = (adapter.down(entry), adapter.up(entry))
      tensors.append(
        (
          .init(name: base + ".lora_a", type: type, shape: [down.rows, down.columns]),
          down.elements.map { Float($0) }
        ))
      let factor = own / common
      var rows = [Float](repeating: 0, count: up.count)
      for row in 0..<up.rows {
        let place = GGUFAdapterSource.row(row, of: entry.upName, in: layout.architecture)
        for column in 0..<up.columns {
          let value = up[row, column]
          rows[place * up.columns + column] =
            factor == 1 ? Float(value) : Float(Double(value) * factor)
        }
      }
      tensors.append(
        (.init(name: base + ".lora_b", type: type, shape: [up.rows, up.columns]), rows))
    }
    func text(_ value: String) -> GGUFValue { .string(Array(value.utf8)) }
    let writer = try GGUFWriter(
      path: path,
      metadata: [
        ("general.architecture", text(layout.architecture.modelType)),
        ("general.type", text("adapter")), ("adapter.type", text("lora")),
        ("general.name", text(name)), ("general.file_type", .integer(type == .f32 ? 0 : 1)),
        ("adapter.lora.alpha", .number(common)),
      ], tensors: tensors.map(\.0))
    for (_, values) in tensors {
      if type == .f32 {
        try withBytes(of: values, writer.append)
      } else {
        try withBytes(of: values.map { Float16($0) }, writer.append)
      }
    }
    try writer.finish()
  }
}
