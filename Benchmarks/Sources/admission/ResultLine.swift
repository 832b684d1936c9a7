/// One line of output: a JSON object whose fields keep their order.
struct ResultLine {
  private var fields: [(name: String, value: String)] = []

  init(
    _ outcome: Outcome, of variant: Variant, in experiment: some Experiment, seed: UInt64
  ) {
    add("experiment", "\"\(experiment.name)\"")
    add("variant", "\"\(variant.name)\"")
    add("filter", "\"\(variant.filter.rawValue)\"")
    add("threshold", "\(variant.threshold)")
    add("cutoff", "\(variant.cutoff)")
    add("shared_percent", "\(variant.sharedPercent)")
    add("seed", "\(seed)")
    add("ids", "\(experiment.idCount * experiment.tables.count)")
    add("rows", "\(outcome.rows)")
    add("shared_rows", "\(outcome.sharedRows)")
    add("row_bytes", "\(outcome.rowBytes)")
    add("shared_bytes", "\(outcome.sharedBytes)")
    add("state_bytes", "\(outcome.stateBytes)")
    add("file_bytes", "\(outcome.fileBytes)")
    add("train_s", decimal(outcome.seconds))
    add("train_cpu_s", decimal(outcome.processorSeconds))
    for (name, value) in outcome.stored { add(name, decimal(value)) }
    for (name, value) in outcome.live { add("live_" + name, decimal(value)) }
  }

  var text: String {
    "{" + fields.map { "\"\($0.name)\": \($0.value)" }.joined(separator: ", ") + "}"
  }

  private mutating func add(_ name: String, _ value: String) { fields.append((name, value)) }

  /// Six digits behind the point, or null.
  private func decimal(_ value: Double) -> String {
    value.isFinite ? String((value * 1e6).rounded() / 1e6) : "null"
  }
}
