import MetaLearning

/// How memory grows with the adapter: a least-squares line through the measurements of one variant,
/// context and K, over the ranks.
public struct MemoryRankFit: Sendable {
  /// What a trained adapter takes at the least in f32: parameter, gradient and two moments, and
  /// half a byte for all else that grows with the rank.
  public static let target = 16.5

  /// The measurements' variant.
  public let variant: String
  /// Tokens of their contexts.
  public let contextTokens: Int
  /// Contexts that share one inner step.
  public let contextsPerUpdate: Int
  /// How many ranks there are.
  public let ranks: Int
  /// Bytes of RssAnon per adapter parameter.
  public let bytesPerParameter: Double
  /// Bytes of RssAnon where the line meets no adapter.
  public let intercept: Double
  /// The largest distance of a measurement from the line, as a share of the measurement.
  public let largestResidual: Double
  /// The same slope of each of the plan's components, largest first, where it is above 0.005.
  public let planned: [(component: String, bytesPerParameter: Double)]

  /// One line for every variant, context and K with at least two ranks at the leanest plan.
  public static func fits(_ measurements: [TrainingMeasurement]) -> [MemoryRankFit] {
    let lean = measurements.filter {
      $0.isMeasured && $0.training.budget == nil && $0.training.outer == .lora
    }
    struct Key: Hashable, Comparable {
      var variant: String
      var context: Int
      var together: Int

      static func < (a: Key, b: Key) -> Bool {
        (a.variant, a.context, a.together) < (b.variant, b.context, b.together)
      }
    }
    let groups = Dictionary(grouping: lean) {
      Key(
        variant: $0.training.variant, context: $0.training.contextTokens,
        together: $0.training.contextsPerUpdate)
    }
    return groups.sorted { $0.key < $1.key }.compactMap { key, rows in
      guard Set(rows.map(\.adapterParameters)).count > 1 else { return nil }
      return MemoryRankFit(
        rows, variant: key.variant, contextTokens: key.context, contextsPerUpdate: key.together)
    }
  }

  private init(
    _ rows: [TrainingMeasurement], variant: String, contextTokens: Int, contextsPerUpdate: Int
  ) {
    let x = rows.map { Double($0.adapterParameters) }
    let y = rows.map { Double($0.peakAnonymous) }
    let line = Self.line(x, y)
    self.variant = variant
    self.contextTokens = contextTokens
    self.contextsPerUpdate = contextsPerUpdate
    ranks = rows.count
    bytesPerParameter = line.slope
    intercept = line.intercept
    largestResidual =
      zip(x, y).map { abs(line.intercept + line.slope * $0 - $1) / $1 }.max() ?? 0
    planned = Set(rows.flatMap(\.plan.keys)).map { component in
      (component, Self.line(x, rows.map { Double($0.plan[component] ?? 0) }).slope)
    }.filter { $0.1 > 0.005 }.sorted { ($0.1, $1.0) > ($1.1, $0.0) }
  }

  /// The least-squares line through points of at least two different x.
  static func line(_ x: [Double], _ y: [Double]) -> (slope: Double, intercept: Double) {
    let count = Double(x.count)
    let (meanX, meanY) = (x.reduce(0, +) / count, y.reduce(0, +) / count)
    let covariance = zip(x, y).reduce(0) { $0 + ($1.0 - meanX) * ($1.1 - meanY) }
    let slope = covariance / x.reduce(0) { $0 + ($1 - meanX) * ($1 - meanX) }
    return (slope, meanY - slope * meanX)
  }
}
