import Storage
import Testing

@Suite struct ArenaThreadsTests {
  /// Buffers that several threads ask for at once are all entered, and none is given out twice.
  @Test func severalThreadsMayAsk() async {
    let arena = Arena()
    let addresses = await withTaskGroup(of: [UInt].self) { group in
      for _ in 0..<8 {
        group.addTask {
          (0..<200).map { _ in
            let matrix = arena.matrix(3, 5, of: Float.self, for: .block)
            matrix.fill(1)
            return UInt(bitPattern: matrix.pointer)
          }
        }
      }
      return await group.reduce(into: []) { $0 += $1 }
    }
    #expect(Set(addresses).count == 1600)
    #expect(arena.ledger == [.block: 1600 * 4096])
    #expect(arena.bytes == 1600 * 4096)
  }
}
