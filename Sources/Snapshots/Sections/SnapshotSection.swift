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

extension SnapshotWriter {
  /// Appends a section, after all rows and deletions. Names are used once. With `isRequired`,
  /// readers that do not know the name refuse the file; others ignore the section.
  package func appendSection(
    _ name: String, isRequired: Bool, content: RawSpan
  ) throws(EmbeddingError) {
    try enter(.sections)
    guard (1...Limits.nameBytes).contains(name.utf8.count) else {
      throw EmbeddingError(
        .invalidArgument, "The name of a section has 1 to \(Limits.nameBytes) bytes.")
    }
    try remembering { () throws(EmbeddingError) in
      try content.withUnsafeBytes { (content) throws(EmbeddingError) in
        try file.writeSection(name, isRequired: isRequired, content)
      }
    }
  }
}

extension SnapshotReader {
  /// The sections of the file.
  package var sections: [SnapshotSection] {
    directory.sections.map {
      SnapshotSection(name: $0.name, isRequired: $0.isRequired, byteCount: $0.contentLength)
    }
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
