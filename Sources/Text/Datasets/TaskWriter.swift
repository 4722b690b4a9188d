import Foundation

/// Writes tasks as JSON Lines; the file appears when it is complete.
public enum TaskWriter {
  /// Writes `tasks` to `path`. Returns how many there were.
  ///
  /// Throws ``JSONLines/Failure`` where the file cannot be written.
  @discardableResult
  public static func write(
    _ tasks: some Sequence<MetaTask>, to path: String
  ) throws(JSONLines.Failure) -> Int {
    let temporary = "\(path).\(ProcessInfo.processInfo.processIdentifier).partial"
    do {
      guard FileManager.default.createFile(atPath: temporary, contents: nil) else {
        throw CocoaError(.fileWriteNoPermission)
      }
      let handle = try FileHandle(forWritingTo: URL(filePath: temporary))
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
      var count = 0
      var pending = Data()
      for task in tasks {
        pending += try encoder.encode(task)
        pending.append(0x0a)
        count += 1
        if pending.count > 1 << 18 {
          try handle.write(contentsOf: pending)
          pending.removeAll(keepingCapacity: true)
        }
      }
      try handle.write(contentsOf: pending)
      try handle.synchronize()
      try handle.close()
      guard rename(temporary, path) == 0 else { throw CocoaError(.fileWriteUnknown) }
      return count
    } catch {
      try? FileManager.default.removeItem(atPath: temporary)
      throw JSONLines.Failure(path: path, line: 0, "cannot be written")
    }
  }
}
