import Glibc
import Snapshots
import StorageBase

/// What must hold for a snapshot that comes from a stranger, whatever is in it: it reads as rows
/// that keep their promises, in every way of reading the same, or ends in an ``EmbeddingError``.
/// Shared by the fuzzer and by the test that replays what it found.
package enum SnapshotCheck {
  /// Reads `input`, as it is and with its checksums made right; what was promised and not kept, or
  /// nil.
  package static func violation(_ input: UnsafeRawBufferPointer) -> String? {
    if let violation = violation(Array(input)) { return violation }
    return violation(SnapshotRepair(input).bytes)
  }

  /// Whether `input` is an intact snapshot once its checksums are right.
  package static func isIntactOnceRepaired(_ input: UnsafeRawBufferPointer) -> Bool {
    let file = MemoryFile(SnapshotRepair(input).bytes)
    return withExtendedLifetime(file) { SnapshotReader.verify(path: file.path).isIntact }
  }

  private static func violation(_ bytes: [UInt8]) -> String? {
    let file = MemoryFile(bytes)
    defer { withExtendedLifetime(file) {} }
    let verification = SnapshotReader.verify(path: file.path)
    do throws(EmbeddingError) {
      let rows = try read(file.path)
      if let violation = try stream(file.path, rows, verification.isIntact) { return violation }
      if verification.isIntact, verification.rowCount != rows.count {
        return "rows were not verified"
      }
    } catch {
      if error.message.isEmpty { return "an error without a message" }
      if ![.corruption, .unsupportedFormat].contains(error.code) {
        return "\(error.code): \(error)"
      }
      // Verifying looks at all sections; reading refuses those that it must know.
      if verification.isIntact, error.code != .unsupportedFormat {
        return "an intact snapshot cannot be read: \(error)"
      }
    }
    return nil
  }

  /// What was read, in short.
  private struct Rows: Equatable {
    var count: UInt64 = 0
    var deletions: UInt64 = 0
    var hash: UInt64 = 0
    var violation: String?

    mutating func add(_ rows: borrowing RowBatch, _ description: SnapshotDescription) {
      count += UInt64(rows.count)
      if rows.vectors.count != rows.count * description.dimension
        || rows.slots.count != rows.count * description.storedSlotCount
        || rows.frequencies.count != rows.count || rows.lastSteps.count != rows.count
      {
        violation = "columns are missing"
      }
      for value in rows.vectors { hash = mix64(hash &+ UInt64(value.bitPattern)) }
      for value in rows.slots { hash = mix64(hash &+ UInt64(value.bitPattern)) }
      for value in rows.frequencies { hash = mix64(hash &+ value) }
      for value in rows.lastSteps { hash = mix64(hash &+ UInt64(bitPattern: value)) }
      add(rows.ids)
    }

    mutating func add(_ ids: borrowing IDColumn) {
      for value in ids.int64s { hash = mix64(hash &+ UInt64(bitPattern: value)) }
      for value in ids.bytes { hash = mix64(hash &+ UInt64(value)) }
      for value in ids.offsets { hash = mix64(hash &+ UInt64(value)) }
    }
  }

  private static let sections: Set<String> = ["filter"]

  private static func read(_ path: String) throws(EmbeddingError) -> Rows {
    let reader = try SnapshotReader(
      path: path, options: SnapshotReaderOptions(cacheBudget: 1 << 20, knownSections: sections))
    var rows = Rows()
    var some = IDColumn(type: reader.description.idType)
    try reader.forEachBatch(threads: 1) { (batch, first) throws(EmbeddingError) in
      if first != rows.count { rows.violation = "the rows are not counted right" }
      rows.add(batch, reader.description)
      if some.count < 100 { some.append(batch.ids[batch.count / 2]) }
    }
    try reader.forEachDeletion(threads: 1) { (ids) throws(EmbeddingError) in
      rows.deletions += UInt64(ids.count)
      rows.add(ids)
    }
    for section in reader.sections {
      try reader.readSection(section.name) { (_) throws(EmbeddingError) in }
    }
    _ = try reader.statistics()
    // A filter that does not know its keys is found by verifying alone.
    try reader.lookup(some.batch, columns: .all) { (position, row) throws(EmbeddingError) in
      if row.id != some[position] { rows.violation = "another row was found" }
    }
    let ordinals = (0..<min(rows.count, 8)).map { rows.count - 1 - $0 }
    try reader.rows(at: ordinals.span) { (position, row) throws(EmbeddingError) in
      if row.ordinal != ordinals[position] { rows.violation = "another row was found" }
    }
    if rows.count != reader.rowCount { rows.violation = "rows are missing" }
    return rows
  }

  private static func stream(
    _ path: String, _ expected: Rows, _ isIntact: Bool
  ) throws(EmbeddingError) -> String? {
    if let violation = expected.violation { return violation }
    var rows = Rows()
    do throws(EmbeddingError) {
      let stream = try SnapshotStream(path: path, knownSections: sections)
      var batch = RowBatch(idType: .int64, dimension: 1)
      while let content = try stream.next(into: &batch) {
        switch content {
        case .rows: rows.add(batch, stream.description)
        case .deletions:
          rows.deletions += UInt64(batch.count)
          rows.add(batch.ids)
        }
      }
    } catch {
      return isIntact && error.code != .unsupportedFormat
        ? "an intact snapshot cannot be streamed: \(error)" : nil
    }
    return rows == expected ? nil : "the stream gives other rows"
  }
}

/// Bytes in memory under the path of a file.
private final class MemoryFile {
  private let descriptor: Int32
  var path: String { "/proc/self/fd/\(descriptor)" }

  init(_ bytes: [UInt8]) {
    var template = Array("/dev/shm/embeddings-input-XXXXXX".utf8CString)
    descriptor = mkstemp(&template)
    precondition(descriptor >= 0, "mkstemp: \(errno)")
    // The descriptor alone keeps it.
    unlink(template)
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes {
        write(descriptor, $0.baseAddress! + done, bytes.count - done)
      }
      precondition(count > 0, "write: \(errno)")
      done += count
    }
  }

  deinit { _ = close(descriptor) }
}
