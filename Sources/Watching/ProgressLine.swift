import Foundation
import Storage

/// A line that is written over on a terminal, and plain lines now and then elsewhere.
///
/// On a terminal the line is cut to its width, so that it never scrolls, and is redrawn ten times a
/// second at most. Elsewhere (a file, a pipe, `TERM=dumb`) a line is written every ten seconds for
/// five minutes, then every minute. A verbose one writes every line, on a terminal too.
public struct ProgressLine {
  /// Where the line goes.
  public struct Output: Sendable {
    /// The terminal's width now; nil where it is no terminal.
    public var columns: @Sendable () -> Int?
    /// Writes text.
    public var write: @Sendable (String) -> Void
    /// The time.
    public var now: @Sendable () -> ContinuousClock.Instant

    /// All values.
    public init(
      columns: @escaping @Sendable () -> Int?, write: @escaping @Sendable (String) -> Void,
      now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
    ) {
      self.columns = columns
      self.write = write
      self.now = now
    }

    /// Standard error.
    public static let standardError = Output(
      columns: { terminalColumns() },
      write: { FileHandle.standardError.write(Data($0.utf8)) })
  }

  private let quiet: Bool
  private let verbose: Bool
  private let output: Output
  private let isTerminal: Bool
  private let start: ContinuousClock.Instant
  private var next: ContinuousClock.Instant

  /// A line that has not begun. Away from a terminal the first line appears after `delay`.
  public init(
    quiet: Bool, verbose: Bool = false, delay: Duration = .zero, output: Output = .standardError
  ) {
    self.quiet = quiet
    self.verbose = verbose
    self.output = output
    isTerminal = output.columns() != nil && !verbose
    start = output.now()
    next = isTerminal ? start : start + delay
  }

  /// Shows `text` where it is time to, or where it `matters`.
  public mutating func show(_ text: @autoclosure () -> String, matters: Bool = false) {
    if quiet { return }
    let now = output.now()
    guard matters || verbose || now >= next else { return }
    if let columns = isTerminal ? output.columns() : nil {
      next = now + .milliseconds(100)
      output.write("\r" + Self.cut(text(), to: columns - 1) + "\u{1b}[K")
      Self.isOpen.withLock { $0 = true }
    } else {
      next = now + (now - start < .seconds(300) ? .seconds(10) : .seconds(60))
      output.write(text() + "\n")
    }
  }

  /// Ends the line and leaves it there.
  public func finish() { end(with: "\n") }

  /// Removes the line.
  public func clear() { end(with: "\r\u{1b}[K") }

  /// Ends a line on standard error that an error interrupted, so that the next text has its own.
  public static func endOpenLine() {
    let wasOpen = isOpen.withLock { flag in
      defer { flag = false }
      return flag
    }
    if wasOpen { Output.standardError.write("\n") }
  }

  private static let isOpen = Locked(false)

  private func end(with text: String) {
    let wasOpen = Self.isOpen.withLock { flag in
      defer { flag = false }
      return flag
    }
    if isTerminal && wasOpen { output.write(text) }
  }

  private static func cut(_ text: String, to columns: Int) -> String {
    let line = text.prefix { !$0.isNewline }
    return line.count <= columns ? String(line) : line.prefix(max(0, columns - 1)) + "…"
  }
}

/// The width of the terminal that standard error is; nil where it is none or can only print.
///
/// The corresponding C function is `ioctl` with `TIOCGWINSZ`.
private func terminalColumns() -> Int? {
  guard isatty(STDERR_FILENO) == 1, ProcessInfo.processInfo.environment["TERM"] != "dumb" else {
    return nil
  }
  var size = winsize()
  guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
  return Int(size.ws_col)
}
