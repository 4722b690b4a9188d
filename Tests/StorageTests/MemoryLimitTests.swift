import Foundation
import Storage
import Testing

@Suite struct MemoryLimitTests {
  /// No more than the machine has, and enough for this process.
  @Test func theLimitIsPlausible() {
    let machine = Int(ProcessInfo.processInfo.physicalMemory)
    #expect(MemoryUsage.limit <= machine + 1 << 20)
    #expect(MemoryUsage.limit > MemoryUsage.current.anonymous)
  }
}
