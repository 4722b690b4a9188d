import FuzzTargets
import Glibc

/// The reader that `FUZZ_TARGET` names, and a folder in memory for its files.
private let target: FuzzTarget = {
  let name = getenv("FUZZ_TARGET").map { String(cString: $0) } ?? ""
  guard let target = FuzzTarget(rawValue: name) else {
    let known = FuzzTarget.allCases.map(\.rawValue).joined(separator: " ")
    let line = "FUZZ_TARGET: expected one of \(known)\n"
    _ = line.withCString { write(2, $0, strlen($0)) }
    exit(64)
  }
  return target
}()

private let folder: String = {
  let path = "/dev/shm/imprint-fuzz-\(getpid())"
  mkdir(path, 0o700)
  return path
}()

/// One input, from libFuzzer.
@_cdecl("imprint_fuzz_one_input")
public func fuzzOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
  target.feed(Array(UnsafeBufferPointer(start: data, count: size)), folder: folder)
  return 0
}
