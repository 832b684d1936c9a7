import Machine

/// One line of output: a JSON object whose fields keep their order.
struct ResultLine {
  private var fields: [(name: String, value: String)] = []

  init(_ workload: Workload, _ options: RunOptions) {
    self["workload"] = workload.rawValue
    self["engine"] = "embeddingstore"
    self["threads"] = options.threads
  }

  subscript(name: String) -> String {
    get { fields.last { $0.name == name }?.value ?? "" }
    set { fields.append((name, "\"\(newValue)\"")) }
  }

  subscript(name: String) -> Int {
    get { 0 }
    set { fields.append((name, "\(newValue)")) }
  }

  subscript(name: String) -> Bool {
    get { false }
    set { fields.append((name, "\(newValue)")) }
  }

  subscript(name: String) -> Double {
    get { 0 }
    set { fields.append((name, decimal(newValue))) }
  }

  /// Adds what every result tells of its circumstances, and prints the line.
  mutating func print(checked: Bool, usage: Usage) {
    self["checked"] = checked
    self["load_average"] = loadAverage()
    self["cpu_cores_used"] = usage.coresUsed
    self["peak_resident_mib"] = peakResidentBytes() >> 20
    Swift.print("{" + fields.map { "\"\($0.name)\": \($0.value)" }.joined(separator: ", ") + "}")
  }
}

/// Six digits behind the point, or null.
private func decimal(_ value: Double) -> String {
  guard value.isFinite else { return "null" }
  return String((value * 1e6).rounded() / 1e6)
}

/// The processor time taken from a moment on.
struct Usage {
  private let start = (seconds(), processorSeconds())
  private var end = (0.0, 0.0)

  /// Ends the interval.
  mutating func stop() { end = (seconds(), processorSeconds()) }

  /// Processors that were at work on average.
  var coresUsed: Double { (end.1 - start.1) / (end.0 - start.0) }
}

extension [Double] {
  /// The middle value.
  var median: Double { quantile(0.5) }

  /// The value that a share `q` of all do not exceed.
  func quantile(_ q: Double) -> Double {
    guard !isEmpty else { return .nan }
    let rank = Int((Double(count) * q).rounded(.up)) - 1
    return sorted()[Swift.min(Swift.max(rank, 0), count - 1)]
  }
}
