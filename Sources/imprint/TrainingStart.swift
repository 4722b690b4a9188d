import Invocation
import LoRA
import MetaLearning
import Storage

/// What is known of a run before its model is read: the folder, and where it goes on.
struct TrainingStart {
  let folder: RunFolder
  /// Held where there is a folder already.
  let lock: FolderLock?
  /// The last checkpoint, where there is one to go on from.
  let checkpoint: Checkpoint?
  /// What the run is that goes on.
  let old: RunDescription?
  /// Threads: as given, or as the run had them.
  let threads: Int?

  /// Looks into the run folder. Refuses one that holds a run, without `--resume`.
  init(_ options: TrainingOptions) throws {
    folder = RunFolder(path: options.output)
    if !folder.exists, AdapterFile.isFolder(folder.path), !options.dryRun {
      throw Problem("\(folder.path): holds an adapter, which would be lost: use another --output")
    }
    guard options.resume else {
      if folder.exists && !options.dryRun { throw Self.taken(folder) }
      (lock, checkpoint, old, threads) = (nil, nil, nil, options.threads.count)
      return
    }
    lock = try folder.isThere && !options.dryRun ? folder.lock() : nil
    checkpoint = try folder.latestCheckpoint { note("imprint: \($0): passed over") }
    // The folder's own description decides until there is a checkpoint.
    old = try checkpoint?.run ?? (folder.exists ? folder.description() : nil)
    if let old, old.plan == nil {
      throw Problem(
        "--resume: \(folder.path)/config.json: 'plan' is missing: the run is of a version that did "
          + "not write how memory was used; --adapter \(folder.path) starts a new one from its adapter"
      )
    }
    threads = options.threads.count ?? old?.threads
    if checkpoint == nil, !options.quiet {
      note("\(options.output): no checkpoint yet, starting")
    }
  }

  static func taken(_ folder: RunFolder) -> Problem {
    Problem("\(folder.path): holds a run already: use --resume or another --output")
  }
}
