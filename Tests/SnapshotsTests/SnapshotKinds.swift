import Snapshots
import StorageBase

/// One small snapshot of each kind, with the rows that it must read back as.
enum SnapshotKind: String, CaseIterable, Sendable {
  case int64, bytes, withoutSlots, delta, bytesDelta, float16, bfloat16, int8, withSections, empty
  /// Of vectors so long that a plane of a block is several pages.
  case paged

  var description: SnapshotDescription {
    switch self {
    case .int64: return .sample(.int64, dimension: 3, slotCount: 1)
    case .bytes: return .sample(.bytes, dimension: 3, slotCount: 1)
    case .withoutSlots: return .sample(.int64, dimension: 3, slotCount: 1, includesSlots: false)
    case .float16: return .sample(.int64, dimension: 3, slotCount: 0, encoding: .float16)
    case .bfloat16: return .sample(.bytes, dimension: 3, slotCount: 0, encoding: .bfloat16)
    case .int8: return .sample(.int64, dimension: 3, slotCount: 1, encoding: .int8)
    case .paged: return .sample(.int64, dimension: 1000, slotCount: 0)
    case .withSections, .empty: return .sample(.int64, dimension: 2, slotCount: 0)
    case .delta, .bytesDelta:
      var delta = SnapshotDescription.sample(
        self == .delta ? .int64 : .bytes, dimension: 2, slotCount: 1, number: 2)
      delta.base = SnapshotDescription.sample(number: 1).state
      return delta
    }
  }

  static let sections: [(name: String, isRequired: Bool, content: [UInt8])] = [
    ("filter", true, [UInt8](repeating: 7, count: 300)), ("empty", false, []),
    ("note", false, Array("of no importance".utf8)),
  ]

  var knownSections: Set<String> { self == .withSections ? ["filter"] : [] }

  /// What is written; ids with an odd position are deletions in a delta.
  var sample: SampleRows {
    guard self == .paged else {
      return SampleRows(description, count: self == .empty ? 0 : 12)
    }
    // Few different values, so that the file stays small.
    var sample = SampleRows(description, count: 5)
    for i in sample.rows.vectors.indices where i % 50 != 0 {
      sample.rows.vectors[i] = i % 3 == 0 ? 0.5 : -2
    }
    return sample
  }

  var deletions: IDColumn {
    var ids = IDColumn(type: description.idType)
    if description.isDelta { for i in stride(from: 1, to: 12, by: 2) { ids.append(sample.ids[i]) } }
    return ids
  }

  /// Writes the snapshot, and returns the rows that it holds, before any loss.
  @discardableResult
  func write(to path: String, threads: Int = 1) throws -> RowBatch {
    let sample = sample
    var rows = sample.rows
    if description.isDelta {
      rows = RowBatch(idType: description.idType, dimension: 2, slotCount: 1)
      for i in stride(from: 0, to: 12, by: 2) { rows.append(sample.rows.part(i..<i + 1)) }
    }
    let writer = try SnapshotWriter(
      path: path, description: description, options: SnapshotWriterOptions(threads: threads))
    try writer.append(rows)
    if description.isDelta { try writer.appendDeletions(deletions) }
    if self == .withSections {
      for section in Self.sections {
        try writer.appendSection(
          section.name, isRequired: section.isRequired, content: section.content.span.bytes)
      }
    }
    try writer.finish()
    return rows
  }
}

extension RowBatch {
  mutating func append(_ other: RowBatch) {
    for i in 0..<other.count { ids.append(other.ids[i]) }
    vectors += other.vectors
    slots += other.slots
    frequencies += other.frequencies
    lastSteps += other.lastSteps
  }
}

/// Everything that a snapshot holds, read in one way.
struct Contents: Equatable {
  var rows: RowBatch
  var deletions: IDColumn
  var sections: [[UInt8]] = []

  static func == (a: Contents, b: Contents) -> Bool {
    same(a.rows, b.rows) && a.deletions == b.deletions && a.sections == b.sections
  }

  /// By random access.
  static func read(_ path: String, _ knownSections: Set<String>) throws -> Contents {
    let reader = try SnapshotReader(
      path: path, options: SnapshotReaderOptions(knownSections: knownSections))
    var contents = Contents(
      rows: try readAll(reader), deletions: IDColumn(type: reader.description.idType))
    try reader.forEachDeletion(threads: 1) { (ids) in
      for i in 0..<ids.count { contents.deletions.append(ids[i]) }
    }
    for section in reader.sections {
      var content: [UInt8] = []
      try reader.readSection(section.name) { content += $0 }
      contents.sections.append(content)
    }
    return contents
  }

  /// From beginning to end, without sections.
  static func stream(_ path: String, _ knownSections: Set<String>) throws -> Contents {
    let stream = try SnapshotStream(path: path, knownSections: knownSections)
    let d = stream.description
    var contents = Contents(
      rows: RowBatch(idType: d.idType, dimension: d.dimension, slotCount: d.storedSlotCount),
      deletions: IDColumn(type: d.idType))
    var batch = contents.rows
    while let content = try stream.next(into: &batch) {
      switch content {
      case .rows: contents.rows.append(batch)
      case .deletions: for i in 0..<batch.count { contents.deletions.append(batch.ids[i]) }
      }
    }
    return contents
  }
}
