import ArgumentParser
import Foundation
import Storage
import Watching

/// Refuses `flag` where what it goes with is not there.
func refuse(_ flag: String, unless condition: Bool, _ other: String) throws {
  if !condition { throw ValidationError("\(flag) goes with \(other).") }
}

/// Refuses numbers that count nothing: below 1, or above 2³⁰, which no run reaches and of which two can be
/// multiplied.
func requireCounts(_ options: (name: String, value: Int?)..., most: Int = 1 << 30) throws {
  for (name, value) in options {
    guard let value else { continue }
    if value < 1 { throw ValidationError("\(name) must be positive.") }
    if value > most { throw ValidationError("\(name) is at most \(most).") }
  }
}

/// Refuses what is no positive number of the arithmetic's 32 bits.
func requirePositive(_ name: String, _ value: Double?) throws {
  if let value, !(Float(value) > 0 && Float(value).isFinite) {
    throw ValidationError("\(name) must be a positive number, of 32 bits.")
  }
}

/// Refuses what is neither zero nor such a number.
func requireWeights(_ options: (name: String, value: Double?)...) throws {
  for case (let name, let value?) in options where !(value >= 0 && Float(value).isFinite) {
    throw ValidationError("\(name) must be zero or a positive number, of 32 bits.")
  }
}

func clock(_ seconds: Double) -> String {
  let whole = Int(seconds.rounded())
  return whole >= 3600
    ? String(format: "%d:%02d:%02d", whole / 3600, whole / 60 % 60, whole % 60)
    : String(format: "%d:%02d", whole / 60, whole % 60)
}

/// A number of bytes as users write it: `512MiB`, `1GiB`, `800MB`, or a share of the machine's
/// memory, `25%`.
struct ByteCount: ExpressibleByArgument {
  let bytes: Int

  init(bytes: Int) { self.bytes = bytes }

  init?(argument: String) {
    let units = [
      ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("KB", 1000), ("MB", 1_000_000),
      ("GB", 1_000_000_000), ("K", 1 << 10), ("M", 1 << 20), ("G", 1 << 30), ("B", 1),
    ]
    if argument.hasSuffix("%") {
      guard let share = Double(argument.dropLast()), share > 0, share <= 100 else { return nil }
      bytes = Int(Double(ProcessInfo.processInfo.physicalMemory) * share / 100)
      return
    }
    for (unit, factor) in units where argument.hasSuffix(unit) {
      guard let number = Double(argument.dropLast(unit.count)), number > 0, number < 1e9 else {
        return nil
      }
      bytes = Int(number * Double(factor))
      return
    }
    return nil
  }

  var defaultValueDescription: String {
    for (unit, factor) in [("GiB", 1 << 30), ("MiB", 1 << 20)] where bytes % factor == 0 {
      return "\(bytes / factor)\(unit)"
    }
    return "\(bytes)B"
  }
}
