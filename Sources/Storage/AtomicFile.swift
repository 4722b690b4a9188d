private import Synchronization

#if canImport(Glibc)
  private import Glibc
#endif

/// A file that appears whole or not at all: written beside its place, then renamed into it.
///
/// ``commit()`` flushes the data, renames and flushes the folder, so that after a power cut there
/// is the old file or the new one. A file that is dropped without it leaves nothing behind.
public final class AtomicFile {
  /// Where the file will be.
  public let path: String
  private let temporary: String
  private var descriptor: Int32
  /// How many bytes were appended.
  public private(set) var count = 0

  /// Starts a file that will be at `path`.
  ///
  /// Throws ``FileError`` where the folder cannot be written or `path` is a folder.
  public init(path: String) throws(FileError) {
    self.path = path
    var status = stat()
    if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
      throw FileError(path: path, "cannot be written: it is a folder")
    }
    temporary = "\(path).\(getpid()).\(AtomicFile.serial.next()).partial"
    descriptor = open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw .system(path, "cannot be written") }
  }

  private static let serial = Serial()

  deinit {
    if descriptor >= 0 {
      close(descriptor)
      unlink(temporary)
    }
  }

  /// Appends `bytes`.
  public func append(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
    try write(bytes, at: count)
    count += bytes.count
  }

  /// Appends the text's UTF-8.
  public func append(_ text: String) throws(FileError) { try append(Array(text.utf8)) }

  /// Appends the bytes.
  public func append(_ bytes: [UInt8]) throws(FileError) {
    try write(bytes, at: count)
    count += bytes.count
  }

  /// Writes the bytes at `offset`, over what is there.
  public func write(_ bytes: [UInt8], at offset: Int) throws(FileError) {
    let failure = bytes.withUnsafeBytes { raw -> FileError? in
      do throws(FileError) {
        try write(raw, at: offset)
        return nil
      } catch {
        return error
      }
    }
    if let failure { throw failure }
  }

  /// Writes `bytes` at `offset`, over what is there. The corresponding C function is `pwrite`.
  public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FileError) {
    var done = 0
    while done < bytes.count {
      let written = pwrite(
        descriptor, bytes.baseAddress.unsafelyUnwrapped + done, bytes.count - done,
        off_t(offset + done))
      if written < 0 {
        if errno == EINTR { continue }
        throw .system(path, "cannot be written")
      }
      done += written
    }
  }

  /// Puts the file in its place.
  public func commit() throws(FileError) {
    guard fsync(descriptor) == 0 else { throw .system(path, "cannot be flushed") }
    guard close(descriptor) == 0 else {
      descriptor = -1
      unlink(temporary)
      throw .system(path, "cannot be closed")
    }
    descriptor = -1
    guard rename(temporary, path) == 0 else {
      let error = FileError.system(path, "cannot be put in place")
      unlink(temporary)
      throw error
    }
    let folder = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? "."
    let handle = open(folder.isEmpty ? "/" : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    if handle >= 0 {
      fsync(handle)
      close(handle)
    }
  }
}

/// Numbers that differ within the process.
private final class Serial: Sendable {
  private let value = Mutex(0)

  func next() -> Int {
    value.withLock {
      $0 += 1
      return $0
    }
  }
}
