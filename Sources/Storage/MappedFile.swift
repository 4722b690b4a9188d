private import CFaults

#if canImport(Glibc)
  private import Glibc
#endif

/// Why a system call on a file failed, as one line.
public struct FileError: Error, CustomStringConvertible, Sendable {
  /// The file.
  public let path: String
  /// What could not be done and the system's reason.
  public let problem: String

  /// `problem` of the file at `path`.
  public init(path: String, _ problem: String) {
    self.path = path
    self.problem = problem
  }

  /// `doing`, and the text of `errno`.
  static func system(_ path: String, _ doing: String) -> FileError {
    FileError(path: path, "\(doing): \(String(cString: strerror(errno)))")
  }

  /// `path: problem`
  public var description: String { "\(path): \(problem)" }
}

/// A file mapped read-only: its pages are clean, and the kernel may drop them.
///
/// The file must not be shortened while it is mapped: reading pages that are gone ends the process
/// (`SIGBUS`), with a line that names the file where ``Faults/watch(program:)`` was called. Files that
/// ``AtomicFile`` writes are replaced, never changed, so this is safe for them.
public final class MappedFile: @unchecked Sendable {
  /// Where the file was.
  public let path: String
  /// Its bytes; valid as long as this object.
  public let bytes: UnsafeRawBufferPointer
  private let registration: Int32

  /// Maps the file at `path`. The corresponding C function is `mmap`.
  ///
  /// Throws ``FileError`` where it cannot be opened, is a folder or cannot be mapped.
  public init(path: String) throws(FileError) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw .system(path, "cannot be opened") }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw .system(path, "cannot be examined") }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw FileError(path: path, "is not a regular file")
    }
    let size = Int(status.st_size)
    self.path = path
    if size == 0 {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      registration = -1
      return
    }
    guard let base = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), base != MAP_FAILED
    else { throw .system(path, "cannot be mapped") }
    bytes = UnsafeRawBufferPointer(start: base, count: size)
    registration = cf_register_mapping(base, size, path)
  }

  deinit {
    cf_forget_mapping(registration)
    if let base = bytes.baseAddress {
      munmap(UnsafeMutableRawPointer(mutating: base), bytes.count)
    }
  }

  /// What the file at `path` holds, copied; nil where it cannot be read. (Foundation's own way leaks a
  /// page for each empty file.)
  public static func contents(_ path: String) -> [UInt8]? {
    (try? MappedFile(path: path)).map { [UInt8]($0.bytes) }
  }

  /// What the kernel is told about a range of the file.
  public enum Advice: Sendable {
    /// It is needed soon: read it ahead.
    case willNeed
    /// It is not needed now: its pages may go.
    case dontNeed
    /// It is read from front to back.
    case sequential
  }

  /// Tells the kernel about `range`. The corresponding C function is `madvise`.
  public func advise(_ advice: Advice, _ range: Range<Int>) {
    let inside = range.clamped(to: 0..<bytes.count)
    guard let base = bytes.baseAddress, !inside.isEmpty else { return }
    let page = 4096
    let start = inside.lowerBound / page * page
    let code =
      switch advice {
      case .willNeed: MADV_WILLNEED
      case .dontNeed: MADV_DONTNEED
      case .sequential: MADV_SEQUENTIAL
      }
    madvise(UnsafeMutableRawPointer(mutating: base + start), inside.upperBound - start, code)
  }
}
