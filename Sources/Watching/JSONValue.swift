import Foundation

/// Any JSON, for files whose keys may change.
enum JSONValue: Decodable, Equatable {
  case null
  case flag(Bool)
  case integer(Int)
  /// Beyond `Int`.
  case large(UInt64)
  case real(Double)
  case text(String)
  case list([JSONValue])
  case object([String: JSONValue])

  init(from decoder: any Decoder) throws {
    let value = try decoder.singleValueContainer()
    if value.decodeNil() {
      self = .null
    } else if let flag = try? value.decode(Bool.self) {
      self = .flag(flag)
    } else if let integer = try? value.decode(Int.self) {
      self = .integer(integer)
    } else if let large = try? value.decode(UInt64.self) {
      self = .large(large)
    } else if let real = try? value.decode(Double.self) {
      self = .real(real)
    } else if let text = try? value.decode(String.self) {
      self = .text(text)
    } else if let list = try? value.decode([JSONValue].self) {
      self = .list(list)
    } else {
      self = .object(try value.decode([String: JSONValue].self))
    }
  }

  /// Its value, where it is a number.
  var number: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .large(let value): Double(value)
    case .real(let value): value
    default: nil
    }
  }

  /// As people read it.
  var description: String {
    switch self {
    case .null: "–"
    case .flag(let value): value ? "yes" : "no"
    case .integer(let value): "\(value)"
    case .large(let value): "\(value)"
    case .real(let value): "\(value)"
    case .text(let value): value.debugDescription.dropFirst().dropLast().description
    case .list(let values): values.map(\.description).joined(separator: ", ")
    case .object(let values):
      values.keys.sorted().map { "\($0): \(values[$0]?.description ?? "")" }
        .joined(separator: ", ")
    }
  }

  /// The first value with one of these keys, the outermost first. Keys are the same whether
  /// written `likeThis` or `like_this`.
  func first(_ keys: String...) -> JSONValue? {
    let wanted = Set(keys.map(Self.plain))
    var level = [self]
    while !level.isEmpty {
      var next: [JSONValue] = []
      for case .object(let values) in level {
        for key in values.keys.sorted() {
          guard let value = values[key] else { continue }
          if wanted.contains(Self.plain(key)) { return value }
          next.append(value)
        }
      }
      level = next
    }
    return nil
  }

  private static func plain(_ key: String) -> String {
    key.replacing("_", with: "").lowercased()
  }
}
