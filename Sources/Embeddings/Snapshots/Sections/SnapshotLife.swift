import Snapshots
import StorageBase

/// What section `life` of a snapshot says: how ids earn their rows in the table, and what became of
/// them so far.
struct SnapshotLife: Equatable {
  var admission: Admission
  var cutoff: UInt64
  var sharedRows: Int
  var counting: FrequencyCounting
  var counts: LifeCounts

  private static let recordName = "life"

  /// Nil for a table in which every id gets a row.
  init?(_ record: TableRecord) {
    let configuration = record.configuration
    guard configuration.admitsOnlySome else { return nil }
    admission = configuration.admission
    cutoff = configuration.cutoff
    sharedRows = configuration.sharedRows
    counting = configuration.counting
    counts = record.life
  }

  /// The content of the section.
  var content: [UInt8] {
    var writer = RecordWriter()
    admission.write(to: &writer)
    writer.write(cutoff)
    writer.write(UInt64(sharedRows))
    writer.write(counting.rawValue)
    counts.write(to: &writer)
    return SectionKind.life.tag + RecordWriter.seal(writer.bytes, key: Self.recordName)
  }

  /// Reads what stands behind the tag.
  init(_ bytes: UnsafeRawBufferPointer) throws(EmbeddingError) {
    var reader = try RecordReader(bytes, name: Self.recordName)
    admission = try Admission(&reader)
    cutoff = try reader.read(UInt64.self)
    sharedRows = Int(clamping: try reader.read(UInt64.self))
    guard let counting = FrequencyCounting(rawValue: try reader.read(UInt8.self)) else {
      throw damagedSection(.life, "it counts in an unknown way")
    }
    self.counting = counting
    counts = try LifeCounts(&reader)
  }

  /// Reads the content of the section.
  init(content: [UInt8]) throws(EmbeddingError) {
    guard content.starts(with: SectionKind.life.tag) else {
      throw damagedSection(.life, "it does not begin as such")
    }
    self = try Array(content[SectionKind.tagBytes...]).withBytes {
      (bytes) throws(EmbeddingError) in try SnapshotLife(bytes)
    }
  }

  /// Makes ids earn their rows as they did in the table.
  func apply(to configuration: inout TableConfiguration) {
    configuration.admission = admission
    configuration.cutoff = cutoff
    configuration.sharedRows = sharedRows
    configuration.counting = counting
  }

  /// How a table differs in what makes ids earn their rows; nil where it does not.
  func difference(from table: TableConfiguration) -> String? {
    func differ(_ what: String, _ mine: String, _ theirs: String) -> String {
      "\(what) \(mine), the table has \(theirs)"
    }
    if admission != table.admission {
      return differ("admission", admission.summary, table.admission.summary)
    }
    if cutoff != table.cutoff { return differ("cutoff", "\(cutoff)", "\(table.cutoff)") }
    if sharedRows != table.sharedRows {
      return differ("shared rows", "\(sharedRows)", "\(table.sharedRows)")
    }
    if counting != table.counting {
      return differ("counting", "\(counting)", "\(table.counting)")
    }
    return nil
  }
}

/// The sections of a table whose ids have to earn their rows. Each begins with a tag of 8 bytes: four
/// letters, and the version of the section. So a reader of a stream knows them, to which the
/// directory comes last.
enum SectionKind: CaseIterable {
  case life
  case admission
  case shared

  static let tagBytes = 8
  private static let version: UInt8 = 1

  var name: String {
    switch self {
    case .life: SnapshotSection.life
    case .admission: SnapshotSection.admission
    case .shared: SnapshotSection.shared
    }
  }

  /// Whether ids read otherwise without the section.
  var isRequired: Bool { self == .shared }

  var tag: [UInt8] {
    let letters =
      switch self {
      case .life: "LIFE"
      case .admission: "ADMN"
      case .shared: "SHRD"
      }
    return Array(letters.utf8) + [Self.version, 0, 0, 0]
  }
}

func damagedSection(_ kind: SectionKind, _ how: String) -> EmbeddingError {
  EmbeddingError(
    .corruption,
    "Section '\(kind.name)' of the snapshot is damaged: \(how). Copy or export it again; nothing was "
      + "imported.")
}
