private import CFaults

#if canImport(Glibc)
  private import Glibc
#endif

/// A file that appears whole or not at all: written beside its place, then renamed into it.
///
/// ``commit()`` flushes the data, renames and flushes the folder, so that after a power cut there
/// is the old file or the new one. A file that is dropped without it leaves nothing behind; what a
/// killed process leaves behind goes when the same file is written again. Writing notices an
/// ``Interruption``.
public final class AtomicFile {
  /// Where the file will be.
  public let path: String
  /// The same, or where its links lead.
  private let target: String
  private let temporary: String
  private let registration: Int32
  private var descriptor: Int32
  /// How many bytes were appended.
  public private(set) var count = 0

  /// Starts a file that will be at `path`, or where that leads if it is a link.
  ///
  /// Throws ``FileError`` where the folder cannot be written, or `path` is a folder, a device or
  /// something else that a file cannot take the place of.
  public init(path: String) throws(FileError) {
    self.path = path
    target = try Self.target(of: path)
    let (folder, name) = Self.parts(of: target)
    Self.removeLeftovers(in: folder, of: name)
    (descriptor, temporary) = try Self.open(beside: target, for: path)
    registration = cf_register_temporary(temporary)
  }

  /// Where `path` leads, its links followed; there need not be a file yet.
  private static func target(of path: String) throws(FileError) -> String {
    let present = FileIdentity(path)
    if let present, !present.isRegular {
      let kind = present.isFolder ? "a folder" : "not a regular file"
      throw FileError(path: path, "cannot be written: it is \(kind)")
    }
    var target = path
    for _ in 0..<40 {
      guard let next = destination(of: target) else {
        // A link to an open file that has lost its name leads to another one, or to none.
        guard FileIdentity(target) == present else { break }
        return target
      }
      target = next.hasPrefix("/") ? next : "\(parts(of: target).folder)/\(next)"
    }
    throw FileError(path: path, "cannot be written: its links lead nowhere")
  }

  /// What the link at `path` says; nil where there is none. The corresponding C function is
  /// `readlink`.
  private static func destination(of path: String) -> String? {
    var bytes = [CChar](repeating: 0, count: 4096)
    let count = readlink(path, &bytes, bytes.count)
    guard count > 0 else { return nil }
    return String(decoding: bytes.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// A new file beside `target` that is locked as long as it is open, so that whoever looks for
  /// left-overs leaves it alone. Errors name `path`.
  private static func open(
    beside target: String, for path: String
  ) throws(FileError) -> (Int32, String) {
    for _ in 0..<100 {
      let temporary = "\(target).\(getpid()).\(serial.next()).partial"
      let descriptor = Glibc.open(temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
      if descriptor < 0 && errno == EEXIST { continue }
      guard descriptor >= 0 else { throw .system(path, "cannot be written") }
      // Before it was locked another process may have taken it for a left-over.
      var status = stat()
      let isTaken = flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK
      if !isTaken, fstat(descriptor, &status) == 0, status.st_nlink > 0 {
        return (descriptor, temporary)
      }
      close(descriptor)
    }
    throw FileError(path: path, "cannot be written: no name is free for its temporary file")
  }

  /// Removes what killed processes have left in `folder`: temporary files of `name`, or all, that
  /// nobody holds open.
  public static func removeLeftovers(in folder: String, of name: String? = nil) {
    guard let entries = opendir(folder) else { return }
    defer { closedir(entries) }
    while let entry = readdir(entries) {
      let file = withUnsafeBytes(of: &entry.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      guard isTemporary(file, of: name) else { continue }
      let path = "\(folder)/\(file)"
      let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW)
      guard descriptor >= 0 else { continue }
      if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { unlink(path) }
      close(descriptor)
    }
  }

  /// Whether `file` is called `NAME.PROCESS.NUMBER.partial`.
  private static func isTemporary(_ file: String, of name: String?) -> Bool {
    let words = file.split(separator: ".", omittingEmptySubsequences: false)
    guard words.count >= 4, words.last == "partial", Int32(words[words.count - 2]) != nil,
      Int32(words[words.count - 3]) != nil
    else { return false }
    return name == nil || words.dropLast(3).joined(separator: ".") == name
  }

  private static func parts(of path: String) -> (folder: String, name: String) {
    guard let slash = path.lastIndex(of: "/") else { return (".", path) }
    let folder = String(path[..<slash])
    return (folder.isEmpty ? "/" : folder, String(path[path.index(after: slash)...]))
  }

  private static let serial = Serial()

  deinit {
    if descriptor >= 0 {
      unlink(temporary)
      close(descriptor)
    }
    cf_forget_temporary(registration)
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
    if Interruption.isRequested { throw FileError(path: path, Interruption.problem) }
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
    guard rename(temporary, target) == 0 else { throw .system(path, "cannot be put in place") }
    cf_forget_temporary(registration)
    let open = descriptor
    descriptor = -1
    guard close(open) == 0 else { throw .system(path, "cannot be closed") }
    let handle = Glibc.open(
      Self.parts(of: target).folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    if handle >= 0 {
      fsync(handle)
      close(handle)
    }
  }

  /// Removes what ``commit()`` will replace, where there is something.
  public func removeOld() throws(FileError) { try Self.remove(target) }

  /// Removes the file at `path`, where there is one. Returns whether there was. The corresponding
  /// C function is `unlink`.
  ///
  /// Throws ``FileError`` where it cannot be removed.
  @discardableResult
  public static func remove(_ path: String) throws(FileError) -> Bool {
    if unlink(path) == 0 { return true }
    guard errno == ENOENT else { throw .system(path, "cannot be removed") }
    return false
  }
}

/// Numbers that differ within the process.
private final class Serial: Sendable {
  private let value = Locked(0)

  func next() -> Int {
    value.withLock {
      $0 += 1
      return $0
    }
  }
}
