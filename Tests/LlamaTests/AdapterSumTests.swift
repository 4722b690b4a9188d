import Llama
import LoRA
import Operations
import Storage
import TestSupport
import Testing

/// Changes of linears that become one adapter.
@Suite struct AdapterSumTests {
  let arena = Arena()

  private func matrix(_ rows: Int, _ columns: Int, seed: Int) -> Matrix<Float> {
    var random = SplitMix64(seed: UInt64(seed))
    let result: Matrix<Float> = arena.matrix(rows, columns, for: .scratch)
    for index in 0..<result.count { result.pointer[index] = Float(random.uniform() - 0.5) }
    return result
  }

  /// In every linear: an adapter of rank 3 and `tokens` tokens of a full step; in down_proj of block
  /// 1 a dense sum in place of the latter.
  private func changes(tokens: Int) -> [[LowRankUpdate<Float>]] {
    (0..<2).flatMap { layer in
      LinearKind.allCases.map { kind in
        let (input, output) = kind.shape(in: TinyModel.architecture)
        let seed = 100 * layer + 10 * kind.index
        var result = [
          LowRankUpdate<Float>(
            down: matrix(3, input, seed: seed), up: .outputFirst(matrix(output, 3, seed: seed + 1)),
            scale: 2, rows: 0..<1)
        ]
        result.append(
          layer == 1 && kind == .down
            ? LowRankUpdate(
              down: matrix(output, input, seed: seed + 2), up: .identity, scale: -0.3, rows: 0..<1)
            : LowRankUpdate(
              down: matrix(tokens, input, seed: seed + 2),
              up: .rankFirst(matrix(tokens, output, seed: seed + 3)), scale: -0.3, rows: 0..<1))
        return result
      }
    }
  }

  private func dense(_ updates: [LowRankUpdate<Float>], _ entry: AdapterLayout.Entry) -> [Double] {
    // ΔW of each row of the unit matrix.
    let unit: Matrix<Float> = arena.matrix(entry.input, entry.input, for: .scratch)
    for index in 0..<entry.input { unit[index, index] = 1 }
    let target: Matrix<Float> = arena.matrix(entry.input, entry.output, for: .scratch)
    let scratch: Matrix<Float> = arena.matrix(1, entry.input * 64, for: .scratch)
    for update in updates {
      LowRankUpdate(down: update.down, up: update.up, scale: update.scale, rows: 0..<entry.input)
        .forward(source: unit, target: target, chunk: 0..<entry.input, scratch: scratch)
    }
    return target.elements.map(Double.init)
  }

  private func dense(_ adapter: AdapterTensors<Float>, _ entry: AdapterLayout.Entry) -> [Double] {
    let update = adapter.update(entry, rows: 0..<entry.input)
    return dense(
      [
        LowRankUpdate(
          down: update.down, up: .outputFirst(update.up), scale: update.scale, rows: update.rows)
      ], entry)
  }

  /// Ranks side by side where they are fewer than the smaller side, else the sum itself; 1e-5 for
  /// sums of at most 64 f32 products.
  @Test(arguments: [4, 40]) func theExactAdapterIsTheSum(tokens: Int) {
    let changes = changes(tokens: tokens)
    var loaded: [Int] = []
    let sum = AdapterSum(of: changes, architecture: TinyModel.architecture) { loaded.append($0) }
    let adapter = sum.exact(arena: arena)
    #expect(loaded == [0, 1])
    for entry in adapter.layout.entries {
      let isDense = tokens == 40 || entry.layer == 1 && entry.kind == .down
      #expect(entry.rank == (isDense ? min(3 + 40, entry.input, entry.output) : 7))
      #expect(entry.scale == 1)
      let expected = dense(changes[entry.layer * 7 + entry.kind.index], entry)
      #expect(relativeDifference(dense(adapter, entry), expected) < 1e-5, "\(entry.downName)")
    }
  }

  /// The error that is said is the difference that is made, and no rank-2 matrix is closer than the
  /// one of the two largest singular values; f32 factors: 1e-5.
  @Test(arguments: [4, 40]) func truncation(tokens: Int) throws {
    let changes = changes(tokens: tokens)
    let sum = AdapterSum(of: changes, architecture: TinyModel.architecture)
    let workers = Workers(count: 2)
    let (adapter, truncation) = try sum.truncated(to: 2, workers: workers, arena: arena)
    #expect(adapter.layout.entries.allSatisfy { $0.rank == 2 && $0.scale == 1 })
    var (left, total, worst) = (0.0, 0.0, ("", 0.0))
    for entry in adapter.layout.entries {
      let expected = dense(changes[entry.layer * 7 + entry.kind.index], entry)
      let found = dense(adapter, entry)
      let own = zip(found, expected).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
      let norm = expected.reduce(0) { $0 + $1 * $1 }
      left += own
      total += norm
      let ratio = (own / norm).squareRoot()
      if ratio > worst.1 { worst = ("layers.\(entry.layer).\(entry.kind.rawValue)", ratio) }
      // Eckart–Young, with the whole matrix's own values.
      var whole = ColumnMatrix(rows: entry.output, columns: entry.input)
      for row in 0..<entry.output {
        for column in 0..<entry.input {
          whole[row, column] = expected[column * entry.output + row]
        }
      }
      let values = try #require(whole.singularValues()).values
      let least = values.dropFirst(2).reduce(0) { $0 + $1 * $1 }
      #expect(abs(own - least) < 1e-5 * norm, "\(entry.downName)")
    }
    #expect(abs(truncation.relativeError - (left / total).squareRoot()) < 1e-5)
    #expect(abs(truncation.worst - worst.1) < 1e-5 && truncation.worstName == worst.0)

    let whole = try sum.truncated(to: 64, workers: workers, arena: arena)
    #expect(whole.truncation.relativeError < 1e-6)
    for entry in whole.adapter.layout.entries {
      let expected = dense(changes[entry.layer * 7 + entry.kind.index], entry)
      #expect(relativeDifference(dense(whole.adapter, entry), expected) < 1e-5)
    }
  }

  @Test func ranksThatDifferAreAPattern() throws {
    let folder = try TemporaryFolder()
    let adapter = AdapterSum(of: changes(tokens: 30), architecture: TinyModel.architecture)
      .exact(arena: arena)
    #expect(Set(adapter.layout.entries.map(\.rank)).count > 1)
    try AdapterFile.writeFolder(adapter, to: folder.path, base: "tiny")
    let file = try AdapterFile(path: folder.path)
    let layout = AdapterLayout(file.configuration, architecture: TinyModel.architecture)
    #expect(layout.entries.map(\.rank) == adapter.layout.entries.map(\.rank))
    #expect(layout.entries.allSatisfy { $0.scale == 1 })
    let back = AdapterTensors<Float>(layout: layout, arena: arena, for: .adapter)
    try file.read(into: back)
    #expect(back.flat.elements == adapter.flat.elements)
  }

  @Test func aChangeThatIsNotFiniteIsNamed() throws {
    let changes = changes(tokens: 4)
    changes[9][0].down[0, 0] = .infinity
    let sum = AdapterSum(of: changes, architecture: TinyModel.architecture)
    #expect {
      try sum.truncated(to: 2, workers: Workers(count: 2), arena: arena)
    } throws: { "\($0)".contains("layers.1.self_attn.v_proj") }
  }
}
