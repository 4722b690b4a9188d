import Foundation
import Storage
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#endif

@Suite struct LeftoverTests {
  @Test func leftoversOfKilledProcessesGo() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("a.b")
    for name in ["a.b.123.0.partial", "a.b.99.12.partial", "a.c.123.0.partial", "a.b.x.0.partial"] {
      try folder.write([1], name)
    }
    let file = try AtomicFile(path: path)
    try file.append("x")
    // One that is being written is left alone, whoever looks.
    let second = try AtomicFile(path: path)
    try second.append("y")
    #expect(folder.names.filter { $0.hasPrefix("a.b.") }.count == 3)
    try file.commit()
    try second.commit()
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "y")
    #expect(folder.names == ["a.b", "a.b.x.0.partial", "a.c.123.0.partial"])
    AtomicFile.removeLeftovers(in: folder.path)
    #expect(folder.names == ["a.b", "a.b.x.0.partial"])
  }

  @Test func aFolderIsLockedOnce() throws {
    let folder = try TemporaryFolder()
    do {
      let lock = try FolderLock(folder: folder.path)
      let error = #expect(throws: FileError.self) { try FolderLock(folder: folder.path) }
      #expect(error?.problem == "is in use by process \(getpid())")
      withExtendedLifetime(lock) {}
    }
    _ = try FolderLock(folder: folder.path)
    #expect(throws: FileError.self) { try FolderLock(folder: folder.file("nothing")) }
  }

  @Test func recordsAreAppended() throws {
    let folder = try TemporaryFolder()
    try AppendedFile.append([1, 2], to: folder.file("a"))
    try AppendedFile.append([3], to: folder.file("a"))
    #expect([UInt8](try Data(contentsOf: URL(filePath: folder.file("a")))) == [1, 2, 3])
    #expect(throws: FileError.self) { try AppendedFile.append([1], to: "/dev/full") }
    #expect(throws: FileError.self) { try AppendedFile.append([1], to: folder.path) }
  }

  @Test func digestsAreThePublishedOnes() {
    // FNV-1a, 64 bits: draft-eastlake-fnv, appendix C.
    var digest = Digest()
    #expect(digest.description == "cbf29ce484222325")
    digest.update("foobar")
    #expect(digest.description == "85944171f73967e8")
    var (first, second) = (Digest(), Digest())
    first.update([1, 2] as [Int32])
    first.update([] as [Int32])
    second.update([1] as [Int32])
    second.update([2] as [Int32])
    #expect(first != second)
  }

  @Test func messagesAreOneLine() {
    #expect(oneLine("a\nb\u{1b}[31m\u{202e}é") == #"a\u{a}b\u{1b}[31m\u{202e}é"#)
    #expect(oneLine(String(repeating: "x", count: 9000)).count == 4002)
  }

  /// The process that reads what is gone says so and ends with 1.
  @Test func aMappedFileThatShrinks() async throws {
    let result = try await #require(
      processExitsWith: .exitCode(1), observing: [\.standardErrorContent]
    ) {
      Faults.watch(program: "tests")
      let folder = try TemporaryFolder()
      let path = try folder.write([UInt8](repeating: 1, count: 20_000), "file")
      let other = try MappedFile(path: folder.write([1], "other"))
      let mapped = try MappedFile(path: path)
      truncate(path, 100)
      let sum = mapped.bytes.reduce(0) { $0 + Int($1) }
      print(sum, other.bytes.count)
    }
    let text = String(decoding: result.standardErrorContent, as: UTF8.self)
    #expect(text.hasPrefix("tests: /") && text.contains("/file: was made shorter"))
  }
}
