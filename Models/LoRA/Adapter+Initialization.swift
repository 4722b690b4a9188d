import Storage

extension AdapterTensors {
  /// PEFT's initialisation: A uniform in ±1/√in (Kaiming with a = √5), B zero.
  ///
  /// The same seed gives the same numbers, for any number of threads.
  public func initialize(seed: UInt64) {
    flat.fill(0)
    var generator = SplitMix64(seed: seed)
    for entry in layout.entries {
      let bound = 1 / Double(entry.input).squareRoot()
      let down = down(entry)
      for index in 0..<down.count {
        down.pointer[index] = S((generator.uniform() * 2 - 1) * bound)
      }
    }
  }
}
