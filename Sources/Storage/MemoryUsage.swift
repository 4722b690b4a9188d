#if canImport(Glibc)
  private import Glibc
#endif

/// What the kernel says of a process's memory, in bytes. Source: `/proc/PID/status`, proc(5).
public struct MemoryUsage: Sendable {
  /// Anonymous resident memory: what the process cannot give back.
  public var anonymous = 0
  /// Resident pages of mapped files: clean, the kernel may drop them.
  public var file = 0
  /// The largest resident size since the start or since ``resetPeak()``.
  public var peak = 0
  /// Resident size.
  public var resident = 0

  /// That of this process; zeros where the kernel does not say.
  public static var current: MemoryUsage { MemoryUsage(of: "self") }

  /// That of another process; zeros where there is none.
  public init(process: Int32) { self.init(of: "\(process)") }

  private init(of process: String) {
    for line in Self.readSmallFile("/proc/\(process)/status").split(separator: "\n") {
      let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
      guard words.count >= 2, let kibibytes = Int(words[1]) else { continue }
      switch words[0] {
      case "RssAnon:": anonymous = kibibytes << 10
      case "RssFile:": file = kibibytes << 10
      case "VmHWM:": peak = kibibytes << 10
      case "VmRSS:": resident = kibibytes << 10
      default: break
      }
    }
  }

  /// The memory that this process may use, bytes: the machine's, or its control group's limit.
  ///
  /// Source: `/proc/meminfo`, and `memory.max` of cgroups v2.
  public static var limit: Int {
    func bytes(_ line: Substring) -> Int? {
      line.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 << 10 }
    }
    let total =
      readSmallFile("/proc/meminfo").split(separator: "\n")
      .first { $0.hasPrefix("MemTotal:") }.flatMap(bytes) ?? .max
    let group =
      readSmallFile("/proc/self/cgroup").split(separator: "\n")
      .first { $0.hasPrefix("0::") }.map { String($0.dropFirst(3)) } ?? "/"
    let limit = readSmallFile("/sys/fs/cgroup\(group)/memory.max").split(separator: "\n").first
    return min(total, limit.flatMap { Int($0) } ?? .max)
  }

  /// Makes ``peak`` start again from the present size: writes 5 to `/proc/self/clear_refs`.
  public static func resetPeak() {
    let descriptor = open("/proc/self/clear_refs", O_WRONLY)
    guard descriptor >= 0 else { return }
    _ = write(descriptor, "5", 1)
    close(descriptor)
  }

  static func readSmallFile(_ path: String) -> String {
    let descriptor = open(path, O_RDONLY)
    guard descriptor >= 0 else { return "" }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 16384)
    let count = read(descriptor, &bytes, bytes.count)
    return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
  }
}
