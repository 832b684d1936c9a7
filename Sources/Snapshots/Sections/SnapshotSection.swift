package import StorageBase

/// Something that a snapshot holds beside rows, by name: the state of an admission filter, say.
package struct SnapshotSection: Sendable, Hashable {
  /// Its name.
  package var name: String
  /// Whether a reader that does not know the section must refuse the file.
  package var isRequired: Bool
  /// Bytes of its content.
  package var byteCount: UInt64
}

extension SnapshotSection {
  /// The sections that this version defines, which belong to tables whose ids have to earn their
  /// rows: how they do, and what became of them; the state of the admission filter; the shared rows.
  package static let life = "life"
  package static let admission = "admission"
  package static let shared = "shared"

  /// Their names.
  package static let defined: Set<String> = [life, admission, shared]

  /// Bytes that section `life` may have.
  static let mostLifeBytes: UInt64 = 1 << 16
}

extension SnapshotWriter {
  /// Appends a section, after all rows and deletions. Names are used once. With `isRequired`,
  /// readers that do not know the name refuse the file; others ignore the section.
  package func appendSection(
    _ name: String, isRequired: Bool, content: RawSpan
  ) throws(EmbeddingError) {
    try beginSection(name, isRequired: isRequired)
    try appendToSection(content)
    try endSection()
  }

  /// Begins a section whose content comes bit by bit: the bytes of the file are those that
  /// ``appendSection(_:isRequired:content:)`` writes, and memory is that of one piece.
  package func beginSection(_ name: String, isRequired: Bool) throws(EmbeddingError) {
    try enter(.sections)
    guard (1...Limits.nameBytes).contains(name.utf8.count) else {
      throw EmbeddingError(
        .invalidArgument, "The name of a section has 1 to \(Limits.nameBytes) bytes.")
    }
    try remembering { () throws(EmbeddingError) in
      try file.beginSection(name, isRequired: isRequired)
    }
  }

  /// Adds to the section that was begun.
  package func appendToSection(_ content: RawSpan) throws(EmbeddingError) {
    try remembering { () throws(EmbeddingError) in
      try content.withUnsafeBytes { (content) throws(EmbeddingError) in
        try file.appendToSection(content)
      }
    }
  }

  /// Ends the section that was begun.
  package func endSection() throws(EmbeddingError) {
    try remembering { () throws(EmbeddingError) in try file.endSection() }
  }
}

extension SnapshotReader {
  /// The sections of the file.
  package var sections: [SnapshotSection] {
    directory.sections.map {
      SnapshotSection(name: $0.name, isRequired: $0.isRequired, byteCount: $0.contentLength)
    }
  }

  /// What the snapshot is, with what section ``SnapshotSection/life`` says, if there is one.
  package func readDescription() throws(EmbeddingError) -> SnapshotDescription {
    var description = description
    guard let life = sections.first(where: { $0.name == SnapshotSection.life }) else {
      return description
    }
    guard life.byteCount <= SnapshotSection.mostLifeBytes else {
      throw Place(path, 0, "section '\(life.name)'").damaged("it is too long")
    }
    try readSection(life.name) { description.life += $0 }
    return description
  }

  /// Calls `body` with the content of section `name`, a piece of up to 1 MiB at a time.
  ///
  /// - Throws: ``EmbeddingError/Code/notFound`` if there is none of that name.
  package func readSection(
    _ name: String, _ body: ([UInt8]) throws(EmbeddingError) -> Void
  ) throws(EmbeddingError) {
    guard let index = directory.sections.firstIndex(where: { $0.name == name }) else {
      throw EmbeddingError(.notFound, "\(path) has no section '\(name)'.")
    }
    let section = directory.sections[index]
    let before = directory.sections[..<index].reduce(0) { $0 + $1.storedLength }
    let start = deletions.offsets[deletions.pages.count] + before
    let end = start + section.storedLength
    var (offset, contentLength, checksums) = (start, UInt64(0), [UInt64]())
    let decompressor = Decompressor()
    while offset < end {
      let place = Place(path, offset, "section '\(name)'")
      let (piece, checksum) = try SectionPiece.decode(
        try file.bytes(at: offset, SectionPiece.size),
        seed: Frame.seed(header: headerChecksum, offset: offset), at: place)
      offset += UInt64(SectionPiece.size)
      guard Int(piece.section) == index, Int(piece.number) == checksums.count,
        offset + UInt64(piece.part.length) <= end
      else { throw place.damaged("a piece of it stands in the wrong place") }
      let frame = try file.bytes(at: offset, Int(piece.part.length))
      let content = try frame.withBytes { (frame) throws(EmbeddingError) in
        try piece.content(frame, decompressor, at: place)
      }
      offset += UInt64(piece.part.length)
      contentLength += UInt64(content.count)
      checksums.append(checksum)
      try body(content)
    }
    try section.check(
      checksums: checksums, storedLength: offset - start, contentLength: contentLength,
      at: Place(path, start, "section '\(name)'"))
  }
}
