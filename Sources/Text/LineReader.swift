import Foundation
private import Storage

/// The lines of a file as bytes, one after the other.
///
/// A line ends with a line feed. A carriage return before it, and a byte-order mark at the start
/// of the file, are left out. Memory is bounded by the longest line, time is linear in the file.
package struct LineReader {
  /// The file, for messages.
  package let path: String
  /// The number of the line that ``next()`` gave last, counted from 1; 0 before the first.
  package private(set) var line = 0

  private let handle: FileHandle
  private let longestLine: Int
  private var buffer: [UInt8] = []
  /// What lies before `start` was given out; between it and `scanned` there is no line feed.
  private var start = 0
  private var scanned = 0
  private var isAtEnd = false

  private static let chunk = 1 << 18

  /// Opens the file at `path`. Throws ``JSONLines/Failure`` where it cannot be read.
  ///
  /// A line of more than `longestLine` bytes is refused, so that a stream that is not text
  /// does not fill the memory.
  package init(path: String, longestLine: Int = 1 << 28) throws(JSONLines.Failure) {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), !isFolder.boolValue,
      let handle = FileHandle(forReadingAtPath: path)
    else { throw JSONLines.Failure(path: path, line: 0, "cannot be read") }
    self.path = path
    self.handle = handle
    self.longestLine = longestLine
  }

  /// The first byte of what was not read yet that is no white space, or nil where there is none.
  package mutating func peek() throws(JSONLines.Failure) -> UInt8? {
    var passed = 0
    while true {
      // Whether the file starts with a mark is known from three bytes on.
      if line > 0 || buffer.count - start >= 3 || isAtEnd {
        if line == 0, isMarked { passed = max(passed, 3) }
        while start + passed < buffer.count {
          let byte = buffer[start + passed]
          if !Self.isSpace(byte) { return byte }
          passed += 1
        }
      }
      if isAtEnd { return nil }
      guard passed <= longestLine else {
        throw JSONLines.Failure(
          path: path, line: line + 1, "is more than \(longestLine) bytes of white space")
      }
      try fill()
    }
  }

  /// Whether `byte` is white space in ASCII.
  static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }

  /// The next line without its end, or nil at the end of the file.
  package mutating func next() throws(JSONLines.Failure) -> [UInt8]? {
    while true {
      if let end = buffer[scanned...].firstIndex(of: 0x0a) {
        let bytes = take(start..<end)
        start = end + 1
        scanned = start
        return bytes
      }
      scanned = buffer.count
      if isAtEnd {
        if start == buffer.count { return nil }
        let bytes = take(start..<buffer.count)
        start = buffer.count
        return bytes
      }
      guard buffer.count - start <= longestLine else {
        throw JSONLines.Failure(
          path: path, line: line + 1, "is longer than \(longestLine) bytes")
      }
      try fill()
    }
  }

  /// The next line as text. Throws ``JSONLines/Failure`` where it is not UTF-8.
  package mutating func nextText() throws(JSONLines.Failure) -> String? {
    guard let bytes = try next() else { return nil }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw JSONLines.Failure(path: path, line: line, "is not valid UTF-8")
    }
    return text
  }

  private var isMarked: Bool { buffer[start...].starts(with: [0xef, 0xbb, 0xbf]) }

  private mutating func take(_ range: Range<Int>) -> [UInt8] {
    line += 1
    var range = range
    if line == 1, buffer[range].starts(with: [0xef, 0xbb, 0xbf]) {
      range = range.lowerBound + 3..<range.upperBound
    }
    if let last = buffer[range].last, last == 0x0d {
      range = range.lowerBound..<range.upperBound - 1
    }
    return Array(buffer[range])
  }

  private mutating func fill() throws(JSONLines.Failure) {
    if Interruption.isRequested {
      throw JSONLines.Failure(path: path, line: line, Interruption.problem)
    }
    if start > 0 {
      buffer.removeFirst(start)
      scanned -= start
      start = 0
    }
    do {
      let more = try handle.read(upToCount: Self.chunk) ?? Data()
      if more.isEmpty { isAtEnd = true } else { buffer += more }
    } catch {
      throw JSONLines.Failure(path: path, line: line, "cannot be read")
    }
  }
}
