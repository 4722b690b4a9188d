import Foundation

/// A file whose lines are JSON objects, read one after the other.
///
/// Lines end with a line feed; a carriage return before it, and a byte-order mark at the start of
/// the file, are left out; lines of white space are passed over.
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

  private var lines: LineReader
  /// The number of the line that ``next(_:)`` gave last.
  public var line: Int { lines.line }

  /// Opens the file at `path`. Throws ``Failure`` where it cannot be read.
  public init(path: String) throws(Failure) { lines = try LineReader(path: path) }

  /// Goes on where `lines` stands.
  init(_ lines: LineReader) { self.lines = lines }

  /// The next line's object, or nil at the end.
  ///
  /// Throws ``Failure`` naming file, line and field.
  public mutating func next<Row: Decodable>(_ type: Row.Type) throws(Failure) -> Row? {
    while let bytes = try lines.next() {
      if bytes.allSatisfy(LineReader.isSpace) { continue }
      guard String(validating: bytes, as: UTF8.self) != nil else {
        throw Failure(path: lines.path, line: line, "is not valid UTF-8")
      }
      do {
        return try JSONDecoder().decode(Row.self, from: Data(bytes))
      } catch {
        throw Failure(path: lines.path, line: line, Self.problem(error))
      }
    }
    return nil
  }

  /// What a decoding error says, as one line that names the field.
  static func problem(_ error: any Error) -> String {
    func name(_ context: DecodingError.Context) -> String {
      context.codingPath.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }
        .joined(separator: ".")
    }
    switch error as? DecodingError {
    case .keyNotFound(let key, let context):
      let field = [name(context), key.stringValue].filter { !$0.isEmpty }.joined(separator: ".")
      return "field '\(field)' is missing"
    case .typeMismatch(let type, let context):
      let field = name(context)
      return field.isEmpty ? "expected a JSON object" : "field '\(field)': expected \(noun(type))"
    case .valueNotFound(let type, let context):
      let field = name(context)
      return field.isEmpty
        ? "expected a JSON object" : "field '\(field)': expected \(noun(type)), found null"
    case .dataCorrupted(let context):
      let field = name(context)
      return field.isEmpty
        ? "is not valid JSON" : "field '\(field)': \(context.debugDescription)"
    default: return "is not valid JSON"
    }
  }

  /// What a type is called in messages.
  private static func noun(_ type: Any.Type) -> String {
    switch "\(type)" {
    case "Array<Any>": "a list"
    case "Dictionary<String, Any>": "an object"
    default: "\(type)"
    }
  }
}
