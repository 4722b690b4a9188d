/// Writes tasks as JSON Lines; the file appears when it is complete.
public enum TaskWriter {
  /// Writes `tasks` to `path` as they come. Returns how many there were.
  ///
  /// Throws ``JSONLines/Failure`` where the file cannot be written.
  @discardableResult
  public static func write(
    _ tasks: some Sequence<MetaTask>, to path: String
  ) throws(JSONLines.Failure) -> Int {
    let writer = try prepare(tasks, at: path)
    try writer.commit()
    return writer.count
  }

  /// Writes `tasks` beside `path` as they come; they are there when the writer is committed.
  ///
  /// Throws ``JSONLines/Failure`` where the file cannot be written.
  public static func prepare(
    _ tasks: some Sequence<MetaTask>, at path: String
  ) throws(JSONLines.Failure) -> JSONLinesWriter {
    let writer = try JSONLinesWriter(path: path)
    for task in tasks { try writer.append(task) }
    try writer.flush()
    return writer
  }
}
