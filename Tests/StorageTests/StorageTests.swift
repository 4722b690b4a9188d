import Foundation
import Storage
import TestSupport
import Testing

@Suite struct StorageTests {
  @Test(arguments: [1, 2, 3, 8]) func everyRowBelongsToOneWorker(_ threads: Int) {
    let workers = Workers(count: threads)
    for total in [0, 1, 5, 64, 1001] {
      for grain in [1, 4, 16] {
        let parts = (0..<workers.count).map { workers.part($0, of: total, grain: grain) }
        #expect(parts.reduce(0) { $0 + $1.count } == total)
        #expect(zip(parts, parts.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound })
        let seen = Locked([Int](repeating: 0, count: total))
        workers.split(total, grain: grain) { range, _ in
          seen.withLock { for index in range { $0[index] += 1 } }
        }
        #expect(seen.withLock { $0.allSatisfy { $0 == 1 } })
      }
    }
  }

  @Test func regionsFollowOneAnother() {
    let workers = Workers(count: 4)
    let sum = Locked(0)
    for _ in 0..<2000 { workers.run { worker in sum.withLock { $0 += worker + 1 } } }
    #expect(sum.withLock { $0 } == 2000 * 10)
  }

  @Test func viewsShareTheirElements() {
    let arena = Arena()
    let matrix: Matrix<Float> = arena.matrix(4, 6, for: .scratch)
    matrix.columns(2..<4).rows(1..<3).fill(7)
    #expect(matrix.elements.filter { $0 == 7 }.count == 4)
    #expect(matrix[1, 2] == 7 && matrix[2, 3] == 7 && matrix[3, 3] == 0)
    let copy: Matrix<Float> = arena.matrix(2, 2, for: .scratch)
    copy.copy(from: matrix.columns(2..<4).rows(1..<3))
    #expect(copy.elements == [7, 7, 7, 7])
  }

  @Test func planningAllocatesNothing() {
    let plan = Arena(plansOnly: true)
    let real = Arena()
    for arena in [plan, real] {
      let _: Matrix<Float> = arena.matrix(100, 100, for: .block)
      _ = arena.bytes(5, for: .scratch)
    }
    #expect(plan.ledger == real.ledger && plan.ledger[.block] == 40960)
  }

  @Test func filesAppearWholeOrNotAtAll() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("a")
    do {
      let file = try AtomicFile(path: path)
      try file.append("half")
      #expect(!FileManager.default.fileExists(atPath: path))
    }
    #expect(folder.names.isEmpty)
    let file = try AtomicFile(path: path)
    try file.append("hello")
    try file.write([0x4a], at: 0)
    try file.commit()
    #expect(folder.names == ["a"])
    let mapped = try MappedFile(path: path)
    withExtendedLifetime(mapped) { #expect(Array(mapped.bytes) == Array("Jello".utf8)) }
    #expect(throws: FileError.self) { try AtomicFile(path: folder.file("missing/a")) }
    #expect(throws: FileError.self) { try MappedFile(path: folder.file("b")) }
    #expect(throws: FileError.self) { try MappedFile(path: folder.path) }
    #expect(try MappedFile(path: folder.write([], "empty")).bytes.isEmpty)
  }

  @Test func memoryIsReported() {
    let usage = MemoryUsage.current
    #expect(usage.anonymous > 0 && usage.peak >= usage.resident && usage.resident > 0)
    #expect(BLAS.kernelName.count > 1)
  }
}
