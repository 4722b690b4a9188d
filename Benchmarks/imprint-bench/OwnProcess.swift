import Foundation
import Storage

/// Runs this executable again, for what has to be measured in a process of its own.
enum OwnProcess {
  /// What a process has left.
  struct Answer {
    /// Its standard output.
    var output: Data
    /// Why it failed: its standard error, or how it ended; nil where it did not.
    var failure: String?
  }

  /// Runs it with `arguments`, and `environment` besides this process's own, to its end or to the
  /// end of this process.
  static func run(_ arguments: [String], environment: [String: String] = [:]) throws -> Answer {
    let process = Process()
    process.executableURL = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
    process.arguments = arguments
    let own = ProcessInfo.processInfo
    process.environment = own.environment.merging(environment) { $1 }
    process.environment?[Faults.parentVariable] = "\(own.processIdentifier)"
    let (output, errors) = (Pipe(), Pipe())
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    let answer = output.fileHandleForReading.readDataToEndOfFile()
    let complaint = String(
      decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self
    ).trimmingCharacters(in: .whitespacesAndNewlines)
    process.waitUntilExit()
    if process.terminationReason == .uncaughtSignal {
      return Answer(output: answer, failure: "ended by signal \(process.terminationStatus)")
    }
    guard process.terminationStatus != 0 else { return Answer(output: answer) }
    return Answer(output: answer, failure: complaint.isEmpty ? "no answer" : complaint)
  }
}
