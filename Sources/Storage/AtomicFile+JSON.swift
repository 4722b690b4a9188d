private import Foundation

extension AtomicFile {
  /// Writes `value` as JSON, its keys sorted, and a line feed to `path`: whole or not at all.
  ///
  /// Throws ``FileError`` where it cannot be written, or a number in it is not finite.
  public static func write(json value: some Encodable, to path: String) throws(FileError) {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(value) else {
      throw FileError(path: path, "a number is not finite")
    }
    try write([UInt8](data) + [0x0a], to: path)
  }

  /// Writes `bytes` to `path`: whole or not at all. Throws ``FileError`` where it cannot.
  public static func write(_ bytes: [UInt8], to path: String) throws(FileError) {
    let file = try AtomicFile(path: path)
    try file.append(bytes)
    try file.commit()
  }
}
