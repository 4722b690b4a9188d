import Foundation
import Invocation
import Storage
import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// The signal that has asked the harness to stop, and the child that is told of it.
enum Interruption {
  private static let signalNumber = Atomic<Int32>(0)
  private static let child = Atomic<Int32>(0)

  /// The signal that has come; nil for none.
  static var received: Int32? {
    let number = signalNumber.load(ordering: .relaxed)
    return number == 0 ? nil : number
  }

  /// From now on SIGHUP, SIGINT and SIGTERM end the child, and the harness after it; those that were
  /// ignored when the process started (nohup) stay so.
  static func watch() {
    follow(0)
    for number in [SIGHUP, SIGINT, SIGTERM] {
      var old = sigaction()
      sigaction(number, nil, &old)
      let handler = unsafeBitCast(old.__sigaction_handler.sa_handler, to: Int.self)
      if handler == unsafeBitCast(SIG_IGN, to: Int.self) { continue }
      signal(number) { number in
        Interruption.signalNumber.store(number, ordering: .relaxed)
        let child = Interruption.child.load(ordering: .relaxed)
        if child > 0 { kill(child, number) }
      }
    }
  }

  static func follow(_ process: Int32) {
    child.store(process, ordering: .relaxed)
    if let received, process > 0 { kill(process, received) }
  }
}

/// Runs executables, with what they print on the terminal and in a log.
struct ChildProcess {
  struct Outcome {
    var status: Int32
    var anonymousBytes: Int?
  }

  /// The folder of the executables.
  let executables: String
  /// Whether the log alone gets what they print.
  let isQuiet: Bool

  /// The path of an executable, as users may give it.
  func path(_ name: String) -> String {
    let path = executables + "/" + name
    let here = FileManager.default.currentDirectoryPath + "/"
    return path.hasPrefix(here) ? String(path.dropFirst(here.count)) : path
  }

  /// Runs `words`, whose first is an executable's name, to its end.
  ///
  /// Throws ``ExperimentError`` where it cannot be started.
  func run(_ words: [String], log: String) throws -> Outcome {
    let process = process(words, [Faults.parentVariable: "\(getpid())"])
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    guard let file = fopen(log, "a") else { throw ExperimentError("\(log): cannot be written") }
    defer { fclose(file) }
    fputs("$ \(Words.shell(words))\n", file)
    try start(process, words)
    Interruption.follow(process.processIdentifier)
    defer { Interruption.follow(0) }
    let peak = Peak(process.processIdentifier)
    peak.start()
    let reading = pipe.fileHandleForReading
    while true {
      let data = reading.availableData
      if data.isEmpty { break }
      _ = data.withUnsafeBytes { fwrite($0.baseAddress, 1, $0.count, file) }
      fflush(file)
      if !isQuiet { FileHandle.standardError.write(data) }
    }
    process.waitUntilExit()
    let status = process.terminationStatus
    return Outcome(
      status: process.terminationReason == .uncaughtSignal ? 128 + status : status,
      anonymousBytes: peak.stop())
  }

  /// Why the command line `words` is none of its executable's; nil where it could be. Nothing is done.
  ///
  /// Throws ``ExperimentError`` where it cannot be started.
  func problem(_ words: [String]) throws -> String? {
    let process = process(words, [Program.checkOnly: "1"])
    process.standardOutput = FileHandle.nullDevice
    let errors = Pipe()
    process.standardError = errors
    try start(process, words)
    let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return process.terminationStatus == 0 ? nil : Self.reason(text)
  }

  /// The process of `words`, with `variables` in its environment and nothing on standard input.
  private func process(_ words: [String], _ variables: [String: String]) -> Process {
    let process = Process()
    process.executableURL = URL(filePath: executables + "/" + words[0])
    process.arguments = Array(words.dropFirst())
    process.standardInput = FileHandle.nullDevice
    process.environment = ProcessInfo.processInfo.environment.merging(variables) { $1 }
    return process
  }

  private func start(_ process: Process, _ words: [String]) throws {
    do {
      try process.run()
    } catch {
      throw ExperimentError("\(executables)/\(words[0]): cannot be started")
    }
  }

  /// What an executable says of why it has failed, in one line: the error of a wrong call stands above
  /// its usage.
  static func reason(_ output: String) -> String {
    let lines = output.split(separator: "\n")
    return String(lines.last { $0.hasPrefix("Error: ") } ?? lines.last ?? "no reason was given")
  }

  /// Samples how much anonymous memory a process has; the first sample is before it has any.
  private final class Peak: Sendable {
    private let process: Int32
    private let samples = Locked((count: 0, most: 0))
    private let isOver = Atomic(false)

    init(_ process: Int32) { self.process = process }

    func start() {
      Thread.detachNewThread { [self] in
        while !isOver.load(ordering: .relaxed) {
          sample()
          Thread.sleep(forTimeInterval: 0.2)
        }
      }
    }

    func stop() -> Int? {
      isOver.store(true, ordering: .relaxed)
      let (count, most) = samples.withLock { $0 }
      return count > 1 && most > 0 ? most : nil
    }

    private func sample() {
      let anonymous = MemoryUsage(process: process).anonymous
      samples.withLock { $0 = ($0.count + 1, max($0.most, anonymous)) }
    }
  }
}
