import Storage
import Testing
import Watching

/// What a terminal or a file gets, at times that the test decides.
private final class Screen: Sendable {
  struct State {
    var text = ""
    var seconds = 0.0
    var columns: Int?
  }

  let state: Locked<State>

  init(columns: Int?) { state = Locked(State(columns: columns)) }

  var output: ProgressLine.Output {
    let start = ContinuousClock.now
    return ProgressLine.Output(
      columns: { self.state.withLock { $0.columns } },
      write: { text in self.state.withLock { $0.text += text } },
      now: { start + .seconds(self.state.withLock { $0.seconds }) })
  }

  func wait(_ seconds: Double) { state.withLock { $0.seconds += seconds } }

  func taken() -> String {
    state.withLock { state in
      defer { state.text = "" }
      return state.text
    }
  }
}

@Suite(.serialized) struct ProgressLineTests {
  @Test func aTerminalsLineIsWrittenOverAndNeverWraps() {
    let screen = Screen(columns: 20)
    var line = ProgressLine(quiet: false, output: screen.output)
    line.show("step 1")
    #expect(screen.taken() == "\rstep 1\u{1b}[K")
    screen.wait(1)
    line.show("step 2/80  loss 6.1002  grad 26.98\nand more")
    #expect(screen.taken() == "\rstep 2/80  loss 6.…\u{1b}[K")
    screen.state.withLock { $0.columns = 30 }
    screen.wait(1)
    line.show("step 3/80  loss 6.1002  grad 26.98")
    #expect(screen.taken() == "\rstep 3/80  loss 6.1002  grad…\u{1b}[K")
    line.finish()
    line.finish()
    #expect(screen.taken() == "\n")
  }

  @Test func aTerminalIsNotFlooded() {
    let screen = Screen(columns: 80)
    var line = ProgressLine(quiet: false, output: screen.output)
    var made = 0
    for _ in 0..<100 {
      line.show(
        {
          made += 1
          return "x"
        }())
      screen.wait(0.01)
    }
    // A second has ten redraws; rounding of the clock may add one.
    #expect((9...11).contains(made))
    _ = screen.taken()
    line.show("the last", matters: true)
    #expect(screen.taken().contains("the last"))
    line.clear()
    #expect(screen.taken() == "\r\u{1b}[K")
  }

  @Test func elsewhereThereAreLinesNowAndThen() {
    let screen = Screen(columns: nil)
    var line = ProgressLine(quiet: false, output: screen.output)
    var count = 0
    for second in 0..<900 {
      line.show("second \(second)")
      let text = screen.taken()
      count += text.isEmpty ? 0 : 1
      #expect(!text.contains("\r") && !text.contains("\u{1b}"))
      screen.wait(1)
    }
    // Every ten seconds for five minutes, every minute for ten.
    #expect(count == 40)
    line.show("end", matters: true)
    #expect(screen.taken() == "end\n")
    line.finish()
    #expect(screen.taken().isEmpty)
  }

  @Test func aDelayKeepsShortWorkSilent() {
    let screen = Screen(columns: nil)
    var line = ProgressLine(quiet: false, delay: .seconds(10), output: screen.output)
    line.show("verifying 3 %")
    #expect(screen.taken().isEmpty)
    screen.wait(11)
    line.show("verifying 60 %")
    #expect(screen.taken() == "verifying 60 %\n")
  }

  @Test func verboseWritesEveryLine() {
    let screen = Screen(columns: 80)
    var line = ProgressLine(quiet: false, verbose: true, output: screen.output)
    for step in 1...3 { line.show("step \(step)") }
    line.finish()
    #expect(screen.taken() == "step 1\nstep 2\nstep 3\n")
  }

  @Test func quietIsSilent() {
    let screen = Screen(columns: 80)
    var line = ProgressLine(quiet: true, output: screen.output)
    line.show("x", matters: true)
    line.finish()
    #expect(screen.taken().isEmpty)
  }
}
