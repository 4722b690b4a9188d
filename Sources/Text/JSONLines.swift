import Foundation

/// A file whose lines are JSON objects, read one after the other.
///
/// Lines end with a line feed; a carriage return before it, and a byte-order mark at the start of
/// the file, are left out; empty lines are passed over.
public struct JSONLines {
  /// What is wrong with a line: `file, line N: problem`.
  public struct Failure: Error, CustomStringConvertible, Sendable {
    /// The file.
    public let path: String
    /// The line, counted from 1; 0 for the file as a whole.
    public let line: Int
    /// The field and what was expected.
    public let problem: String

    /// All parts.
    public init(path: String, line: Int, _ problem: String) {
      self.path = path
      self.line = line
      self.problem = problem
    }

    /// The one line for the user.
    public var description: String {
      line == 0 ? "\(path): \(problem)" : "\(path), line \(line): \(problem)"
    }
  }

  private let path: String
  private let handle: FileHandle
  private var buffer = Data()
  private var isAtEnd = false
  /// The number of the line that ``next(_:)`` gave last.
  public private(set) var line = 0

  /// Opens the file at `path`. Throws ``Failure`` where it cannot be read.
  public init(path: String) throws(Failure) {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), !isFolder.boolValue,
      let handle = FileHandle(forReadingAtPath: path)
    else { throw Failure(path: path, line: 0, "cannot be read") }
    self.path = path
    self.handle = handle
  }

  /// The next line's object, or nil at the end.
  ///
  /// Throws ``Failure`` naming file, line and field.
  public mutating func next<Row: Decodable>(_ type: Row.Type) throws(Failure) -> Row? {
    while let bytes = try nextLine() {
      if bytes.isEmpty { continue }
      guard String(validating: bytes, as: UTF8.self) != nil else {
        throw Failure(path: path, line: line, "is not valid UTF-8")
      }
      do {
        return try JSONDecoder().decode(Row.self, from: bytes)
      } catch {
        throw Failure(path: path, line: line, Self.problem(error))
      }
    }
    return nil
  }

  private static func problem(_ error: any Error) -> String {
    func name(_ context: DecodingError.Context) -> String {
      context.codingPath.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }
        .joined(separator: ".")
    }
    switch error as? DecodingError {
    case .keyNotFound(let key, _): return "field '\(key.stringValue)' is missing"
    case .typeMismatch(let type, let context):
      let field = name(context)
      return field.isEmpty ? "expected a JSON object" : "field '\(field)': expected \(type)"
    case .valueNotFound(let type, let context):
      return "field '\(name(context))': expected \(type), found null"
    case .dataCorrupted(let context):
      let field = name(context)
      return field.isEmpty
        ? "is not valid JSON" : "field '\(field)': \(context.debugDescription)"
    default: return "is not valid JSON"
    }
  }

  private mutating func nextLine() throws(Failure) -> Data? {
    while true {
      if let end = buffer.firstIndex(of: 0x0a) {
        let bytes = buffer[buffer.startIndex..<end]
        buffer = buffer[(end + 1)...]
        return clean(bytes)
      }
      if isAtEnd {
        if buffer.isEmpty { return nil }
        let bytes = buffer
        buffer = Data()
        return clean(bytes)
      }
      do {
        let more = try handle.read(upToCount: 1 << 18) ?? Data()
        if more.isEmpty { isAtEnd = true } else { buffer = Data(buffer) + more }
      } catch {
        throw Failure(path: path, line: line, "cannot be read")
      }
    }
  }

  private mutating func clean(_ bytes: Data) -> Data {
    line += 1
    var bytes = bytes
    if line == 1, bytes.starts(with: [0xef, 0xbb, 0xbf]) { bytes = bytes.dropFirst(3) }
    if bytes.last == 0x0d { bytes = bytes.dropLast() }
    return Data(bytes)
  }
}
