import Foundation
import Storage
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// What a file takes the place of, and what it does not.
@Suite struct AtomicFileTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func write(_ text: String, to name: String) throws {
    let file = try AtomicFile(path: folder.file(name))
    try file.append(text)
    try file.commit()
  }

  private func text(_ name: String) throws -> String {
    try String(contentsOfFile: folder.file(name), encoding: .utf8)
  }

  private func link(_ name: String, to destination: String) throws {
    try FileManager.default.createSymbolicLink(
      atPath: folder.file(name), withDestinationPath: destination)
  }

  @Test func whatIsNoRegularFileIsLeftAlone() throws {
    try #require(mkfifo(folder.file("pipe"), 0o600) == 0)
    try FileManager.default.createDirectory(
      atPath: folder.file("folder"), withIntermediateDirectories: false)
    try link("link", to: "pipe")
    for (name, kind) in [
      ("pipe", "not a regular file"), ("link", "not a regular file"), ("folder", "a folder"),
    ] {
      let error = #expect(throws: FileError.self) { try AtomicFile(path: folder.file(name)) }
      #expect(error?.path == folder.file(name))
      #expect(error?.problem == "cannot be written: it is \(kind)")
    }
    #expect(folder.names == ["folder", "link", "pipe"])
  }

  /// Where links lead there is a file after the first time; what a killed process has left beside it
  /// goes.
  @Test(arguments: ["relative", "absolute"]) func linksAreFollowed(_ kind: String) throws {
    try FileManager.default.createDirectory(
      atPath: folder.file("inner"), withIntermediateDirectories: false)
    let first = kind == "relative" ? "inner/link" : folder.file("inner/link")
    try link("link", to: first)
    try link("inner/link", to: "../target")
    for content in ["first", "second"] {
      try folder.write([1], "target.1.0.partial")
      try write(content, to: "link")
      #expect(folder.names == ["inner", "link", "target"])
      #expect(try text("target") == content)
    }
    let destination = try FileManager.default.destinationOfSymbolicLink(
      atPath: folder.file("link"))
    #expect(destination == first)
  }

  @Test func linksThatLeadNowhereAreNamed() throws {
    try link("a", to: "b")
    try link("b", to: "a")
    try link("c", to: "missing/d")
    for (name, problem) in [
      ("a", "cannot be written: its links lead nowhere"),
      ("c", "cannot be written: No such file or directory"),
    ] {
      let error = #expect(throws: FileError.self) { try AtomicFile(path: folder.file(name)) }
      #expect(error?.path == folder.file(name) && error?.problem == problem)
    }
    #expect(folder.names == ["a", "b", "c"])
  }

  @Test func filesAreRemoved() throws {
    try write("old", to: "a")
    let file = try AtomicFile(path: folder.file("a"))
    try file.removeOld()
    try file.removeOld()
    #expect(!FileManager.default.fileExists(atPath: folder.file("a")))
    try file.commit()
    #expect(try text("a").isEmpty)
    #expect(try AtomicFile.remove(folder.file("a")))
    #expect(try AtomicFile.remove(folder.file("a")) == false)
    let error = #expect(throws: FileError.self) { try AtomicFile.remove(folder.path) }
    #expect(error?.problem.hasPrefix("cannot be removed") == true)
  }
}
