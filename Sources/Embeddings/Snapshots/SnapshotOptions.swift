public import Snapshots

/// What a delta begins from.
public enum SnapshotBase: Sendable, Hashable {
  /// The state of the last commit up to the end of this step.
  case step(Int64)
  /// The state that the snapshot file at this path holds, or that the delta there leads to. The
  /// delta must have its encoding, and slots where it has them.
  case snapshot(String)
}

/// How a table is exported as a snapshot.
public struct SnapshotExportOptions: Sendable, Hashable {
  /// How the values of vectors are stored; all but ``ValueEncoding/float32`` lose precision.
  public var encoding: ValueEncoding
  /// Whether the optimizer slots are written. A snapshot without them is smaller, and serves;
  /// training does not continue from it.
  public var includesSlots: Bool
  /// What a delta begins from; nil for a full snapshot.
  public var since: SnapshotBase?
  /// Threads that compress, beside the one that calls; 0 stands for one a processor. The bytes of
  /// the file do not depend on it.
  public var threads: Int

  /// Creates options; by default everything is written, exactly.
  public init(
    encoding: ValueEncoding = .float32, includesSlots: Bool = true, since: SnapshotBase? = nil,
    threads: Int = 0
  ) {
    self.encoding = encoding
    self.includesSlots = includesSlots
    self.since = since
    self.threads = threads
  }
}

/// What an export as a snapshot wrote.
public struct SnapshotExportSummary: Sendable, Hashable {
  /// What the snapshot is: the table, the commit, the identity.
  public var description: SnapshotDescription
  /// Rows, bytes, checksum.
  public var file: SnapshotSummary

  /// Creates a summary.
  public init(description: SnapshotDescription, file: SnapshotSummary) {
    self.description = description
    self.file = file
  }
}

/// How a snapshot is imported.
public struct SnapshotImportOptions: Sendable, Hashable {
  /// What happens to an id that has a row already.
  public var existing: ImportOptions.Existing
  /// Whether vectors alone are taken: slots start anew, rows that are replaced keep their
  /// frequency, and all get the last step ``step``. The optimizer may then be another.
  public var vectorsOnly: Bool
  /// Whether vectors that were stored with less precision are taken, which is refused otherwise.
  public var acceptsLossy: Bool
  /// Whether rows are taken into a table of another initializer or seed, which is refused otherwise:
  /// there ids without rows, evicted ones too, read as other vectors than they did.
  public var acceptsOtherInitialVectors: Bool
  /// The `lastStep` of rows of which vectors alone are taken.
  public var step: Int64

  /// Creates options; by default whole rows are taken, and replace those that exist.
  public init(
    existing: ImportOptions.Existing = .replace, vectorsOnly: Bool = false,
    acceptsLossy: Bool = false, acceptsOtherInitialVectors: Bool = false, step: Int64 = 0
  ) {
    self.existing = existing
    self.vectorsOnly = vectorsOnly
    self.acceptsLossy = acceptsLossy
    self.acceptsOtherInitialVectors = acceptsOtherInitialVectors
    self.step = step
  }
}

/// What an import of a snapshot did.
public struct SnapshotImportSummary: Sendable, Hashable {
  /// What happened to the rows.
  public var rows: ImportSummary
  /// What the snapshot is; training goes on after the step of its ``SnapshotDescription/point``.
  public var description: SnapshotDescription
  /// Rows that a delta deleted.
  public var deleted: Int
  /// Whether there was nothing to do, since the table is in the state already that the delta leads
  /// to.
  public var wasApplied: Bool
  /// Whether the state of the admission filter, what became of ids, and the shared rows came in too.
  public var includesLife: Bool
  /// Where snapshot and table differ in what need not agree: one message each, with both values.
  public var notes: [String]

  /// Creates a summary.
  public init(
    rows: ImportSummary, description: SnapshotDescription, deleted: Int = 0,
    wasApplied: Bool = false, notes: [String] = [], includesLife: Bool = false
  ) {
    self.rows = rows
    self.description = description
    self.deleted = deleted
    self.wasApplied = wasApplied
    self.notes = notes
    self.includesLife = includesLife
  }
}
