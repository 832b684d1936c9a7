package import StorageBase

/// What a merge did.
public struct SnapshotMergeReport: Sendable, Hashable {
  /// What was written.
  public var summary: SnapshotSummary
  /// What the result is.
  public var description: SnapshotDescription
  /// Paths of the deltas that were applied, in order.
  public var applied: [String] = []
  /// One message for each delta that had nothing to add, since the state that it leads to was
  /// reached already.
  public var notes: [String] = []
}

/// Applies deltas to a full snapshot without a database.
package enum SnapshotMerge {
  /// Writes the full snapshot that `base` and then `deltas`, in their order, come to: byte for byte
  /// the one that the table itself would have exported at the last of them. Memory is that of a few
  /// blocks for each file.
  ///
  /// - Throws: ``EmbeddingError/Code/configurationMismatch`` for a delta that applies to another
  /// state
  ///   or table, in a message that names both states; nothing is written then.
  package static func merge(
    base: String, deltas: [String], into path: String,
    options: SnapshotWriterOptions = SnapshotWriterOptions()
  ) throws(EmbeddingError) -> SnapshotMergeReport {
    let base = try SnapshotReader(path: base, acceptsAllSections: true)
    guard !base.description.isDelta else {
      throw EmbeddingError(
        .invalidArgument,
        "\(base.path) is a delta; name the full snapshot that deltas are applied to first.")
    }
    var inputs = [base]
    var notes: [String] = []
    for delta in deltas {
      let delta = try SnapshotReader(path: delta, acceptsAllSections: true)
      let last = inputs[inputs.count - 1]
      if let note = try check(delta, after: last) {
        notes.append(note)
      } else {
        inputs.append(delta)
      }
    }
    let newest = inputs[inputs.count - 1]
    var description = newest.description
    description.base = nil
    let writer = try SnapshotWriter(path: path, description: description, options: options)
    try mergeRows(inputs, into: writer)
    for section in newest.sections {
      try writer.beginSection(section.name, isRequired: section.isRequired)
      try newest.readSection(section.name) { (piece) throws(EmbeddingError) in
        try writer.appendToSection(piece.span.bytes)
      }
      try writer.endSection()
    }
    return SnapshotMergeReport(
      summary: try writer.finish(), description: description,
      applied: inputs.dropFirst().map(\.path), notes: notes)
  }

  /// Refuses a delta that does not follow `last`; a message if it has nothing to add.
  static func check(
    _ delta: SnapshotReader, after last: SnapshotReader
  ) throws(EmbeddingError) -> String? {
    let (from, to) = (last.description, delta.description)
    guard let base = to.base else {
      throw EmbeddingError(
        .invalidArgument,
        "\(delta.path) is a full snapshot, not a delta: it needs no merging.")
    }
    if let difference = to.difference(from: from) {
      throw EmbeddingError(
        .configurationMismatch,
        "\(delta.path) does not belong to \(last.path): \(difference).")
    }
    // Commits of other tables move the point on, and leave the identity as it is.
    let isReached = to.identity == from.identity && to.point.precedes(orEquals: from.point)
    if to.state == from.state || isReached {
      return "\(delta.path) leads to \(to.state), which is reached already: nothing to do."
    }
    guard base.identity == from.identity else {
      throw EmbeddingError(
        .configurationMismatch,
        "\(delta.path) applies to \(base) and leads to \(to.state), but \(last.path) is or leads to "
          + "\(from.state). Give the deltas in their order, without gaps.")
    }
    return nil
  }

  private static func mergeRows(
    _ inputs: [SnapshotReader], into writer: SnapshotWriter
  ) throws(EmbeddingError) {
    // Newest first, so that the first cursor that stands at an id decides about it.
    var cursors: [MergeCursor] = []
    for input in inputs.reversed() {
      cursors.append(try MergeCursor(input, input.rows))
      if input.description.isDelta { cursors.append(try MergeCursor(input, input.deletions)) }
    }
    while true {
      cursors.removeAll { $0.block == nil }
      guard var least = cursors.first else { return }
      for cursor in cursors.dropFirst() where precedes(cursor, least) { least = cursor }
      // Rows that no other cursor has anything to say about go in one run.
      var limit = UInt64.max
      for cursor in cursors where cursor !== least { limit = min(limit, cursor.key) }
      let end = cursors.count == 1 ? least.block?.keys.count ?? 0 : least.run(before: limit)
      if end > least.index {
        if !least.isDeletion, let block = least.block {
          try writer.append(block.rows, least.index..<end)
        }
        try least.advance(end - least.index)
        continue
      }
      let id = least.id
      if !least.isDeletion, let block = least.block {
        try writer.append(block.rows, least.index..<least.index + 1)
      }
      let key = least.key
      for cursor in cursors where cursor.block != nil && cursor.key == key && cursor.id == id {
        try cursor.advance(1)
      }
    }
  }

  private static func precedes(_ a: MergeCursor, _ b: MergeCursor) -> Bool {
    if a.key != b.key { return a.key < b.key }
    return IDKeys.precedes(a.id, b.id)
  }
}

extension SnapshotDescription {
  /// What keeps a snapshot from being merged with one of `other`, or nil. Optimizers may change
  /// their hyper-parameters from commit to commit.
  package func difference(from other: SnapshotDescription) -> String? {
    func differ<T: Equatable>(_ what: String, _ mine: T, _ theirs: T) -> String? {
      mine == theirs ? nil : "its \(what) is \(mine), not \(theirs)"
    }
    return differ("table", table, other.table) ?? differ("id type", idType, other.idType)
      ?? differ("dimension", dimension, other.dimension)
      ?? differ("number of slots", slotCount, other.slotCount)
      ?? differ("encoding", encoding, other.encoding)
      ?? differ("inclusion of slots", includesSlots, other.includesSlots)
      ?? differ("seed", seed, other.seed) ?? differ("initializer", initializer, other.initializer)
      ?? differ("optimizer", optimizer, other.optimizer)
  }
}
