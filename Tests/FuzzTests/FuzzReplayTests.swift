import Foundation
import FuzzTargets
import Storage
import TestSupport
import Testing

/// What fuzzing has found stays found: every committed input, and some thousands that are made from
/// them by a fixed stream, go through the readers again. `make fuzz` looks for new ones.
@Suite struct FuzzReplayTests {
  private static let seeds = Fixtures.path("fuzz/")

  private static func inputs(_ target: FuzzTarget) throws -> [(name: String, bytes: [UInt8])] {
    let folder = seeds + target.rawValue
    return try FileManager.default.contentsOfDirectory(atPath: folder).sorted().map {
      ($0, [UInt8](try Data(contentsOf: URL(filePath: "\(folder)/\($0)"))))
    }
  }

  /// Seeds whose name starts with `good` are read, all others are refused; nothing crashes.
  @Test(arguments: FuzzTarget.allCases) func committedInputs(_ target: FuzzTarget) throws {
    let folder = try TemporaryFolder()
    let inputs = try Self.inputs(target)
    #expect(inputs.contains { $0.name.hasPrefix("good") })
    for (name, bytes) in inputs {
      let refusal = target.feed(bytes, folder: folder.path)
      #expect((refusal == nil) == name.hasPrefix("good"), "\(name): \(refusal ?? "was read")")
    }
  }

  @Test(arguments: FuzzTarget.allCases) func mutatedInputs(_ target: FuzzTarget) throws {
    let folder = try TemporaryFolder()
    let inputs = try Self.inputs(target).map(\.bytes)
    let whole = inputs.joined()
    var random = SplitMix64(seed: 1)
    func below(_ count: Int) -> Int { Int(random.next() % UInt64(max(count, 1))) }
    var refused = 0
    for _ in 0..<400 {
      var bytes = inputs[below(inputs.count)]
      for _ in 0...below(4) {
        let place = below(bytes.count)
        switch below(6) {
        case 0: bytes.removeLast(below(bytes.count))
        case 1: if !bytes.isEmpty { bytes[place] ^= 1 << UInt8(below(8)) }
        case 2: if !bytes.isEmpty { bytes[place] = [0, 0xff, 0x7f, 0x80, 0x22, 0x39][below(6)] }
        case 3:
          // Eight bytes that are a size gone wrong.
          let value: UInt64 = [.max, 1 << 63, 1 << 62, 1 << 32, 0, 1][below(6)]
          withUnsafeBytes(of: value) {
            bytes.replaceSubrange(place..<min(place + 8, bytes.count), with: $0)
          }
        case 4:
          // A piece of another input.
          let from = below(whole.count)
          let piece = whole.dropFirst(from).prefix(below(40))
          bytes.replaceSubrange(place..<min(place + below(40), bytes.count), with: piece)
        default: bytes.insert(contentsOf: bytes.prefix(below(40)), at: place)
        }
      }
      if target.feed(bytes, folder: folder.path) != nil { refused += 1 }
    }
    #expect(refused > 0)
  }
}
