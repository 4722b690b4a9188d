private import CFaults

#if canImport(Glibc)
  private import Glibc
#endif

/// SIGHUP, SIGINT and SIGTERM, noticed between two pieces of work.
///
/// A program that calls ``watch()`` is told once, by an error from whatever piece of work notices
/// first: a block of a sweep, a write to an ``AtomicFile``. A second signal ends the process at
/// once. Where ``watch()`` was not called nothing is changed.
public enum Interruption {
  /// What errors say that an interruption causes.
  public static let problem = "interrupted"

  /// Takes the signals from now on.
  public static func watch() { cf_watch_interruptions() }

  /// Whether one has come and was not acknowledged. Costs one load.
  public static var isRequested: Bool { cf_is_interrupted() != 0 }

  /// The number of the signal that came first; nil where none has.
  public static var signal: Int32? {
    let number = cf_interruption()
    return number == 0 ? nil : number
  }

  /// The signal's name.
  public static var name: String {
    switch signal {
    case SIGHUP: "SIGHUP"
    case SIGTERM: "SIGTERM"
    default: "SIGINT"
    }
  }

  /// 128 and the signal's number, as shells have it.
  public static var exitCode: Int32 { 128 + (signal ?? 0) }

  /// What the user is told.
  public static var line: String { "\(name): stopped, nothing is half-written" }

  /// Whether `error` came from noticing an interruption.
  public static func isCause(of error: any Error) -> Bool {
    signal != nil && "\(error)".hasSuffix(problem)
  }

  /// Lets work go on, to write a last checkpoint.
  public static func acknowledge() { cf_acknowledge() }
}

/// `text` as one line that a terminal shows as it is: control characters, which names in hostile
/// files may have, are spelled out, and what is longer than any message is cut.
public func oneLine(_ text: String) -> String {
  var result = ""
  for scalar in text.unicodeScalars.prefix(4000) {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator:
      result += "\\u{\(String(scalar.value, radix: 16))}"
    default: result.unicodeScalars.append(scalar)
    }
  }
  return text.unicodeScalars.count > 4000 ? result + " …" : result
}

/// Errors of memory and files that the system tells by signals.
public enum Faults {
  /// Has a mapped file that is made shorter end the process with one line that names it and exit
  /// code 1, and a file that is too large (`ulimit -f`) be an error of writing.
  ///
  /// A program that was started with ``parentVariable`` set to its parent's process id does not
  /// outlive it.
  public static func watch(program: String) {
    cf_watch_faults(program)
    guard let text = getenv(parentVariable), let parent = Int32(String(cString: text)) else {
      return
    }
    // Not for processes that this one starts.
    unsetenv(parentVariable)
    cf_end_with(parent)
  }

  /// The variable of the environment with which a program that runs others for somebody has them
  /// end when it is killed, so that two never work on the same files.
  public static let parentVariable = "IMPRINT_PARENT"
}
