import Foundation
import Operations
import Storage
import Testing
import Weights

@Suite struct RotaryTests {
  let numbers = Numbers()

  @Test func halvesAreRotatedByThePositionsAngle() {
    let table = RotaryTable<Double>(positions: 10, headDim: 4, theta: 100, scaling: nil)
    let x = numbers.matrix(2, 8)
    let before = x.elements
    let positions: [Int32] = [3, 7]
    Rotary.forward(x: x, heads: 2, positions: positions, table: table)
    for (row, position) in positions.enumerated() {
      for head in 0..<2 {
        for pair in 0..<2 {
          let angle = Double(position) * pow(100, -2 * Double(pair) / 4)
          let low = before[row * 8 + head * 4 + pair]
          let high = before[row * 8 + head * 4 + pair + 2]
          #expect(abs(x[row, head * 4 + pair] - (low * cos(angle) - high * sin(angle))) < 1e-12)
          #expect(abs(x[row, head * 4 + pair + 2] - (high * cos(angle) + low * sin(angle))) < 1e-12)
        }
      }
    }
    Rotary.backward(dx: x, heads: 2, positions: positions, table: table)
    #expect(difference(x.elements, before) < 1e-12)
  }

  /// Llama 3.2's numbers, checked at the three kinds of wavelength.
  @Test func llama3ScalingDividesLowFrequenciesOnly() {
    let scaling = Architecture.RopeScaling(
      factor: 32, lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositionEmbeddings: 8192)
    #expect(scaling.scaled(1) == 1)
    let low = 2 * Double.pi / 10000
    #expect(abs(scaling.scaled(low) - low / 32) < 1e-15)
    let middle = 2 * Double.pi / 4096
    let smooth = (8192.0 / 4096 - 1) / 3
    let expected = (1 - smooth) * middle / 32 + smooth * middle
    #expect(abs(scaling.scaled(middle) - expected) < 1e-15)
  }
}
