import Snapshots
import StorageBase

/// The commit that a write transaction is to become.
struct CommitStamp: Sendable, Hashable {
  /// Its number.
  var generation: UInt64
  /// The point of training that it stands for.
  var point: CommitPoint
}

/// What the record of a table says of its past: which state it is in, and how far back deltas reach.
struct TableHistory: Sendable, Hashable {
  /// What tells this state of the table from all others: a chain of hashes, as of commits in git.
  ///
  /// Each change makes it the hash of what it was before and of what changed. So equal histories
  /// have equal identities, whatever else their databases hold, and of two copies that go separate
  /// ways every later state differs.
  var identity: SnapshotIdentity
  /// The generation of the last commit that changed the table.
  var generation: UInt64
  /// The oldest generation that a delta can begin from.
  var floor: UInt64
  /// Entries of the log of commits.
  var commits: UInt64 = 1
  /// Deleted ids that are kept.
  var deletions: UInt64 = 0

  /// The most commits that are kept.
  static let maximumCommits: UInt64 = 65_536

  /// The most deleted ids that are kept for a table of `rows` rows: with more, the whole table is
  /// the smaller thing to copy.
  static func maximumDeletions(rows: UInt64) -> UInt64 { max(1_000_000, rows) }

  /// The history of a table that is created in the state after commit `generation`.
  init(creating name: String, _ configuration: TableConfiguration, generation: UInt64) {
    var state = RecordWriter()
    state.write(name)
    state.write(UInt32(configuration.dimension))
    state.write(UInt32(configuration.slotCount))
    state.write(configuration.idType.rawValue)
    state.write(configuration.seed)
    state.write(configuration.initializer.name)
    state.write(configuration.initializer.parameters)
    state.write(configuration.optimizer)
    if configuration.admitsOnlySome {
      configuration.admission.write(to: &state)
      state.write(configuration.cutoff)
      state.write(UInt64(configuration.sharedRows))
      state.write(configuration.counting.rawValue)
    }
    identity = SnapshotIdentity(hashOf: state.bytes)
    self.generation = generation
    floor = generation
  }

  /// Moves on to the state that a change leads to.
  mutating func advance(to record: TableRecord, _ stamp: CommitStamp, content: ContentHash) {
    var state = RecordWriter()
    state.write(identity.high)
    state.write(identity.low)
    state.write(stamp.point.step)
    state.write(stamp.point.batches)
    state.write(record.rowCount)
    state.write(record.totalFrequency)
    state.write(record.configuration.optimizer)
    state.write(content.high)
    state.write(content.low)
    identity = SnapshotIdentity(hashOf: state.bytes)
    generation = stamp.generation
  }
}

extension TableHistory {
  /// Appends the fields to a record.
  func encode(to writer: inout RecordWriter) {
    writer.write(identity.high)
    writer.write(identity.low)
    writer.write(generation)
    writer.write(floor)
    writer.write(commits)
    writer.write(deletions)
  }

  /// Reads the fields of a record.
  init(_ reader: inout RecordReader) throws(EmbeddingError) {
    identity = SnapshotIdentity(
      high: try reader.read(UInt64.self), low: try reader.read(UInt64.self))
    generation = try reader.read(UInt64.self)
    floor = try reader.read(UInt64.self)
    commits = try reader.read(UInt64.self)
    deletions = try reader.read(UInt64.self)
  }
}

extension RecordWriter {
  mutating func write(_ parameters: [Hyperparameter]) {
    write(UInt32(parameters.count))
    for parameter in parameters {
      write(parameter.name)
      write(parameter.value)
    }
  }

  mutating func write(_ optimizer: any Optimizer) {
    write(optimizer.name)
    write(optimizer.learningRate)
    write(optimizer.hyperparameters)
  }
}
