import ArgumentParser
import Foundation
import Storage
import Watching

/// An error of the command line's own, as one line.
public struct Problem: Error, CustomStringConvertible {
  /// The line.
  public let description: String

  /// `description`, which names the flag or the file and what was expected.
  public init(_ description: String) { self.description = description }
}

/// What an interruption has led to, as one line.
public struct Interrupted: Error, CustomStringConvertible {
  /// The line.
  public let description: String

  /// `description`.
  public init(_ description: String) { self.description = description }
}

/// Runs `body`; its errors become one line on standard error and exit code 1.
///
/// With `interruptible`, which is for what leaves something to finish or to remove, SIGHUP, SIGINT
/// and SIGTERM become an error too, and exit code 129, 130 or 143.
public func reportingErrors(interruptible: Bool = false, _ body: () throws -> Void) throws {
  Faults.watch(program: Program.name)
  if interruptible { Interruption.watch() }
  do {
    try body()
  } catch let error as ExitCode {
    throw error
  } catch let error as ValidationError {
    throw error
  } catch {
    ProgressLine.endOpenLine()
    let isNoticed = Interruption.isCause(of: error)
    note("\(Program.name): \(isNoticed ? Interruption.line : oneLine("\(error)"))")
    throw ExitCode(isNoticed || error is Interrupted ? Interruption.exitCode : 1)
  }
}

/// Writes a line to standard error.
public func note(_ line: String) { FileHandle.standardError.write(Data((line + "\n").utf8)) }

/// Prints `value` as JSON: with keys in snake case and sorted, on lines of its own unless it
/// `isLine`; numbers that are not finite are the strings `Infinity`, `-Infinity` and `NaN`.
public func printJSON(_ value: some Encodable, isLine: Bool = false) throws {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  if !isLine { encoder.outputFormatting.insert(.prettyPrinted) }
  encoder.keyEncodingStrategy = .convertToSnakeCase
  encoder.nonConformingFloatEncodingStrategy = .convertToString(
    positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
  print(String(decoding: try encoder.encode(value), as: UTF8.self))
}

/// `12.5 MiB`.
public func mebibytes(_ bytes: Int) -> String {
  String(format: "%.1f MiB", Double(bytes) / 1_048_576)
}
