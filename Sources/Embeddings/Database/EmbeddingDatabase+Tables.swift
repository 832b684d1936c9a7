import LMDB
public import StorageBase
import Synchronization

extension EmbeddingDatabase {
  /// The names of all tables, sorted.
  public var tableNames: [String] {
    get throws(EmbeddingError) {
      try read { (view) throws(EmbeddingError) in try view.tableNames() }
    }
  }

  /// Opens a table, creating it where it does not exist.
  ///
  /// The creation is durable at once, whatever was committed.
  ///
  /// - Parameters:
  ///   - name: 1 to 255 bytes of UTF-8.
  ///   - configuration: what the table is; must be what it was created with, except for the learning
  ///     rate.
  /// - Throws: ``EmbeddingError/Code/configurationMismatch``, naming both values;
  ///   ``EmbeddingError/Code/invalidConfiguration``; ``EmbeddingError/Code/readOnly``.
  public func table(
    _ name: String, _ configuration: TableConfiguration
  ) throws(EmbeddingError) -> EmbeddingTable {
    try checkOpen()
    try configuration.validate()
    if let core = try openCore(name) {
      let stored = core.state.withLock { $0.record.configuration }
      if let difference = configuration.difference(from: stored) {
        throw EmbeddingError(
          .configurationMismatch,
          "Table \(name) is another one: \(difference). Open it with what is stored, choose another "
            + "name, or change hyper-parameters with setOptimizer(_:of:).")
      }
      try core.use(configuration.optimizer)
      if let policy = configuration.eviction, policy != stored.eviction, !isReadOnly {
        try setEviction(policy, of: name)
      }
      return EmbeddingTable(core, of: self)
    }
    try checkWritable("create table \(name)")
    try checkName(name, configuration)
    guard try tableNames.count < Self.maximumTableCount else {
      throw EmbeddingError(
        .invalidArgument,
        "The database \(path) has \(Self.maximumTableCount) tables, which is the limit. Use another "
          + "database, or one table for several features, with ids that tell them apart.")
    }
    return EmbeddingTable(try create(name, configuration), of: self)
  }

  /// Opens a table that exists, with the configuration that is stored.
  ///
  /// - Throws: ``EmbeddingError/Code/notFound``.
  public func table(_ name: String) throws(EmbeddingError) -> EmbeddingTable {
    try checkOpen()
    guard let core = try openCore(name) else {
      let names = try tableNames
      throw EmbeddingError(
        .notFound,
        "The database \(path) has no table named \(name). It has: "
          + (names.isEmpty ? "none." : names.joined(separator: ", ") + "."))
    }
    return EmbeddingTable(core, of: self)
  }

  /// Refuses names that a new table cannot have.
  private func checkName(
    _ name: String, _ configuration: TableConfiguration
  ) throws(EmbeddingError) {
    let most = configuration.sharedRows > 0 ? 255 - SharedRows.suffix.utf8.count : 255
    guard !name.isEmpty, name.utf8.count <= most else {
      throw EmbeddingError(
        .invalidArgument,
        "A table's name has 1 to 255 bytes, with shared rows to \(most); this has "
          + "\(name.utf8.count).")
    }
    guard !name.hasSuffix(SharedRows.suffix) else {
      throw EmbeddingError(
        .invalidArgument,
        "The name \(name) is that of the shared rows of another table. Choose one that does not end "
          + "in \(SharedRows.suffix).")
    }
  }

  /// Changes the hyper-parameters of a table's optimizer. The rows' slots stay as they are, so the
  /// optimizer must be of the same name and keep as many slots.
  ///
  /// - Throws: ``EmbeddingError/Code/configurationMismatch`` for another optimizer.
  public func setOptimizer(
    _ optimizer: any Optimizer, of name: String
  ) throws(EmbeddingError) {
    try checkWritable("change the optimizer")
    let core = try table(name).core
    if let shared = core.shared { try setOptimizer(optimizer, of: shared.storage.name) }
    try alone { () throws(EmbeddingError) in
      var changed = core.state.withLock { $0.record }
      let stored = changed.configuration
      let slots = optimizer.slotCount(dimension: stored.dimension)
      guard optimizer.name == stored.optimizer.name, slots == stored.slotCount else {
        throw EmbeddingError(
          .configurationMismatch,
          "Table \(name) is trained with \(stored.optimizer.name) (\(stored.slotCount) slots a row); "
            + "\(optimizer.name) (\(slots) slots) cannot go on with its rows. Import the vectors "
            + "into a new table instead.")
      }
      changed.configuration.optimizer = optimizer
      let newState = try TableCore.State(record: changed)
      let (_, record) = try writeTable(core) {
        (transaction, before, stamp) throws(EmbeddingError) -> (Void, TableRecord) in
        var recorder = ChangeRecorder(core.storage, before, stamp)
        var record = changed
        try recorder.finish(&record, in: transaction)
        return ((), record)
      }
      core.locations.removeAll()
      core.sampler.invalidate()
      core.state.withLock { state in
        state = newState
        state.record = record
      }
    }
  }

