import CCodec
import Foundation

/// A strict reader of event files: whatever is not exactly as it should be is an error.
struct EventReader {
  struct Problem: Error { var text: String }

  struct Event: Equatable {
    var wallTime = 0.0
    var step: UInt64 = 0
    var fileVersion: String?
    var scalars: [String: Float] = [:]
    /// `SessionLog.status`.
    var session: UInt64?
  }

  let events: [Event]

  init(path: String) throws { try self.init([UInt8](Data(contentsOf: URL(filePath: path)))) }

  init(_ bytes: [UInt8]) throws {
    var events: [Event] = []
    var rest = bytes[...]
    while !rest.isEmpty {
      let header = try Self.take(&rest, 8)
      guard try Self.little(Self.take(&rest, 4)) == Self.masked(header) else {
        throw Problem(text: "length's checksum")
      }
      let record = try Self.take(&rest, Int(Self.little(header)))
      guard try Self.little(Self.take(&rest, 4)) == Self.masked(record) else {
        throw Problem(text: "record's checksum")
      }
      events.append(try Self.event(record))
    }
    guard events.first?.fileVersion == "brain.Event:2" else { throw Problem(text: "no version") }
    self.events = events
  }

  /// Steps and values of a tag as TensorBoard shows them: a restart drops what it goes over again.
  func scalars(_ tag: String) -> [(step: UInt64, value: Float)] {
    var result: [(step: UInt64, value: Float)] = []
    for event in events {
      if event.session == 1 { result.removeAll { $0.step >= event.step } }
      if let value = event.scalars[tag] { result.append((event.step, value)) }
    }
    return result
  }

  private static func masked(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    let bytes = Array(bytes)
    let sum = cc_crc32c_portable(0, bytes, bytes.count)
    return UInt64((sum >> 15 | sum << 17) &+ 0xa282_ead8)
  }

  private static func take(_ rest: inout ArraySlice<UInt8>, _ count: Int) throws -> ArraySlice<
    UInt8
  > {
    guard rest.count >= count else { throw Problem(text: "ends too soon") }
    defer { rest = rest.dropFirst(count) }
    return rest.prefix(count)
  }

  private static func little(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  private enum Field {
    case varint(UInt64)
    case fixed(UInt64)
    case bytes(ArraySlice<UInt8>)
  }

  private static func fields(_ bytes: ArraySlice<UInt8>) throws -> [(Int, Field)] {
    var rest = bytes
    func varint() throws -> UInt64 {
      var (value, shift): (UInt64, UInt64) = (0, 0)
      while true {
        let byte = try UInt64(little(take(&rest, 1)))
        value |= (byte & 0x7f) << shift
        if byte < 0x80 { return value }
        shift += 7
        guard shift < 64 else { throw Problem(text: "varint too long") }
      }
    }
    var fields: [(Int, Field)] = []
    while !rest.isEmpty {
      let key = try varint()
      let field: Field
      switch key & 7 {
      case 0: field = .varint(try varint())
      case 1: field = .fixed(try little(take(&rest, 8)))
      case 2: field = .bytes(try take(&rest, Int(varint())))
      case 5: field = .fixed(try little(take(&rest, 4)))
      default: throw Problem(text: "wire type \(key & 7)")
      }
      fields.append((Int(key >> 3), field))
    }
    return fields
  }

  private static func event(_ bytes: ArraySlice<UInt8>) throws -> Event {
    var event = Event()
    for field in try fields(bytes) {
      switch field {
      case (1, .fixed(let bits)): event.wallTime = Double(bitPattern: bits)
      case (2, .varint(let step)): event.step = step
      case (3, .bytes(let text)): event.fileVersion = String(decoding: text, as: UTF8.self)
      case (5, .bytes(let summary)):
        for (number, value) in try fields(summary) {
          guard number == 1, case .bytes(let value) = value else { throw Problem(text: "summary") }
          let (tag, scalar) = try scalar(value)
          guard event.scalars.updateValue(scalar, forKey: tag) == nil else {
            throw Problem(text: "'\(tag)' twice")
          }
        }
      case (7, .bytes(let log)):
        guard case (1, .varint(let status))? = try fields(log).first else {
          throw Problem(text: "session log")
        }
        event.session = status
      default: throw Problem(text: "event's field \(field.0)")
      }
    }
    return event
  }

  private static func scalar(_ bytes: ArraySlice<UInt8>) throws -> (String, Float) {
    let parts = try fields(bytes)
    guard parts.count == 2, case (1, .bytes(let tag)) = parts[0],
      case (2, .fixed(let bits)) = parts[1], bits <= UInt64(UInt32.max)
    else { throw Problem(text: "value") }
    return (String(decoding: tag, as: UTF8.self), Float(bitPattern: UInt32(bits)))
  }
}
