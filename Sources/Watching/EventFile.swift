import Foundation
public import MetaLearning
public import Storage

/// A file that TensorBoard reads: scalars with their step and wall time.
///
/// One file in the run folder, `events.out.tfevents.SECONDS.imprint`. It is appended to record by
/// record, across resumed runs too: then a record tells TensorBoard to forget the steps that are done
/// again. Sources: TensorFlow, `event.proto` and `summary.proto`.
public final class EventFile {
  /// Where it is.
  public let path: String
  private let handle: FileHandle
  private let now: () -> Double

  /// The event file of the run folder `folder`, made where there is none, for a run that goes on
  /// after `step` steps. `now` gives the wall time in seconds since 1970, by default the clock's.
  ///
  /// A last record that was not written whole is cut off. Throws ``FileError`` where the file
  /// cannot be written or a record in it is damaged.
  public init(
    folder: String, after step: Int,
    now: (() -> Double)? = nil
  ) throws(FileError) {
    let now = now ?? { Date().timeIntervalSince1970 }
    self.now = now
    let old = Self.find(in: folder)
    path = old ?? "\(folder)/\(Self.prefix)\(String(format: "%010d", Int(now()))).imprint"
    if old == nil, !FileManager.default.createFile(atPath: path, contents: nil) {
      throw FileError(path: path, "cannot be made")
    }
    guard let handle = FileHandle(forUpdatingAtPath: path) else {
      throw FileError(path: path, "cannot be opened for writing")
    }
    self.handle = handle
    let isEmpty = try repair()
    if isEmpty { try append(Self.version(wallTime: now())) }
    if !isEmpty { try append(Self.restart(step: step + 1, wallTime: now())) }
  }

  /// The event file of a run, where one is `wanted` or the run has one already.
  ///
  /// Throws ``FileError`` as ``init(folder:after:now:)``.
  public static func open(
    run folder: String, wanted: Bool, after step: Int
  ) throws(FileError) -> EventFile? {
    guard wanted || find(in: folder) != nil else { return nil }
    return try EventFile(folder: folder, after: step)
  }

  /// Appends what a training step has done. Throws ``FileError`` where it cannot be written.
  public func append(_ metrics: StepMetrics) throws(FileError) {
    let values = MetricsLog.numbers(of: metrics)
    try append(
      values.keys.sorted().filter { $0 != "step" }.map { key in
        let tag = Self.tag(of: key)
        return (tag.name, (values[key] ?? 0) * tag.factor)
      }, step: metrics.step)
  }

  /// Appends what held-out tasks have given. Throws ``FileError`` where it cannot be written.
  public func append(_ metrics: HeldOutMetrics) throws(FileError) {
    let values = MetricsLog.numbers(of: metrics)
    try append(
      values.keys.sorted().filter { $0 != "step" }.map { ("held_out/" + $0, values[$0] ?? 0) },
      step: metrics.step)
  }

  /// Appends scalars by tag. Throws ``FileError`` where they cannot be written.
  public func append(_ scalars: [(tag: String, value: Double)], step: Int) throws(FileError) {
    var summary = ProtobufMessage()
    for (tag, number) in scalars {
      var value = ProtobufMessage()
      value.append(1, string: tag)
      value.append(2, float: Float(number))
      summary.append(1, message: value)
    }
    var event = Self.event(step: step, wallTime: now())
    event.append(5, message: summary)
    try append(event)
  }

  /// The tag of a number of `metrics.jsonl`: losses and memory (in MiB) have groups of their own.
  static func tag(of key: String) -> (name: String, factor: Double) {
    if key.hasSuffix("_loss") { return ("loss/" + key.dropLast(5), 1) }
    if key.hasSuffix("_bytes") { return ("memory/" + key.dropLast(6) + "_mib", 1 / 1_048_576) }
    return ("step/" + key, 1)
  }

  private static let prefix = "events.out.tfevents."

  /// The newest event file in `folder`.
  private static func find(in folder: String) -> String? {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.filter { $0.hasPrefix(prefix) }.max().map { "\(folder)/\($0)" }
  }

  private static func event(step: Int?, wallTime: Double) -> ProtobufMessage {
    var event = ProtobufMessage()
    event.append(1, double: wallTime)
    if let step { event.append(2, varint: UInt64(step)) }
    return event
  }

  /// The first record of a file.
  private static func version(wallTime: Double) -> ProtobufMessage {
    var event = event(step: nil, wallTime: wallTime)
    event.append(3, string: "brain.Event:2")
    return event
  }

  /// `SessionLog.START`: readers forget what they have of `step` and later.
  private static func restart(step: Int, wallTime: Double) -> ProtobufMessage {
    var log = ProtobufMessage()
    log.append(1, varint: 1)
    var event = event(step: step, wallTime: wallTime)
    event.append(7, message: log)
    return event
  }

  private func append(_ event: ProtobufMessage) throws(FileError) {
    do {
      try handle.write(contentsOf: Data(RecordFrame.frame(event.bytes)))
    } catch {
      throw FileError(path: path, "cannot be written: \(error.localizedDescription)")
    }
  }

  /// Cuts off a torn last record and goes to the end. Returns whether nothing is left.
  private func repair() throws(FileError) -> Bool {
    var count: UInt64 = 0
    do {
      let data = try handle.readToEnd() ?? Data()
      count = UInt64(data.count)
      _ = try RecordFrame.records([UInt8](data))
    } catch let damage as RecordFrame.Damage {
      switch damage {
      case .torn(let offset): count = UInt64(offset)
      case .checksum(let offset):
        throw FileError(
          path: path, "record at byte \(offset): the checksum differs: move the file away")
      }
    } catch {
      throw FileError(path: path, "cannot be read: \(error.localizedDescription)")
    }
    do {
      try handle.truncate(atOffset: count)
      try handle.seek(toOffset: count)
    } catch {
      throw FileError(path: path, "cannot be written: \(error.localizedDescription)")
    }
    return count == 0
  }
}
