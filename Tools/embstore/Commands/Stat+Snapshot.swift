import Embeddings

extension Stat {
  /// Shows what a snapshot says of itself, what its columns cost, and unless that was not wanted or it
  /// is a delta, how its rows are spread.
  func showSnapshot() throws {
    let reader = try SnapshotReader(path: database.database)
    let (snapshot, found) = (reader.description, try reader.statistics())
    var option = TableOption()
    option.table = table
    try option.check(snapshot, path: database.database)
    let histograms =
      quick || snapshot.isDelta
      ? nil : try SnapshotStore(database.database).histograms(normBins: bins)
    var out = Output()
    if output.json {
      let members = histograms.map { StatJSON.members($0) } ?? []
      try out.line(JSON.object(try json(reader, snapshot, found) + members).pretty)
    } else {
      for line in try text(reader, snapshot, found) { try out.line(line) }
      for line in histograms.map({ StatText.lines($0) }) ?? [] { try out.line(line) }
    }
    try out.flush()
  }

  private func text(
    _ reader: SnapshotReader, _ snapshot: SnapshotDescription, _ found: SnapshotStatistics
  ) throws -> [String] {
    let configuration = try snapshot.configuration()
    let slots =
      snapshot.includesSlots || snapshot.slotCount == 0
      ? "and \(counted(snapshot.slotCount, "optimizer slot"))"
      : "without the \(counted(snapshot.slotCount, "optimizer slot"))"
    var entries = TextTable([("", .left), ("", .left)])
    entries.add([snapshot.isDelta ? "delta" : "snapshot", reader.path])
    entries.add(["table", snapshot.table])
    entries.add(["at", "\(snapshot.point), commit \(grouped(snapshot.generation))"])
    entries.add(["identity", snapshot.identity.description])
    if let base = snapshot.base { entries.add(["applies to", base.description]) }
    entries.add(["rows", grouped(reader.rowCount)])
    if snapshot.isDelta { entries.add(["deletions", grouped(reader.deletionCount)]) }
    entries.add(["ids", snapshot.idType.description])
    entries.add(["dimension", "\(snapshot.dimension), \(slots)"])
    entries.add([
      "encoding", "\(snapshot.encoding)\(snapshot.isLossy ? ", which is not exact" : "")",
    ])
    entries.add(["initializer", "\(configuration.initializer), seed \(configuration.seed)"])
    entries.add(["optimizer", configuration.optimizer.shown])
    entries.add([
      "file",
      "\(byteText(found.fileBytes)): \(counted(found.blockCount, "block")), index "
        + byteText(found.indexBytes),
    ])
    var columns = TextTable([
      ("column", .left), ("stored", .right), ("of", .right), ("", .right),
    ])
    for column in found.columns where column.valueBytes > 0 {
      columns.add([
        column.name, byteText(column.storedBytes), byteText(column.valueBytes),
        "\(fixed(column.ratio * 100, 1)) %",
      ])
    }
    return entries.takeLines(titled: false) + [""] + columns.takeLines(titled: true)
  }

  private func json(
    _ reader: SnapshotReader, _ snapshot: SnapshotDescription, _ found: SnapshotStatistics
  ) throws -> [(String, JSON)] {
    [
      ("snapshot", .string(reader.path)), ("table", .string(snapshot.table)),
      ("identity", .string(snapshot.identity.description)),
      ("step", .integer(snapshot.point.step)), ("batches", .unsigned(snapshot.point.batches)),
      ("commits", .unsigned(snapshot.generation)), ("rows", .unsigned(reader.rowCount)),
      ("deletions", .unsigned(reader.deletionCount)),
      (
        "base",
        .optional(snapshot.base) { $0.json }
      ),
      ("configuration", try snapshot.configuration().json),
      ("encoding", .string(snapshot.encoding.description)),
      ("includes_slots", .bool(snapshot.includesSlots)),
      ("file_bytes", .unsigned(found.fileBytes)), ("index_bytes", .unsigned(found.indexBytes)),
      ("section_bytes", .unsigned(found.sectionBytes)), ("blocks", .integer(found.blockCount)),
      (
        "columns",
        .array(
          found.columns.map {
            .object([
              ("name", .string($0.name)), ("stored_bytes", .unsigned($0.storedBytes)),
              ("value_bytes", .unsigned($0.valueBytes)),
            ])
          })
      ),
    ]
  }
}

extension SnapshotDescription.Base {
  /// Identity, step and batches.
  var json: JSON {
    .object([
      ("identity", .string(identity.description)), ("step", .integer(point.step)),
      ("batches", .unsigned(point.batches)),
    ])
  }
}
