import Weights

extension Trainer {
  /// Which task or text of the step, taken alone, has a loss or a gradient that is not finite.
  func offender() throws(WeightError) -> WeightError {
    let count = skippedSteps == 0 ? "" : ", after \(skippedSteps) skipped steps"
    func error(_ whose: String) -> WeightError {
      WeightError(
        path: "step \(step + 1)", "the loss or its gradient is not finite for \(whose)\(count)")
    }
    for place in placesOfStep().sorted() {
      optimizer.gradient.clear()
      let losses = try losses(of: groups[place])
      if losses.allSatisfy(\.isFinite), isGradientFinite { continue }
      return error(groups[place].numbers(place: place))
    }
    for place in textsOfStep().sorted() {
      optimizer.gradient.clear()
      let text = [LossExample(text: texts[place], weight: 1)]
      let losses = try meta.accumulate(text, into: optimizer.gradient)
      if losses.allSatisfy(\.isFinite), isGradientFinite { continue }
      return error("text \(place + 1)")
    }
    return error("all of it together, for nothing alone")
  }

  /// Every loss of one group; gradient += theirs.
  private func losses(of group: TaskGroup) throws(WeightError) -> [Double] {
    var examples: [LossExample] = []
    var losses: [Double] = []
    if var plain = configuration.finetuning {
      // Whichever form the step has drawn.
      plain.mixesForms = false
      for form in plain.forms { examples += self.examples(of: [group], form, plain) }
    } else {
      losses = try meta.accumulate([group], weight: 1, into: optimizer.gradient).map {
        $0.outerLoss + $0.innerLoss
      }
      if configuration.promptWeight > 0 {
        examples = group.triplets.map { LossExample($0, .prompt, weight: 1) }
      }
    }
    return losses + (try meta.accumulate(examples, into: optimizer.gradient))
  }
}

extension TaskGroup {
  /// Which tasks of its file these are; where none says so, those that `place` groups of as many
  /// come before.
  fileprivate func numbers(place: Int) -> String {
    let given = triplets.compactMap(\.number)
    let first = place * triplets.count + 1
    let numbers =
      given.count == triplets.count ? given : Array(first..<first + triplets.count)
    if numbers.count == 1 { return "task \(numbers[0])" }
    let isRun = zip(numbers, numbers.dropFirst()).allSatisfy { $0 + 1 == $1 }
    return isRun
      ? "tasks \(numbers[0]) to \(numbers[numbers.count - 1])"
      : "tasks " + numbers.map(String.init).joined(separator: ", ")
  }
}
