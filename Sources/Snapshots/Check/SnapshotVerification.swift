import StorageBase

/// Something that is wrong with a snapshot file.
public struct SnapshotFinding: Sendable, Hashable, CustomStringConvertible {
  /// What it is, and where.
  public var description: String

  init(_ error: EmbeddingError) { description = error.description }
  init(_ place: Place, _ how: String) { self.init(place.damaged(how)) }
}

/// The result of checking a snapshot file.
public struct SnapshotVerification: Sendable {
  /// What the snapshot says that it is; nil if even that cannot be read.
  public var description: SnapshotDescription?
  /// Rows that are in order.
  public var rowCount: UInt64 = 0
  /// Deletions that are in order.
  public var deletionCount: UInt64 = 0
  /// What is wrong, in the order of the file. At most ``maximumFindings``.
  public var findings: [SnapshotFinding] = []

  /// Findings beyond this number are not listed.
  public static let maximumFindings = 1_000

  /// Whether nothing is wrong.
  public var isIntact: Bool { findings.isEmpty }

  mutating func note(_ finding: SnapshotFinding) {
    if findings.count < Self.maximumFindings { findings.append(finding) }
  }

  /// Notes the error of `body`, and goes on.
  mutating func noting(
    _ body: (inout SnapshotVerification) throws(EmbeddingError) -> Void
  ) {
    do throws(EmbeddingError) { try body(&self) } catch { note(SnapshotFinding(error)) }
  }
}

extension SnapshotReader {
  /// Checks the whole file at `path`: every checksum, every byte in its place, each column, the
  /// order of the ids, filters, counts, sections, and that a delta deletes no id that it has a row
  /// of. It goes on after what is wrong, as far as the file lets it.
  package static func verify(path: String) -> SnapshotVerification {
    var result = SnapshotVerification()
    do throws(EmbeddingError) {
      let reader = try SnapshotReader(path: path, acceptsAllSections: true)
      result.description = reader.description
      reader.verify(reader.rows, &result)
      reader.verify(reader.deletions, &result)
      for section in reader.sections {
        result.noting { (_) throws(EmbeddingError) in
          try reader.readSection(section.name) { (_) in }
        }
      }
    } catch {
      result.note(SnapshotFinding(error))
    }
    return result
  }

  private func verify(_ sequence: BlockSequence, _ result: inout SnapshotVerification) {
    let decoder = BlockDecoder(BlockLayout(sequence.kind, description))
    var last: EmbeddingID?
    for pageIndex in sequence.pages.indices {
      result.noting { (result) throws(EmbeddingError) in
        let page = try loadPage(pageIndex, of: sequence)
        for index in page.page.entries.indices {
          result.noting { (result) throws(EmbeddingError) in
            let block = try loadBlock(index, of: page, pageIndex, columns: .all, decoder)
            let place = Place(
              path, page.offsets[index],
              "block \(index) of page \(pageIndex) of \(sequence.kind.noun)")
            verify(block, of: sequence, page, after: last, at: place, &result)
            last = block.rows.ids[block.keys.count - 1]
            if sequence.kind == .rows {
              result.rowCount += UInt64(block.keys.count)
            } else {
              result.deletionCount += UInt64(block.keys.count)
              try verifyAbsent(block.rows.ids, at: place, &result)
            }
          }
        }
      }
    }
  }

  private func verify(
    _ block: DecodedBlock, of sequence: BlockSequence, _ page: LoadedPage,
    after last: EmbeddingID?, at place: Place, _ result: inout SnapshotVerification
  ) {
    if let last, !IDKeys.precedes(last, block.rows.ids[0]) {
      result.note(SnapshotFinding(place, "its ids do not come after those before them"))
    }
    if let i = block.keys.firstIndex(where: { !page.page.filter.mayContain($0) }) {
      result.note(SnapshotFinding(place, "the filter does not know id \(block.rows.ids[i])"))
    }
  }

  /// Notes deleted ids that have a row.
  private func verifyAbsent(
    _ ids: borrowing IDColumn, at place: Place, _ result: inout SnapshotVerification
  ) throws(EmbeddingError) {
    var found: EmbeddingID?
    try lookup(ids.batch, columns: .metadata) { (_, row) in found = row.id }
    if let found {
      result.note(SnapshotFinding(place, "id \(found) is deleted, and has a row too"))
    }
  }
}
