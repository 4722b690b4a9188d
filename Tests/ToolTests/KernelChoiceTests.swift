import Foundation
import Storage
import TestSupport
import Testing

/// Which kernels of OpenBLAS the executables run with.
@Suite struct KernelChoiceTests {
  /// What `imprint-bench step` reports in an environment that `changes` (of `env`) were made to.
  private func kernel(_ changes: String...) throws -> String {
    let folder = try TemporaryFolder()
    let model = folder.file("tiny.imprint")
    let made = try Tool.run("imprint-tools", "convert", TinyModel.folder, model, "--quiet")
    #expect(made.status == 0, "\(made.errors)")
    let result = try Tool.run(
      URL(filePath: "/usr/bin/env"),
      changes + [
        Tool.find("imprint-bench").path, "step", "--model", model, "--context", "8",
        "--query", "10", "--steps", "1", "--json",
      ])
    #expect(result.status == 0, "\(result.errors)")
    let report = try JSONSerialization.jsonObject(with: Data(result.output.utf8))
    return try #require((report as? [String: Any])?["kernel"] as? String)
  }

  @Test func processorsThatOpenBLASDoesNotKnowGetTheirVectors() throws {
    // OpenBLAS chooses when it is loaded, so that a choice can be seen in a new process only.
    let chosen = try kernel("-u", BLAS.kernelVariable)
    let flags = try String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)
    #expect(chosen != "Prescott" || !flags.contains(" avx2 "), "\(chosen)")
  }

  #if arch(x86_64)
    @Test func whatTheEnvironmentAsksForStays() throws {
      #expect(try kernel("\(BLAS.kernelVariable)=Prescott") == "Prescott")
    }
  #endif
}
