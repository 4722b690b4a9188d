import Foundation

#if canImport(Glibc)
  import Glibc
#endif

/// Files that are written over and over.
enum FuzzFile {
  static func write(_ bytes: [UInt8], to path: String) throws {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw CocoaError(.fileWriteUnknown) }
    defer { close(descriptor) }
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes {
        Glibc.write(descriptor, $0.baseAddress.unsafelyUnwrapped + done, bytes.count - done)
      }
      guard count > 0 else { throw CocoaError(.fileWriteUnknown) }
      done += count
    }
  }
}
