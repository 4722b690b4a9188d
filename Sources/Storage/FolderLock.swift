#if canImport(Glibc)
  private import Glibc
#endif

/// A folder that one process works in: a locked file `lock` in it, which holds the process's id.
///
/// The kernel gives the lock back however the process ends. The corresponding C function is
/// `flock`.
public final class FolderLock: Sendable {
  private let descriptor: Int32

  /// Takes the folder, until this object or the process ends.
  ///
  /// Throws ``FileError`` naming the process that has it, or where the folder cannot be written.
  public init(folder: String) throws(FileError) {
    let path = folder + "/lock"
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw .system(path, "cannot be written") }
    // A file system without locks gives another error; there everybody is on his own.
    if flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK {
      var bytes = [UInt8](repeating: 0, count: 32)
      let count = max(0, pread(descriptor, &bytes, bytes.count, 0))
      close(descriptor)
      let text = String(decoding: bytes.prefix(count).prefix { $0 != 0x0a }, as: UTF8.self)
      throw FileError(
        path: folder, "is in use by \(Int32(text).map { "process \($0)" } ?? "another process")")
    }
    let text = Array("\(getpid())\n".utf8)
    guard ftruncate(descriptor, 0) == 0, pwrite(descriptor, text, text.count, 0) == text.count
    else {
      let error = FileError.system(path, "cannot be written")
      close(descriptor)
      throw error
    }
  }

  deinit { close(descriptor) }
}
