import Foundation
import Storage

/// Writes rows as JSON Lines; the file appears when it is complete, or not at all.
///
/// A writer that is dropped before ``commit()`` leaves nothing behind.
public final class JSONLinesWriter {
  /// Where the file will be.
  public let path: String
  /// How many rows were written.
  public private(set) var count = 0

  private let file: AtomicFile
  private let encoder = JSONEncoder()
  private var pending: [UInt8] = []

  /// Starts a file that will be at `path`.
  ///
  /// Throws ``JSONLines/Failure`` where the folder cannot be written.
  public init(path: String) throws(JSONLines.Failure) {
    self.path = path
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    do throws(FileError) {
      file = try AtomicFile(path: path)
    } catch {
      throw Self.failure(error)
    }
  }

  /// Starts a file that will be at `path` with what comes of `source`, which is another file.
  ///
  /// Throws ``JSONLines/Failure`` naming `path` where they are the same, or as ``init(path:)`` does.
  public convenience init(path: String, source: String) throws(JSONLines.Failure) {
    do throws(FileError) {
      try FileIdentity.refuse(path, among: [source])
    } catch {
      throw Self.failure(error)
    }
    try self.init(path: path)
  }

  /// Adds a line.
  public func append(_ row: some Encodable) throws(JSONLines.Failure) {
    do {
      pending += try encoder.encode(row)
    } catch {
      throw JSONLines.Failure(path: path, line: count + 1, "cannot be encoded")
    }
    pending.append(0x0a)
    count += 1
    if pending.count > 1 << 18 { try flush() }
  }

  /// Puts the file in its place.
  public func commit() throws(JSONLines.Failure) {
    try flush()
    do throws(FileError) {
      try file.commit()
    } catch {
      throw Self.failure(error)
    }
  }

  /// Writes what was added so far; the file is not in its place yet.
  public func flush() throws(JSONLines.Failure) {
    do throws(FileError) {
      try file.append(pending)
    } catch {
      throw Self.failure(error)
    }
    pending.removeAll(keepingCapacity: true)
  }

  private static func failure(_ error: FileError) -> JSONLines.Failure {
    JSONLines.Failure(path: error.path, line: 0, error.problem)
  }
}
