import Snapshots
import StorageBase

/// Reads the sections of a snapshot one after the other, from a stream whose rows and deletions have
/// been read.
final class SectionReader {
  private let stream: SnapshotStream
  private var piece: SnapshotStream.Piece?
  /// Where reading goes on in the piece.
  private var offset = 0
  /// The section at hand.
  private var section = -1
  /// What the tags said, by section.
  private var seen: [Int: SectionKind] = [:]

  init(_ stream: SnapshotStream) { self.stream = stream }

  /// Goes on to the next section that is known here; nil at the end, when all of the file has proven
  /// right.
  func next() throws(EmbeddingError) -> SectionKind? {
    while true {
      while let piece, piece.section == section { try advance() }
      if piece == nil { try advance() }
      guard let piece else {
        try checkNames()
        return nil
      }
      section = piece.section
      guard
        let kind = SectionKind.allCases.first(where: { piece.content.starts(with: $0.tag) })
      else { continue }
      offset = SectionKind.tagBytes
      seen[section] = kind
      return kind
    }
  }

  private func advance() throws(EmbeddingError) {
    piece = try stream.nextPiece()
    offset = 0
  }

  /// The next `count` bytes of the section; nil at its end.
  func read(_ count: Int, of kind: SectionKind) throws(EmbeddingError) -> [UInt8]? {
    var bytes: [UInt8] = []
    while bytes.count < count {
      guard let piece, piece.section == section else {
        if bytes.isEmpty { return nil }
        throw damagedSection(kind, "it ends too soon")
      }
      let end = min(piece.content.count, offset + count - bytes.count)
      bytes += piece.content[offset..<end]
      offset = end
      if offset == piece.content.count { try advance() }
    }
    return bytes
  }

  /// The rest of the section, which is short.
  func readRest(of kind: SectionKind, atMost limit: Int) throws(EmbeddingError) -> [UInt8] {
    var bytes: [UInt8] = []
    while let piece, piece.section == section {
      bytes += piece.content[offset...]
      guard bytes.count <= limit else { throw damagedSection(kind, "it is too long") }
      try advance()
    }
    return bytes
  }

  /// The directory must name the sections as their tags do.
  private func checkNames() throws(EmbeddingError) {
    for kind in SectionKind.allCases {
      let named = stream.sectionNames.firstIndex(of: kind.name)
      let tagged = seen.filter { $0.value == kind }.keys
      guard tagged.count <= 1, tagged.first == named else {
        throw damagedSection(kind, "its name and its content disagree")
      }
    }
  }
}
