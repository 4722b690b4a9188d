import MetaLearning

extension Results {
  /// The picture: a panel for each data set, a group of bars for each variant.
  var chart: BarChart? {
    guard let picture = experiment.picture, !rows.isEmpty else { return nil }
    let panels = data.map { set in
      BarChart.Panel(
        title: set.title, subtitle: measure(set),
        groups: variants(on: set.name).map { variant in
          BarChart.Group(
            title: rowTitle(variant, set),
            bars: picture.bars.map { bar in
              estimate(bar.path, variant.name, set).map {
                let error = $0.estimate.standardError
                return BarChart.Bar(value: $0.estimate.mean, error: error.isNaN ? 0 : error)
              }
            })
        })
    }
    return BarChart(
      title: picture.title.isEmpty ? experiment.title : picture.title,
      note: isSmoke
        ? "A smoke run: numbers mean nothing."
        : "Model: \(plan.model.split(separator: "/").last ?? ""). Whiskers: ± one standard error.",
      series: picture.bars.map(\.title), panels: panels,
      isShare: picture.bars.allSatisfy { bar in data.allSatisfy { Self.isShare(bar.path, $0) } })
  }
}
