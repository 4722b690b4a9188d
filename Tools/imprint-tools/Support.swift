import ArgumentParser
import Foundation
import Storage
import Watching

/// An error of the command line's own, as one line.
struct Problem: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}

/// Runs `body`; its errors become one line on standard error and exit code 1.
///
/// With `interruptible`, which is for what leaves something to remove, SIGINT and SIGTERM become an
/// error too, and exit code 130 or 143.
func reportingErrors(interruptible: Bool = false, _ body: () throws -> Void) throws {
  Faults.watch(program: "imprint-tools")
  if interruptible { Interruption.watch() }
  do {
    try body()
  } catch let error as ExitCode {
    throw error
  } catch let error as ValidationError {
    throw error
  } catch {
    ProgressLine.endOpenLine()
    let isInterruption = Interruption.isCause(of: error)
    let line = isInterruption ? Interruption.line : oneLine("\(error)")
    FileHandle.standardError.write(Data("imprint-tools: \(line)\n".utf8))
    throw ExitCode(isInterruption ? Interruption.exitCode : 1)
  }
}

extension ProgressLine {
  /// A line of a tool that is done in seconds or minutes: nothing away from a terminal until ten
  /// seconds have passed.
  init(quiet: Bool) { self.init(quiet: quiet, delay: .seconds(10)) }

  /// Shows how much is done.
  mutating func show(_ what: String, _ done: Int, _ total: Int) {
    show("\(what) \(total == 0 ? 100 : done * 100 / total) %")
  }
}

/// Prints `value` as one JSON object.
func printJSON(_ value: some Encodable) throws {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
  encoder.keyEncodingStrategy = .convertToSnakeCase
  print(String(decoding: try encoder.encode(value), as: UTF8.self))
}

func mebibytes(_ bytes: Int) -> String { rounded(Double(bytes) / 1_048_576, 1) + " MiB" }

func rounded(_ value: Double, _ digits: Int) -> String {
  String(format: "%.\(digits)f", value)
}

func padded(_ text: String, _ width: Int) -> String {
  text.count >= width ? text : text + String(repeating: " ", count: width - text.count)
}

extension Duration {
  var seconds: Double {
    Double(components.seconds) + Double(components.attoseconds) * 1e-18
  }
}
