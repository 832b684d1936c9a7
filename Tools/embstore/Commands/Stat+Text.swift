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
      if let histogram { add(histogram) }
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
            + "\(byteText(table.idBytes))\(perRow)"
        ),
        ("blocks", "of \(byteText(table.blockSize)), \(counted(table.rowsPerBlock, "row")) each"),
      ], indent: "  ")
  }

  private mutating func add(_ histogram: TableHistograms) {
    guard histogram.rows > 0 else { return }
    func summary(_ name: String, _ value: TableHistograms.Summary, _ decimals: Int) -> String {
      "  \(name): least \(fixed(value.minimum, decimals)), mean "
        + "\(fixed(value.mean, max(2, decimals))), greatest \(fixed(value.maximum, decimals))"
    }
    lines.append(summary("frequency", histogram.frequency, 0))
    lines += bars(
      histogram.frequencies.map { bin in
        let low = grouped(bin.range.lowerBound)
        let label = bin.range.count == 1 ? low : "\(low)-\(grouped(bin.range.upperBound))"
        return (label, bin.count)
      }
    ).map { "    " + $0 }
    lines.append(summary("norm", histogram.norm, 3))
    lines += bars(
      histogram.norms.map { ("\(fixed($0.lower, 2))-\(fixed($0.upper, 2))", $0.count) }
    ).map { "    " + $0 }
    if histogram.nonFiniteRows > 0 {
      lines.append("  \(counted(histogram.nonFiniteRows, "row")) hold NaN or infinity")
    }
  }

  private mutating func add(_ entries: [(String, String)], indent: String) {
    var table = TextTable([("", .left), ("", .left)])
    for (name, value) in entries { table.add([name, value]) }
    lines += table.takeLines(titled: false).map { indent + $0 }
  }
}
