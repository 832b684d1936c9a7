import StorageBase

/// What the rows of a block are.
enum BlockKind: UInt32, Sendable {
  case rows = 1
  /// Ids that a delta deletes; they have no other columns.
  case deletions = 2

  /// For messages.
  var noun: String {
    switch self {
    case .rows: "rows"
    case .deletions: "deletions"
    }
  }
}

/// The parts of a block, in their order: ids, frequencies, last steps, vectors, slots. Each part is
/// one Zstandard frame, or nothing where it has no content.
struct BlockLayout: Sendable {
  let kind: BlockKind
  let idType: IDType
  let dimension: Int
  let slotCount: Int
  let encoding: ValueEncoding

  init(_ kind: BlockKind, _ description: SnapshotDescription) {
    self.kind = kind
    idType = description.idType
    dimension = description.dimension
    slotCount = description.storedSlotCount
    encoding = description.encoding
  }

  /// Differences or lengths, and for byte strings the bytes.
  var idParts: Int { idType == .int64 ? 1 : 2 }

  /// Ids, frequencies and last steps.
  var metadataParts: Int { kind == .rows ? idParts + 2 : idParts }

  var vectorParts: Int {
    guard kind == .rows else { return 0 }
    return switch encoding {
    case .float32: 4
    case .float16, .bfloat16, .int8: 2
    }
  }

  /// Rows of a page of a compressed plane of vectors.
  var rowsPerPage: Int { PlanePages.rowCount(dimension: dimension) }

  /// Bytes of such a page.
  var vectorPageLength: Int { rowsPerPage * dimension }

  /// The parts that are planes of vectors: with int8 the scales come before them, and have no pages.
  var vectorPlanes: Range<Int> {
    let end = metadataParts + vectorParts
    return end - (vectorParts == 0 ? 0 : encoding == .int8 ? 1 : vectorParts)..<end
  }

  var slotParts: Int { kind == .rows && slotCount > 0 ? 4 : 0 }

  var partCount: Int { metadataParts + vectorParts + slotParts }

  /// The parts that hold `columns` and all columns before them.
  func partCount(of columns: SnapshotColumns) -> Int {
    switch columns {
    case .metadata: metadataParts
    case .vectors: metadataParts + vectorParts
    case .all: partCount
    }
  }

  var headerLength: Int { BlockHeader.fieldsLength + 12 * partCount + Frame.leastSize }
}

/// How much of each row is read. Columns stand in the file in this order, so that less is read the
/// less is asked for.
package enum SnapshotColumns: UInt8, Sendable, Comparable {
  /// Ids, frequencies and last steps.
  case metadata = 0
  /// These, and the vectors.
  case vectors = 1
  /// These, and the optimizer slots.
  case all = 2

  package static func < (a: SnapshotColumns, b: SnapshotColumns) -> Bool { a.rawValue < b.rawValue }
}
