private import CCodec
private import Foundation
private import Operations
public import Storage
public import Weights

/// Everything that the next step of a run depends on, in one file: tensors and numbers by name, and
/// what the run is.
///
/// The file is in the safetensors format, so that other programs can look into it. Its metadata
/// holds the numbers (`number.NAME`), the run's description (`run`, JSON) and a CRC-32C over names,
/// shapes, metadata and data (`crc32c`). A reader takes what it knows by name; a trainer that has
/// more to keep adds names, and the format stays.
public struct Checkpoint: Sendable {
  /// Where the file is.
  public let path: String
  /// The numbers by name.
  public let numbers: [String: Double]
  /// What the run is.
  public let run: RunDescription
  private let file: SafetensorsFile

  private static let format = "imprint checkpoint 1"

  /// Writes a checkpoint; it appears when it is complete and on the disk.
  ///
  /// Throws ``WeightError`` where it cannot be written, or where a value is not finite: nothing could
  /// go on from there.
  public static func write(
    _ tensors: [(name: String, values: Matrix<Float>)], numbers: [String: Double],
    run: RunDescription, to path: String
  ) throws(WeightError) {
    var metadata = ["format": format, "run": try run.json(path: path)]
    for (name, value) in numbers { metadata["number." + name] = "\(value)" }
    for (name, values) in tensors where !Elementwise.isFinite(values) {
      throw WeightError(
        path: path, "is not written: tensor '\(name)' has values that are not finite")
    }
    let parts = tensors.map { Part(name: $0.name, bytes: $0.values.rawBytes) }
    metadata["crc32c"] = checksum(parts, metadata)
    let writer = try SafetensorsWriter(
      path: path,
      tensors: tensors.map { .init(name: $0.name, shape: [$0.values.count]) }, metadata: metadata)
    for part in parts { try writer.append(part.bytes) }
    try writer.finish()
  }

  /// Opens the checkpoint at `path` and checks every byte of it.
  ///
  /// Throws ``WeightError`` where it is damaged.
  public init(path: String) throws(WeightError) {
    let file = try SafetensorsFile(path: path)
    var metadata = file.metadata
    guard metadata["format"] == Self.format else {
      throw WeightError(path: path, "metadata 'format': expected '\(Self.format)'")
    }
    let parts = try file.names.map { (name) throws(WeightError) in
      let tensor = try file.tensor(name)
      guard tensor.dtype == "F32", tensor.shape.count == 1 else {
        throw WeightError(path: path, "tensor '\(name)': expected one row of F32")
      }
      return Part(name: name, bytes: file.bytes(tensor))
    }
    guard let expected = metadata.removeValue(forKey: "crc32c"),
      expected == withExtendedLifetime(file, { Self.checksum(parts, metadata) })
    else { throw WeightError(path: path, "checksum differs: the checkpoint is damaged") }
    var numbers: [String: Double] = [:]
    for (key, text) in metadata where key.hasPrefix("number.") {
      guard let value = Double(text) else {
        throw WeightError(path: path, "metadata '\(key)': expected a number")
      }
      numbers[String(key.dropFirst(7))] = value
    }
    self.path = path
    self.file = file
    self.numbers = numbers
    run = try RunDescription.read(json: Data((metadata["run"] ?? "").utf8), path: path)
  }

  /// The number of this name, whole and not negative. Throws ``WeightError`` where it is missing.
  public func count(_ name: String) throws(WeightError) -> Int {
    guard let value = numbers[name], value >= 0, let count = Int(exactly: value) else {
      throw WeightError(path: path, "metadata 'number.\(name)': expected a whole number")
    }
    return count
  }

  /// Copies the tensor of this name. Throws ``WeightError`` where it is missing or of another size.
  public func read(_ name: String, into target: Matrix<Float>) throws(WeightError) {
    let tensor = try file.tensor(name)
    guard tensor.count == target.count else {
      throw WeightError(
        path: path, "tensor '\(name)': expected \(target.count) values, found \(tensor.count)")
    }
    withExtendedLifetime(file) {
      UnsafeMutableRawBufferPointer(
        start: UnsafeMutableRawPointer(target.pointer), count: 4 * target.count
      ).copyMemory(from: file.bytes(tensor))
    }
  }

  private struct Part {
    var name: String
    var bytes: UnsafeRawBufferPointer
  }

  /// CRC-32C of everything, 8 hexadecimal digits.
  private static func checksum(_ parts: [Part], _ metadata: [String: String]) -> String {
    var sum: UInt32 = 0
    func add(_ text: String) {
      let bytes = Array(text.utf8) + [0]
      sum = cc_crc32c(sum, bytes, bytes.count)
    }
    for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
      add(key)
      add(value)
    }
    for part in parts.sorted(by: { $0.name < $1.name }) {
      add("\(part.name) \(part.bytes.count)")
      sum = cc_crc32c(sum, part.bytes.baseAddress, part.bytes.count)
    }
    let digits = String(sum, radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits
  }
}

extension Matrix {
  /// The bytes of a matrix without gaps.
  fileprivate var rawBytes: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: pointer, count: count * MemoryLayout<S>.stride)
  }
}
