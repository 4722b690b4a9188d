private import Foundation
public import Storage
public import Weights

/// Adapters in files: PEFT's folder (`adapter_config.json`, `adapter_model.safetensors`), plain
/// safetensors files of the same tensors, and llama.cpp's GGUF files.
///
/// Tensor names are PEFT's, `base_model.model.model.layers.N.self_attn.q_proj.lora_A.weight`, short,
/// `layers.N.self_attn.q_proj.lora_A`, or in GGUF llama.cpp's. A has shape (r, in), B (out, r).
public struct AdapterFile {
  /// How the names are written.
  public enum Naming: Sendable {
    /// PEFT's names.
    case peft
    /// Short names.
    case short
  }

  /// What the adapter is made of.
  public let configuration: AdapterConfiguration
  private let file: any AdapterSource
  /// By short name: the name in the file.
  private let names: [String: String]

  /// PEFT's name of a short name.
  static func peftName(_ short: String) -> String { "base_model.model.model.\(short).weight" }

  /// Opens a PEFT folder, a safetensors file or a GGUF file; which, is told from the content.
  ///
  /// `scale` is α / r for a file that has no configuration beside it; the ranks are those of the
  /// tensors. Throws ``WeightError`` naming the field or the tensor that is wrong.
  public init(path: String, scale: Double? = nil) throws(WeightError) {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw WeightError(path: path, "there is no adapter here")
    }
    let tensors = isFolder.boolValue ? path + "/adapter_model.safetensors" : path
    if !isFolder.boolValue, try GGUFAdapterSource.matches(path) {
      let source = try GGUFAdapterSource(path: path)
      file = source
      names = source.names
      configuration = try Self.infer(source, names) { source.scale(ofRank: $0) }
      return
    }
    let file = try SafetensorsFile(path: tensors)
    let names = try file.shortNames()
    self.file = file
    self.names = names
    let configPath =
      isFolder.boolValue
      ? path + "/adapter_config.json"
      : URL(filePath: path).deletingLastPathComponent().path(percentEncoded: false)
        + "adapter_config.json"
    if isFolder.boolValue || (scale == nil && FileManager.default.fileExists(atPath: configPath)) {
      configuration = try PEFTConfiguration.read(configPath)
    } else {
      guard let scale else {
        throw WeightError(path: path, "has no adapter_config.json beside it: its scale is unknown")
      }
      configuration = try Self.infer(file, names) { _ in scale }
    }
    try checkRanks()
  }

  /// Holds the configuration against the tensors, before anybody takes memory for what it claims.
  private func checkRanks() throws(WeightError) {
    let ranks = ModulePatterns(configuration.rankPattern)
    for (short, name) in names.sorted(by: { $0.key < $1.key }) where short.hasSuffix(".lora_A") {
      let words = short.split(separator: ".")
      guard words.count >= 3, words[0] == "layers", let layer = Int(words[1]),
        let kind = LinearKind.allCases.first(where: { short.hasSuffix("\($0.rawValue).lora_A") })
      else { continue }
      let module = AdapterConfiguration.moduleName(layer: layer, kind: kind)
      let rank = ranks.first(for: module)?.value ?? configuration.rank
      let shape = try file.shape(of: name)
      guard shape.first == rank else {
        throw WeightError(
          path: file.path, "tensor '\(name)': expected shape (\(rank), in), found \(shape)")
      }
    }
    // What the configuration names and the file lacks must not be made up.
    for kind in configuration.targetModules
    where !names.keys.contains(where: { $0.hasSuffix("\(kind.rawValue).lora_A") }) {
      throw WeightError(
        path: file.path, "has no tensor for \(kind.moduleName), which its configuration names")
    }
  }

  /// The configuration that the tensors' shapes say; `scale` gives the scale of a rank.
  private static func infer(
    _ file: any AdapterSource, _ names: [String: String], scale: (_ rank: Int) -> Double
  ) throws(WeightError) -> AdapterConfiguration {
    var ranks: [String: Int] = [:]
    for (short, name) in names where short.hasSuffix(".lora_A") {
      let shape = try file.shape(of: name)
      guard shape.count == 2, shape[0] > 0 else {
        throw WeightError(
          path: file.path, "tensor '\(name)': expected shape (r, in), found \(shape)")
      }
      ranks[String(short.dropLast(7))] = shape[0]
    }
    guard let rank = ranks.values.max() else {
      throw WeightError(path: file.path, "has no tensor that ends in lora_A")
    }
    let modules = LinearKind.allCases.filter { kind in
      ranks.keys.contains { $0.hasSuffix(kind.rawValue) }
    }
    let other = ranks.filter { $0.value != rank }
    return AdapterConfiguration(
      rank: rank, alpha: scale(rank) * Double(rank), targetModules: modules, rankPattern: other,
      alphaPattern: other.mapValues { scale($0) * Double($0) })
  }

  /// The adapter of the file at `path` (see ``init(path:scale:)``) for models of `architecture`.
  public static func tensors<S: Scalar>(
    _ path: String, _ architecture: Architecture, arena: Arena = Arena()
  ) throws(WeightError) -> AdapterTensors<S> {
    let file = try AdapterFile(path: path)
    let tensors = AdapterTensors<S>(
      layout: AdapterLayout(file.configuration, architecture: architecture), arena: arena,
      for: .adapter)
    try file.read(into: tensors)
    return tensors
  }

  /// Copies the file's tensors into `adapter`, whose layout must be that of ``configuration``.
  ///
  /// Throws ``WeightError`` where a tensor is missing, left over or of another shape.
  public func read<S: Scalar>(into adapter: AdapterTensors<S>) throws(WeightError) {
    try file.check(adapter.layout.architecture)
    var left = Set(names.keys)
    for entry in adapter.layout.entries {
      for (short, target) in [
        (entry.downName, adapter.down(entry)), (entry.upName, adapter.up(entry)),
      ] {
        guard let name = names[short] else {
          throw WeightError(path: file.path, "tensor '\(short)' is missing")
        }
        let shape = try file.shape(of: name)
        guard shape == [target.rows, target.columns] else {
          throw WeightError(
            path: file.path,
            "tensor '\(name)': expected shape (\(target.rows), \(target.columns)), found \(shape)")
        }
        let values = try file.floats(name)
        for row in 0..<target.rows {
          let start = file.row(row, of: short, in: adapter.layout.architecture) * target.columns
          for column in 0..<target.columns { target[row, column] = S(values[start + column]) }
        }
        left.remove(short)
      }
    }
    if let name = left.min() {
      throw WeightError(path: file.path, "tensor '\(name)' belongs to no linear of the model")
    }
  }

  /// Writes `adapter` as f32 to a safetensors file at `path`, in one piece or not at all.
  public static func write<S: Scalar>(
    _ adapter: AdapterTensors<S>, to path: String, naming: Naming = .peft,
    metadata: [String: String] = [:]
  ) throws(WeightError) {
    var tensors: [(SafetensorsWriter.Description, Matrix<S>)] = []
    for entry in adapter.layout.entries {
      for (short, values) in [
        (entry.downName, adapter.down(entry)), (entry.upName, adapter.up(entry)),
      ] {
        let name = naming == .peft ? peftName(short) : short
        tensors.append((.init(name: name, shape: [values.rows, values.columns]), values))
      }
    }
    let writer = try SafetensorsWriter(
      path: path, tensors: tensors.map(\.0),
      metadata: metadata.merging(["format": "pt"]) { a, _ in a })
    for (_, values) in tensors {
      try withBytes(of: values.elements.map { Float($0) }, writer.append)
    }
    try writer.finish()
  }

  /// Calls `body` with the bytes of `elements`.
  static func withBytes<Element>(
    of elements: [Element], _ body: (UnsafeRawBufferPointer) throws(WeightError) -> Void
  ) throws(WeightError) {
    let failure = elements.withUnsafeBytes { bytes -> WeightError? in
      do throws(WeightError) {
        try body(bytes)
        return nil
      } catch {
        return error
      }
    }
    if let failure { throw failure }
  }

  /// Whether there is a PEFT folder at `path`.
  public static func isFolder(_ path: String) -> Bool {
    FileManager.default.fileExists(atPath: path + "/adapter_config.json")
  }

  /// Writes a PEFT folder: `adapter_config.json` and `adapter_model.safetensors`.
  ///
  /// `base` is the name of the base model that the configuration mentions.
  public static func writeFolder<S: Scalar>(
    _ adapter: AdapterTensors<S>, to folder: String, base: String
  ) throws(WeightError) {
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw WeightError(path: folder, "cannot be made")
    }
    try write(adapter, to: folder + "/adapter_model.safetensors")
    try PEFTConfiguration.write(
      adapter.layout.configuration, base: base, to: folder + "/adapter_config.json")
  }
}
