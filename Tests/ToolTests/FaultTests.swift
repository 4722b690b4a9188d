import Foundation
import MetaLearning
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// What the system does to a run: each time one line, and the last checkpoint as it was.
@Suite(.serialized) struct FaultTests {
  let training: TinyTraining
  let run: String

  init() throws {
    training = try TinyTraining()
    run = training.folder.file("run")
  }

  private func start(_ run: String, shell: String = "") throws -> RunningTool {
    let tool = try RunningTool(
      "imprint",
      training.arguments(run, steps: 1_000_000, ["--quiet", "--save-every", "2"]), shell: shell)
    tool.wait { RunFolder(path: run).checkpointSteps.first ?? 0 >= 4 }
    return tool
  }

  /// One line that names `path` and says `why`; a checkpoint that is whole.
  private func expect(
    _ result: Tool.Result, _ path: String, _ why: String, checkpoint: Bool = true,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    #expect(result.status == 1, sourceLocation: sourceLocation)
    #expect(
      result.errors.hasPrefix("imprint") && result.errors.contains(path)
        && result.errors.contains(why) && result.errors.split(separator: "\n").count == 1,
      "\(result.errors)", sourceLocation: sourceLocation)
    if checkpoint {
      #expect(
        try RunFolder(path: run).latestCheckpoint() != nil, sourceLocation: sourceLocation)
    }
  }

  @Test func aModelThatIsTruncatedWhileItIsMapped() throws {
    let tool = try start(run)
    truncate(training.model, 4096)
    try expect(tool.finish(), training.model, "made shorter while it was in use")
    #expect(TinyTraining.leftovers(run).isEmpty)
  }

  @Test func aSourceThatIsTruncatedWhileItIsConverted() throws {
    let big = try BigModel(training.folder)
    let out = training.folder.file("out")
    let tool = try RunningTool("imprint-tools", ["convert", big.folder, out, "--level", "high"])
    tool.wait { !TinyTraining.leftovers(training.folder.path).isEmpty }
    truncate(big.folder + "/model.safetensors", 4096)
    let result = tool.finish()
    // A slow test may come too late, when the source has been read.
    if result.status == 0 { return }
    try expect(result, "model.safetensors", "made shorter", checkpoint: false)
    #expect(!FileManager.default.fileExists(atPath: out))
    #expect(TinyTraining.leftovers(training.folder.path).isEmpty)
  }

  @Test func aRunFolderThatVanishes() throws {
    let tool = try start(run)
    try FileManager.default.moveItem(atPath: run, toPath: run + ".moved")
    let result = tool.finish()
    try FileManager.default.moveItem(atPath: run + ".moved", toPath: run)
    try expect(result, run, "No such file or directory")
  }

  /// A limit of the size of files, which the system tells by a signal first.
  @Test func aFileThatIsTooLarge() throws {
    let tool = try start(run, shell: "ulimit -f 100;")
    try expect(tool.finish(), run, "cannot be written: File too large")
  }

  /// OpenBLAS asks for 128 MiB of addresses a thread, and for ever where it is refused them: we have
  /// to be the first to be refused something.
  @Test(arguments: [0, 1]) func memoryThatTheSystemRefuses(libraryThreads: Int) throws {
    let tool = try RunningTool(
      "imprint", training.arguments(run, steps: 4, ["--quiet", "--rank", "4096"]),
      shell: "\(libraryThreads == 1 ? "export OPENBLAS_NUM_THREADS=1;" : "") ulimit -v 400000;")
    let result = tool.finish()
    try expect(result, "the system has no", "bytes for", checkpoint: false)
  }

  static let canMount: Bool = {
    let probe = NSTemporaryDirectory() + "imprint-mount-\(getpid())"
    mkdir(probe, 0o755)
    defer { rmdir(probe) }
    let mounted = mount("tmpfs", probe, "tmpfs", 0, "size=64k") == 0
    if mounted { umount(probe) }
    return mounted
  }()

  /// A disk of 400 KiB that fills up while a run goes on; then it is emptied, and the run ends as
  /// if nothing had happened.
  @Test(.enabled(if: canMount, "file systems cannot be mounted here"))
  func aDiskThatIsFull() throws {
    let disk = training.folder.file("disk")
    mkdir(disk, 0o755)
    #expect(mount("tmpfs", disk, "tmpfs", 0, "size=400k") == 0)
    defer { umount2(disk, Int32(MNT_DETACH)) }
    let run = disk + "/run"
    let steps = 400
    let whole = training.folder.file("whole")
    #expect(try training.train(whole, steps: steps, "--quiet").status == 0)
    let tool = try RunningTool(
      "imprint", training.arguments(run, steps: steps, ["--quiet", "--save-every", "1"]))
    tool.wait { TinyTraining.steps(run) >= 2 }
    tool.send(SIGSTOP)
    let junk = disk + "/junk"
    let full = try Tool.run(
      URL(filePath: "/bin/dd"), ["if=/dev/zero", "of=\(junk)", "bs=1k"])
    #expect(full.status != 0)
    tool.send(SIGCONT)
    let result = tool.finish()
    #expect(result.status == 1)
    #expect(result.errors.contains("cannot be written: No space left on device"))
    #expect(result.errors.split(separator: "\n").count == 1)
    #expect(try RunFolder(path: run).latestCheckpoint() != nil)
    #expect(TinyTraining.leftovers(run).isEmpty)
    // What is not written yet does not replace what is.
    let old = try Tool.run("imprint-tools", "convert", TinyModel.folder, disk + "/model")
    #expect(old.status == 1 && old.errors.contains("No space left on device"))
    #expect(!FileManager.default.fileExists(atPath: disk + "/model"))
    unlink(junk)
    let resumed = try Tool.run("imprint", training.arguments(run, steps: steps, ["--resume"]))
    #expect(resumed.status == 0, "\(resumed.errors)")
    #expect(try TinyTraining.adapter(run) == TinyTraining.adapter(whole))
    #expect(TinyTraining.steps(run) == steps)
  }

  @Test(.enabled(if: canMount, "file systems cannot be mounted here"))
  func aDiskThatIsReadOnly() throws {
    let disk = training.folder.file("disk")
    mkdir(disk, 0o755)
    #expect(mount("tmpfs", disk, "tmpfs", UInt(MS_RDONLY), "size=64k") == 0)
    defer { umount2(disk, Int32(MNT_DETACH)) }
    let why = "Read-only file system"
    let trained = try training.train(disk + "/run", steps: 2)
    try expect(trained, disk, why, checkpoint: false)
    for (tool, arguments) in [
      ("imprint-tools", ["convert", TinyModel.folder, disk + "/model"]),
      ("imprint", ["data", "reversal-curse", "--train", "3", "--test", "1", "--out", disk]),
    ] {
      let result = try Tool.run(tool, arguments)
      try expect(result, disk, why, checkpoint: false)
    }
  }
}
