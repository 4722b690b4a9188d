import ArgumentParser
import Foundation
import Storage
import Watching

extension ProgressLine {
  /// A line of a tool that is done in seconds or minutes: nothing away from a terminal until ten
  /// seconds have passed.
  init(quiet: Bool) { self.init(quiet: quiet, delay: .seconds(10)) }

  /// Shows how much is done.
  mutating func show(_ what: String, _ done: Int, _ total: Int) {
    show("\(what) \(total == 0 ? 100 : done * 100 / total) %")
  }
}

func rounded(_ value: Double, _ digits: Int) -> String {
  String(format: "%.\(digits)f", value)
}

func padded(_ text: String, _ width: Int) -> String {
  text.count >= width ? text : text + String(repeating: " ", count: width - text.count)
}
