import Embeddings
import Glibc

/// The state of a database for people.
struct StatText {
  private(set) var lines: [String] = []

  init(_ found: DatabaseReport, _ histograms: [TableHistograms?]) {
    let storage = found.storage
    let pages = storage.usedPages + storage.freePages
    let share = Double(storage.freePages) / Double(max(1, pages)) * 100
    var entries = [
      ("database", found.path),
      ("at", "\(found.lastCommit), commit \(grouped(found.generation))"),
      ("file", "\(byteText(storage.fileSize)), format version \(found.formatVersion)"),
      (
        "pages",
        "\(grouped(storage.usedPages)) used, \(grouped(storage.freePages)) free "
          + "(\(fixed(share, 0)) %), \(byteText(storage.pageSize)) each"
      ),
      ("readers", readers(storage)),
      ("library", storage.libraryVersion),
    ]
    if found.tables.isEmpty { entries.append(("tables", "none; make one with 'embstore create'")) }
    add(entries, indent: "")
    for (table, histogram) in zip(found.tables, histograms) {
      lines.append("")
      add(table)
      if let histogram { lines += Self.lines(histogram) }
    }
  }

  private func readers(_ storage: StorageReport) -> String {
    // This process's own slot says nothing of others.
    let processes = Set(storage.readers.map(\.process)).subtracting([getpid()])
    let others =
      switch processes.count {
      case 0: "no other process"
      case 1: "1 other process"
      default: "\(processes.count) other processes"
      }
    let lag = storage.oldestReaderLag
    return "\(others); of \(grouped(storage.maximumReaders)) slots"
      + (lag > 0 ? "; the oldest lags \(counted(lag, "commit")) behind" : "")
  }

  private mutating func add(_ table: TableReport) {
    let configuration = table.configuration
    let perRow =
      table.rows > 0 ? ", \(byteText(table.bytesOnDisk / table.rows)) a row" : ""
    lines.append("table \(table.name)")
    var evictions: [(String, String)] = []
    if let policy = configuration.eviction {
      evictions.append(
        (
          "policy",
          "every \(counted(Int(policy.everySteps), "step")): evict \(policy.rule ?? .nothing)"
            + (policy.frequencyDecay.map { "; frequencies decay by \($0)" } ?? "")
            + "; last at step \(table.lastEvictionStep ?? 0)"
        ))
    }
    if table.evictedRows > 0 || configuration.eviction != nil {
      evictions.append(("evicted", "\(grouped(table.evictedRows)) rows in all"))
    }
    add(
      [
        ("rows", "\(grouped(table.rows)), \(grouped(table.totalFrequency)) updates in all"),
        ("ids", configuration.idType.description),
        (
          "dimension",
          "\(configuration.dimension), and \(counted(configuration.slotCount, "optimizer slot"))"
        ),
        ("initializer", "\(configuration.initializer), seed \(configuration.seed)"),
        ("optimizer", configuration.optimizer.shown),
        (
          "on disk",
          "\(byteText(table.bytesOnDisk)): rows \(byteText(table.blockBytes)), ids "
            + "\(byteText(table.idBytes)), for deltas \(byteText(table.stateBytes))\(perRow)"
        ),
        ("blocks", "of \(byteText(table.blockSize)), \(counted(table.rowsPerBlock, "row")) each"),
      ] + (table.life.map { life($0, configuration) } ?? []) + evictions, indent: "  ")
  }

  /// The stages in the life of an id.
  private func life(
    _ life: LifeReport, _ configuration: TableConfiguration
  ) -> [(String, String)] {
    var entries = [("rows for", configuration.shownLife)]
    if let counted = life.counted { entries.append(("seen", "\(grouped(counted)) ids counted")) }
    entries.append(("admitted", "\(grouped(life.admitted)) ids"))
    if let promoted = life.promoted {
      entries += [
        ("probation", "\(counted(life.onProbation, "row")) in memory"),
        ("promoted", grouped(promoted)), ("forgotten", grouped(life.forgotten)),
      ]
    }
    if let shared = life.shared {
      entries.append(("shared", "\(grouped(shared.used)) of \(counted(shared.total, "row")) used"))
    }
    if let filter = life.filter {
      let rate =
        filter.expectedIDs.map {
          ", false positives \(fixed(filter.falsePositiveRate * 100, 3)) %, for \(grouped($0)) ids"
            + (filter.layers > 1
              ? "; \(counted(filter.layers - 1, "layer")) added, since more came" : "")
        } ?? ""
      entries.append(
        ("filter", "\(byteText(filter.bytes)), \(fixed(filter.fill * 100, 1)) % full\(rate)"))
    }
    return entries
  }

  /// Histograms as text, indented.
  static func lines(_ histogram: TableHistograms) -> [String] {
    guard histogram.rows > 0 else { return [] }
    var lines: [String] = []
    func whole(_ value: Double) -> String { grouped(UInt64(exactly: value) ?? .max) }
    let (frequency, norm) = (histogram.frequency, histogram.norm)
    lines.append(
      "  frequency: least \(whole(frequency.minimum)), mean \(fixed(frequency.mean, 2)), "
        + "greatest \(whole(frequency.maximum))")
    lines += bars(
      histogram.frequencies.map { bin in
        let low = grouped(bin.range.lowerBound)
        let label =
          bin.range.lowerBound == bin.range.upperBound
          ? low : "\(low)-\(grouped(bin.range.upperBound))"
        return (label, bin.count)
      }
    ).map { "    " + $0 }
    lines.append(
      "  norm: least \(fixed(norm.minimum, 3)), mean \(fixed(norm.mean, 3)), greatest "
        + fixed(norm.maximum, 3))
    lines += bars(
      histogram.norms.map { ("\(fixed($0.lower, 2))-\(fixed($0.upper, 2))", $0.count) }
    ).map { "    " + $0 }
    if histogram.nonFiniteRows > 0 {
      lines.append("  NaN or infinity in \(counted(histogram.nonFiniteRows, "row"))")
    }
    return lines
  }

  private mutating func add(_ entries: [(String, String)], indent: String) {
    var table = TextTable([("", .left), ("", .left)])
    for (name, value) in entries { table.add([name, value]) }
    lines += table.takeLines(titled: false).map { indent + $0 }
  }
}
