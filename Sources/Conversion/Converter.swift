import Storage
public import Weights

/// Copies a model into a weight file, a piece at a time.
public struct Converter {
  /// Where the file will be.
  public var output: String
  /// How much time compression may take.
  public var level: CompressionLevel

  /// What a conversion has done.
  public struct Summary: Sendable {
    /// How many tensors were written.
    public var tensors: Int
    /// Bytes in the file and before compression.
    public var written: WriteSummary
    /// Whether the file has a tokenizer.
    public var hasTokenizer: Bool
    /// The largest anonymous resident memory that was seen, in bytes, looked at after every mebibyte.
    public var peakAnonymous: Int
  }

  /// A converter to `output`.
  public init(output: String, level: CompressionLevel = .fast) {
    self.output = output
    self.level = level
  }

  /// Writes `source`. `progress` is called with bytes done, of all.
  ///
  /// Throws ``WeightError`` where the source is damaged, the output cannot be written or is one of
  /// the source's files; then the output is what it was.
  public func convert(
    _ source: any ModelSource, progress: (_ done: Int, _ total: Int) -> Void = { _, _ in }
  ) throws(WeightError) -> Summary {
    do throws(FileError) {
      try FileIdentity.refuse(output, among: source.paths)
    } catch {
      throw WeightError(path: error.path, error.problem)
    }
    var peak = MemoryUsage.current.anonymous
    let tokenizer = try source.tokenizer()
    peak = max(peak, MemoryUsage.current.anonymous)
    let tensors = source.tensors
    let total = tensors.reduce(0) { $0 + $1.description.rows * $1.description.rowBytes }
    let writer = try WeightFileWriter(
      path: output, architecture: source.architecture, tokenizer: tokenizer,
      tensors: tensors.map(\.description), level: level)
    var done = 0
    var measured = 0
    for tensor in tensors {
      try tensor.stream { rows throws(WeightError) in
        try writer.append(rows)
        done += rows.count
        if done - measured >= 1 << 20 || done == total {
          peak = max(peak, MemoryUsage.current.anonymous)
          measured = done
        }
        progress(done, total)
      }
    }
    let written = try writer.finish()
    return Summary(
      tensors: tensors.count, written: written, hasTokenizer: tokenizer != nil,
      peakAnonymous: max(peak, MemoryUsage.current.anonymous))
  }
}
