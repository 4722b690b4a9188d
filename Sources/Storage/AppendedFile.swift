#if canImport(Glibc)
  private import Glibc
#endif

/// A file that grows at its end, a record at a time.
public enum AppendedFile {
  /// Appends `bytes` to the file at `path`, which is made where it is missing.
  ///
  /// Throws ``FileError`` where it cannot be written.
  public static func append(_ bytes: [UInt8], to path: String) throws(FileError) {
    let descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw .system(path, "cannot be written") }
    defer { close(descriptor) }
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes {
        write(descriptor, $0.baseAddress.unsafelyUnwrapped + done, bytes.count - done)
      }
      if count < 0 {
        if errno == EINTR { continue }
        throw .system(path, "cannot be written")
      }
      done += count
    }
  }
}