  /// Removes a table and all its rows, its shared ones too, durable at once. Its ``EmbeddingTable`` objects must not be
  /// used any more.
  public func dropTable(_ name: String) throws(EmbeddingError) {
    try checkWritable("drop a table")
    guard !name.hasSuffix(SharedRows.suffix) else {
      throw EmbeddingError(
        .invalidArgument,
        "Table \(name) holds the shared rows of another one, with which it goes.")
    }
    let core = try table(name).core
    let cores = [core] + (core.shared.map { [$0] } ?? [])
    try alone { () throws(EmbeddingError) in
      try environment.write { (transaction) throws(EmbeddingError) in
        for core in cores {
          try transaction.drop(core.storage.ids)
          try transaction.drop(core.storage.blocks)
          try transaction.drop(core.storage.state)
          let key = Array(TableRecord.key(core.storage.name).utf8)
          _ = try key.withBytes { (key) throws(EmbeddingError) in
            try transaction.delete(key, in: meta)
          }
        }
        try deleteEvictions(name, in: transaction)
      }
      for core in cores {
        core.cache.removeAll()
        core.locations.removeAll()
        openTables.withLock { $0[core.storage.name] = nil }
      }
    }
  }

  /// The table if it exists, opened once for everybody.
  private func openCore(_ name: String) throws(EmbeddingError) -> TableCore? {
    try openTables.withLock { (tables) throws(EmbeddingError) in
      try openCore(name, &tables)
    }
  }

  private func openCore(
    _ name: String, _ tables: inout [String: TableCore]
  ) throws(EmbeddingError) -> TableCore? {
    if let core = tables[name] { return core }
    let record = try environment.read { (transaction) throws(EmbeddingError) in
      try tableRecord(name, in: transaction)
    }
    guard let record else { return nil }
    var shared: TableCore?
    if record.configuration.sharedRows > 0 {
      let sharedName = SharedRows.tableName(of: name)
      shared = try openCore(sharedName, &tables)
      guard shared != nil else {
        throw EmbeddingError(.corruption, "Table \(name) has lost its table \(sharedName).")
      }
    }
    let core = try TableCore(
      name: name, record: record, trees: try openTrees(of: record), shared: shared,
      budget: budget, pageSize: environment.pageSize)
    tables[name] = core
    return core
  }

  func openTrees(of table: TableRecord) throws(EmbeddingError) -> TableTrees {
    func open(_ name: String) throws(EmbeddingError) -> NamedDatabase {
      guard let tree = try environment.namedDatabase(name, integerKeys: true, create: false) else {
        throw EmbeddingError(
          .corruption, "The tree \(name) of table number \(table.number) is missing.")
      }
      return tree
    }
    return TableTrees(
      ids: try open(TableTrees.idsName(table.number)),
      blocks: try open(TableTrees.blocksName(table.number)),
      state: try open(TableTrees.stateName(table.number)))
  }

  func tableRecord<T: ReadableTransaction & ~Copyable>(
    _ name: String, in transaction: borrowing T
  ) throws(EmbeddingError) -> TableRecord? {
    guard let stored = try Self.get(TableRecord.key(name), from: meta, transaction) else {
      return nil
    }
    var record = try TableRecord(stored, name: name)
    if let stored = try Self.get(EvictionRecord.key(name), from: meta, transaction) {
      try EvictionRecord.decode(stored, into: &record, name: name)
    }
    return record
  }

  private func create(
    _ name: String, _ configuration: TableConfiguration
  ) throws(EmbeddingError) -> TableCore {
    try alone { () throws(EmbeddingError) in
      try openTables.withLock { (tables) throws(EmbeddingError) in
        // Another thread may have created it meanwhile.
        if let core = tables[name] { return core }
        var database = state.withLock { $0.record }
        let (core, shared) = try environment.write {
          (transaction) throws(EmbeddingError) -> (TableCore, TableCore?) in
          database.nextTable = state.withLock { $0.record.nextTable }
          var shared: TableCore?
          if let sharing = configuration.ofSharedRows {
            shared = try create(
              SharedRows.tableName(of: name), sharing, shared: nil, &database, in: transaction)
          }
          let core = try create(
            name, configuration, shared: shared, &database, in: transaction)
          try Self.put(database.encode(), under: DatabaseRecord.key, in: meta, transaction)
          return (core, shared)
        }
        state.withLock { $0.record.nextTable = database.nextTable }
        tables[name] = core
        if let shared { tables[shared.storage.name] = shared }
        return core
      }
    }
  }

  /// Makes a table in a transaction.
  private func create(
    _ name: String, _ configuration: TableConfiguration, shared: TableCore?,
    _ database: inout DatabaseRecord, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) -> TableCore {
    var record = TableRecord(
      number: database.nextTable, name: name, configuration: configuration,
      generation: database.generation)
    if configuration.eviction != nil { record.evictions.lastStep = database.point.step }
    database.nextTable += 1
    let core = try TableCore(
      name: name, record: record,
      trees: try TableTrees(creating: record.number, in: transaction), shared: shared,
      budget: budget, pageSize: environment.pageSize)
    try CommitLog(storage: core.storage).append(
      CommitLog.Entry(
        generation: database.generation, point: database.point,
        identity: record.history.identity, deletions: 0),
      in: transaction)
    try Self.put(record.encode(), under: TableRecord.key(name), in: meta, transaction)
    try putEvictions(record, name: name, in: transaction)
    return core
  }
}

extension TableCore {
  /// Takes the caller's optimizer object, whose learning rate may differ from what is stored, and
  /// which may be one that the stored record only names.
  func use(_ optimizer: any Optimizer) throws(EmbeddingError) {
    try shared?.use(optimizer)
    var record = state.withLock { $0.record }
    record.configuration.optimizer = optimizer
    let newState = try State(record: record)
    state.withLock { state in
      // Not the record as a whole: a commit may have come between.
      state.record.configuration.optimizer = optimizer
      state.optimizer = newState.optimizer
      state.initialSlots = newState.initialSlots
    }
  }
}
