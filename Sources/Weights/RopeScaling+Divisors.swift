private import Foundation

extension Architecture.RopeScaling {
  /// By how much each rotary frequency is divided, (d / 2).
  ///
  /// Source: Hugging Face transformers, `_compute_llama3_parameters`.
  public func divisors(headDim: Int, theta: Double) -> [Double] {
    (0..<headDim / 2).map { column in
      let frequency = pow(theta, -2 * Double(column) / Double(headDim))
      return frequency / scaled(frequency)
    }
  }

  /// A rotary frequency after the scaling: low ones are divided by the factor, high ones stay,
  /// those between are blended.
  public func scaled(_ frequency: Double) -> Double {
    let original = Double(originalMaxPositionEmbeddings)
    let wavelength = 2 * Double.pi / frequency
    if wavelength < original / highFreqFactor { return frequency }
    if wavelength > original / lowFreqFactor { return frequency / factor }
    let smooth = (original / wavelength - lowFreqFactor) / (highFreqFactor - lowFreqFactor)
    return (1 - smooth) * frequency / factor + smooth * frequency
  }
}
