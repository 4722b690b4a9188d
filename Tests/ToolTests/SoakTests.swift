import Foundation
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// Many steps of one process: `IMPRINT_SOAK` of them, 300 where it is not set.
@Suite struct SoakTests {
  static let steps = ProcessInfo.processInfo.environment["IMPRINT_SOAK"].flatMap { Int($0) }

  private struct Sample {
    var step: Int
    var anonymous: Int
    var files: Int
    var seconds: Double
  }

  /// Memory and open files are as they were after the first tenth of the run, to the page; so is the
  /// processor's time of a step in a long run.
  @Test func nothingGrows() throws {
    let training = try TinyTraining()
    let run = training.folder.file("run")
    let steps = Self.steps ?? 300
    let tool = try RunningTool(
      "imprint",
      training.arguments(
        run, steps: steps, ["--quiet", "--save-every", "50", "--prompt-weight", "0.3"]))
    let process = "/proc/\(tool.process.processIdentifier)"
    var samples: [Sample] = []
    while tool.process.isRunning {
      usleep(Self.steps == nil ? 5000 : 200_000)
      guard let status = try? String(contentsOfFile: process + "/status", encoding: .utf8),
        let line = status.split(separator: "\n").first(where: { $0.hasPrefix("RssAnon:") }),
        let kibibytes = line.split(whereSeparator: { !$0.isNumber }).first.flatMap({ Int($0) }),
        let files = try? FileManager.default.contentsOfDirectory(atPath: process + "/fd").count
      else { continue }
      // Behind the name in brackets: state, …; user and system time are the 12th and 13th, in ticks.
      let times = (try? String(contentsOfFile: process + "/stat", encoding: .utf8))?
        .split(separator: ")").last?.split(separator: " ").dropFirst(11).prefix(2)
        .compactMap { Double($0) }
      guard let times, times.count == 2 else { continue }
      samples.append(
        Sample(
          step: TinyTraining.steps(run), anonymous: kibibytes << 10, files: files,
          seconds: times.reduce(0, +) / Double(sysconf(Int32(_SC_CLK_TCK)))))
    }
    let result = tool.finish()
    #expect(result.status == 0, "\(result.errors)")
    #expect(TinyTraining.steps(run) == steps)

    let settled = samples.filter { $0.step > steps / 10 && $0.step < steps }
    let (early, late) = (settled.prefix(settled.count / 2), settled.suffix(settled.count / 2))
    try #require(!early.isEmpty && !late.isEmpty, "the run was too short to be sampled")
    let peak = { (part: ArraySlice<Sample>) in part.map(\.anonymous).max() ?? 0 }
    // A checkpoint's buffers come and go: half a mebibyte is less than a leak of 64 bytes a step of a
    // run of 10,000.
    #expect(peak(late) <= peak(early) + (512 << 10), "\(peak(early)) → \(peak(late)) bytes")
    // A checkpoint that is being written is a file more for a moment; what leaks is there always.
    let files = { (part: ArraySlice<Sample>) in part.map(\.files).min() ?? 0 }
    #expect(files(late) <= files(early))
    guard Self.steps != nil else { return }
    let rate = { (part: ArraySlice<Sample>) -> Double in
      guard let first = part.first, let last = part.last else { return 0 }
      return Double(last.step - first.step) / (last.seconds - first.seconds)
    }
    #expect(rate(late) > 0.8 * rate(early))
    print(
      """
      soak: \(steps) steps; RssAnon at most \(peak(early) >> 10) KiB, then \(peak(late) >> 10) KiB; \
      \(files(early)) open files, then \(files(late)); \(Int(rate(early))) steps per second of processor, then \(Int(rate(late)))
      """)
  }
}
