import Operations
import Storage
import Testing

@Suite struct DropoutTests {
  let numbers = Numbers()

  static func tokens(_ range: Range<Int>) -> [UInt64] { range.map { UInt64($0) } }

  func masked(_ mask: DropoutMask, _ rows: Range<Int>, _ columns: Int) -> [Double] {
    let x = numbers.zeros(rows.count, columns)
    x.fill(1)
    let y = numbers.matrix(rows.count, columns)
    mask.forward(x: x, rows: rows, y: y)
    return y.elements
  }

  /// Element j of a row is number j of the row's stream, in vector code and in Swift alike.
  @Test func theMaskIsTheSplitMix64Stream() {
    let mask = DropoutMask(rate: 0.3, seed: 7, tokens: [5, 9])
    let values = masked(mask, 0..<2, 77)
    for (row, token) in [5, 9].enumerated() {
      var stream = SplitMix64(seed: SplitMix64.mix(7, UInt64(token)))
      for column in 0..<77 {
        #expect(values[row * 77 + column] == (stream.uniform() < 0.3 ? 0 : 1 / (1 - 0.3)))
      }
    }
  }

  /// Five standard deviations of a binomial share; masks of other seeds and tokens agree as often
  /// as independent ones do.
  @Test(arguments: [0.05, 0.1, 0.5, 0.9]) func sharesAreAsAsked(_ rate: Double) {
    let (rows, columns) = (200, 500)
    let count = Double(rows * columns)
    let mask = masked(
      DropoutMask(rate: rate, seed: 3, tokens: Self.tokens(0..<rows)), 0..<rows, columns)
    let kept = Double(mask.count { $0 != 0 }) / count
    let deviation = 5 * (rate * (1 - rate) / count).squareRoot()
    #expect(abs(kept - (1 - rate)) < deviation)
    #expect(abs(mask.reduce(0, +) / count - 1) < deviation / (1 - rate), "inverted scaling")
    for column in stride(from: 0, to: columns, by: 50) {
      let share = Double((0..<rows).count { mask[$0 * columns + column] != 0 }) / Double(rows)
      #expect(abs(share - (1 - rate)) < deviation * Double(columns).squareRoot())
    }
    let agreement = rate * rate + (1 - rate) * (1 - rate)
    let bound = 5 * (agreement * (1 - agreement) / count).squareRoot()
    let other = masked(
      DropoutMask(rate: rate, seed: 4, tokens: Self.tokens(0..<rows)), 0..<rows, columns)
    let later = masked(
      DropoutMask(rate: rate, seed: 3, tokens: Self.tokens(1..<rows + 1)), 0..<rows, columns)
    for second in [other, Array(mask[columns...]) + later.suffix(columns)] {
      let same = Double(zip(mask, second).count { ($0 == 0) == ($1 == 0) }) / count
      #expect(abs(same - agreement) < bound)
    }
    #expect(Array(mask[columns...]) == Array(later.prefix((rows - 1) * columns)), "tokens decide")
  }

  @Test func nothingIsLeftOutAtZero() {
    let mask = DropoutMask(rate: 0, seed: 1, tokens: Self.tokens(0..<9))
    #expect(masked(mask, 0..<9, 33).allSatisfy { $0 == 1 })
  }

  /// ⟨m ∘ x, dy⟩ = ⟨x, m ∘ dy⟩ in f64: 1e-12. Rows are those of the batch, not of the view.
  @Test func backwardIsTheAdjoint() {
    let mask = DropoutMask(rate: 0.4, seed: 2, tokens: Self.tokens(10..<20))
    let (x, dy) = (numbers.matrix(4, 37), numbers.matrix(4, 37))
    let (y, dx) = (numbers.zeros(4, 37), numbers.zeros(4, 37))
    mask.forward(x: x, rows: 3..<7, y: y)
    mask.backward(dy: dy, rows: 3..<7, dx: dx)
    #expect(abs(Elementwise.dot(y, dy) - Elementwise.dot(x, dx)) < 1e-12)
    let whole = masked(mask, 0..<10, 37)
    #expect(masked(mask, 3..<7, 37) == Array(whole[3 * 37..<7 * 37]))
    mask.backward(dy: dy, rows: 3..<7, dx: dx)
    #expect(abs(Elementwise.dot(x, dx) - 2 * Elementwise.dot(y, dy)) < 1e-12, "it adds")
  }

  /// An adapter with dropout, whatever room its scratch has, in both directions: 1e-12.
  @Test(arguments: [1, 3, 100]) func updatesLeaveOutInputs(_ pieces: Int) {
    let (rows, input, output, rank) = (9, 21, 13, 3)
    let (x, a, b) = (
      numbers.matrix(rows, input), numbers.matrix(rank, input), numbers.matrix(output, rank)
    )
    let mask = DropoutMask(rate: 0.5, seed: 6, tokens: Self.tokens(0..<rows))
    let update = AdapterUpdate(down: a, up: b, scale: 0.7, rows: 1..<8, dropout: mask)
    let scratch = numbers.zeros(1, pieces * input)
    let between = numbers.zeros(rows, rank)
    let y = numbers.zeros(rows, output)
    for chunk in [0..<5, 5..<9] {
      update.reduce(x, into: between, chunk: chunk, scratch: scratch)
      update.expand(between, into: y, chunk: chunk)
    }
    let dx = numbers.zeros(rows, input)
    let dy = numbers.matrix(rows, output)
    for chunk in [0..<2, 2..<9] {
      update.project(dy, into: between, chunk: chunk)
      update.spread(between, into: dx, chunk: chunk, scratch: scratch)
    }
    let (masked, reduced) = (numbers.zeros(7, input), numbers.zeros(7, rank))
    let expected = numbers.zeros(rows, output)
    mask.forward(x: x.rows(1..<8), rows: 1..<8, y: masked)
    multiply(masked, a, .second, into: reduced)
    multiply(reduced, b, .second, into: expected.rows(1..<8), scale: 0.7)
    #expect(difference(y.elements, expected.elements) < 1e-12)
    #expect(abs(Elementwise.dot(y, dy) - Elementwise.dot(x, dx)) < 1e-12)
  }
}
