import Llama
import LoRA
import Operations
import Storage
import Weights

/// The way back: from the outer loss to what is trained.
extension MetaGradient {
  /// What the frozen base, without the adapter, would have its head read at every scored row of the
  /// Prompt form (Eq. 8's P_θB); nil for the gold target.
  func teach(_ groups: [TaskGroup]) throws(WeightError) -> Sweep<S>.Teacher? {
    guard let teacherRows else { return nil }
    let questions = groups.flatMap(\.triplets).map { $0.question(prompted: true) }
    let batch = TokenBatch(questions, sharesContexts: cache != nil)
    cache?.reset(capacities: questions.map { $0.cachedTokens(maximum: 0) })
    let scored = teacherRows.rows(0..<batch.lossRows.count)
    try engine.with(teacherWeights) { () throws(WeightError) in
      outer.begin(batch, parameters: ParameterChange(layers: layers))
      try outer.forward(in: cache)
      outer.finalNorm(into: scored)
    }
    return .init(normed: scored, head: teacherWeights.head)
  }

  // MARK: LoRA inner

  /// v is adapter-shaped, and takes the place of φ′ block by block; v − H D v takes that of v in the
  /// same way, one inner step after the other.
  func followAdapter(
    _ innerPlan: GroupedBatch, _ outerPlan: GroupedBatch, into gradient: OuterGradient<S>
  ) throws(WeightError) {
    guard let target = gradient.adapter else { return }
    let sinks = outerPlan.groups.enumerated().map { index, group in
      AdapterSink(
        rows: group.rows, gradient: adapted[lastStep][index], keep: 0, scale: .all(1),
        products: products.isEmpty ? nil : products[index])
    }
    try timed(.outerBackward) { () throws(WeightError) in
      try outer.backward(into: GradientCollector(adapters: sinks))
    }
    for step in (0...lastStep).reversed() {
      followRates(step: step, groups: outerPlan.groups.count, into: gradient.rates)
      guard configuration.order == .second else { continue }
      if step < lastStep { try replay(innerPlan, step: step) }
      try followStep(innerPlan)
    }
    for index in outerPlan.groups.indices {
      let v = adapted[lastStep][index].flat
      if v.pointer == target.flat.pointer { continue }
      engine.workers.split(v.count, grain: 1024) { part, _ in
        Elementwise.add(v.columns(part), into: target.flat.columns(part))
      }
    }
  }

  /// v ← v − H D v at the parameters before an inner step.
  private func followStep(_ plan: GroupedBatch) throws(WeightError) {
    var direction = ParameterChange<S>(layers: layers)
    var sinks: [AdapterSink<S>] = []
    for (index, group) in plan.groups.enumerated() {
      let v = adapted[lastStep][index]
      direction.add(moving: v, scale: adapterRates(1), rows: group.rows)
      sinks.append(AdapterSink(rows: group.rows, gradient: v, scale: .all(-1)))
    }
    try timed(.tangent) { () throws(WeightError) in
      try inner.tangent(along: direction, into: GradientCollector(adapters: sinks))
    }
  }

  /// ∂/∂ρ += −η ⟨v, g⟩ of an inner step, whose −η g is how far it has moved the adapter. Where the
  /// last one has ended v has taken its place; its product with v is at hand.
  private func followRates(step: Int, groups: Int, into gradient: Matrix<S>?) {
    guard let gradient else { return }
    for index in 0..<groups {
      let start = step == 0 ? adapter : adapted[step - 1][index]
      let v = adapted[lastStep][index]
      for (place, entry) in adapter.layout.entries.enumerated() {
        var (down, up) = (0.0, 0.0)
        if step < lastStep {
          let end = adapted[step][index]
          down = Elementwise.dot(v.down(entry), end.down(entry))
          up = Elementwise.dot(v.up(entry), end.up(entry))
        } else {
          down = Double(products[index][0, place])
          up = down
        }
        down -= Elementwise.dot(v.down(entry), start.down(entry))
        up -= Elementwise.dot(v.up(entry), start.up(entry))
        gradient[0, 2 * place] += S(down)
        gradient[0, 2 * place + 1] += S(up)
      }
    }
  }

  /// Brings the inner pass back to where it was before `step`.
  private func replay(_ plan: GroupedBatch, step: Int) throws(WeightError) {
    inner.begin(plan.batch, parameters: innerParameters(plan, step: step))
    try inner.forward()
    if inner.policy.deltas > 0 || inner.policy.head {
      try inner.backward(into: GradientCollector())
    }
  }

  // MARK: Full inner

  /// v is held as factors; only what is trained of v − H D v is collected.
  func followFactors(
    _ innerPlan: GroupedBatch, _ outerPlan: GroupedBatch, into gradient: OuterGradient<S>
  ) throws(WeightError) {
    outerFactors?.begin(groups: outerPlan.groups)
    var collector = gradient.sinks(rows: outerPlan.batch.count, scale: 1)
    collector.factors = outerFactors
    try timed(.outerBackward) { () throws(WeightError) in try outer.backward(into: collector) }
    guard let outerFactors else { return }
    if let rateGradient = gradient.rates {
      followRates(innerPlan, outerFactors, into: rateGradient)
    }
    guard configuration.order == .second else { return }
    var direction = ParameterChange<S>(layers: layers)
    for (index, group) in innerPlan.groups.enumerated() {
      outerFactors.add(
        to: &direction, group: index, rows: group.rows, scored: group.scored
      ) { rates.rate(of: $0) }
    }
    try timed(.tangent) { () throws(WeightError) in
      try inner.tangent(
        along: direction,
        into: gradient.sinks(rows: innerPlan.batch.count, scale: -1))
    }
  }

  /// ∂/∂ρ += −η ⟨v, g⟩ through the factors of both.
  private func followRates(
    _ plan: GroupedBatch, _ outerFactors: FactorStore<S>, into gradient: Matrix<S>
  ) {
    guard let innerFactors else { return }
    for (index, group) in plan.groups.enumerated() {
      var g = ParameterChange<S>(layers: layers)
      var v = ParameterChange<S>(layers: layers)
      innerFactors.add(to: &g, group: index, rows: group.rows, scored: group.scored) { _ in 1 }
      outerFactors.add(to: &v, group: index, rows: group.rows, scored: group.scored) { _ in 1 }
      for key in ParameterKey.all(
        in: engine.weights.architecture, moving: configuration.innerParameters)
      {
        if case .linear(let layer, _) = key {
          g.load(layer, workers: engine.workers)
          v.load(layer, workers: engine.workers)
        }
        gradient[0, rates.place(of: key)] -= rates.rate(of: key) * S(g.innerProduct(v, in: key))
      }
    }
  }
}
