import CLMDB
import Glibc
import StorageBase
import Synchronization

/// Why the readers of this process must leave for a moment.
enum GatePurpose {
  case moveMap
  case dropDatabase

  /// The error where the thread that needs it reads itself, and would wait for ever.
  var heldByThisThread: EmbeddingError {
    switch self {
    case .moveMap:
      EmbeddingError(
        .mapFull,
        "the memory map must grow, but this thread holds a read transaction, under which the map "
          + "cannot move: end it before the write, or open the environment with a larger mapSize")
    case .dropDatabase:
      EmbeddingError(
        .reentrancy,
        "a named database is dropped while this thread holds a read transaction: end it first")
    }
  }

  /// The error where other threads go on reading.
  func heldByOthers(seconds: Int) -> EmbeddingError {
    switch self {
    case .moveMap:
      EmbeddingError(
        .mapFull,
        "the memory map must grow, but read transactions of other threads stayed open for "
          + "\(seconds) s: end them, or open the environment with a larger mapSize")
    case .dropDatabase:
      EmbeddingError(
        .reentrancy,
        "a named database is dropped, but read transactions of other threads stayed open for "
          + "\(seconds) s: end them first")
    }
  }
}

extension Environment {
  /// Runs `body` while no transaction of this process is open. The caller has the right to write,
  /// and no write transaction.
  ///
  /// Throws where this thread holds a read transaction, or others do not end theirs in time.
  func withGateClosed<R>(
    for purpose: GatePurpose, _ body: (OpaquePointer) throws(EmbeddingError) -> R
  ) throws(EmbeddingError) -> R {
    let thread = currentThread
    let environment = try monitor.locked { (state) throws(EmbeddingError) -> OpaquePointer in
      guard !state.holdsSlot(thread) else { throw purpose.heldByThisThread }
      state.isGateClosed = true
      return state.environment!
    }
    defer {
      monitor.withLock { $0.isGateClosed = false }
      monitor.broadcast()
    }
    // Waiting writers that read are told to give up.
    monitor.broadcast()
    let isDrained: Bool? = try monitor.wait(seconds: options.growthTimeout) {
      (state) throws(EmbeddingError) -> Bool? in state.active == 0 ? true : nil
    }
    guard isDrained != nil else {
      throw purpose.heldByOthers(seconds: options.growthTimeout)
    }
    return try body(environment)
  }

  /// Grows the map after a transaction that found it full. The caller has the right to write.
  func grow() throws(EmbeddingError) {
    try withGateClosed(for: .moveMap) { (environment) throws(EmbeddingError) in
      // A reader that was killed keeps pages from being used again; without it there may be room.
      var cleared: Int32 = 0
      if mdb_reader_check(environment, &cleared) == MDB_SUCCESS, cleared > 0 { return }

      let size = mapSize(of: environment)
      let limit = Self.roundedToPage(options.maximumMapSize ?? 1 << 46)
      guard size < limit else {
        throw EmbeddingError(
          .mapFull,
          "the database has reached its largest size, \(limit) bytes: raise maximumMapSize")
      }
      try move(environment, to: min(size * 2, limit), from: size)
    }
  }

  /// Takes over the map size that another process has grown the data to. The caller has the right
  /// to write.
  func adoptMapSize() throws(EmbeddingError) {
    try withGateClosed(for: .moveMap) { (environment) throws(EmbeddingError) in
      try move(environment, to: 0, from: mapSize(of: environment))
    }
  }

  /// The same for a reader, which does not have the right to write.
  func adoptMapSizeForReading() throws(EmbeddingError) {
    if monitor.withLock({ $0.holdsSlot(currentThread) }) {
      throw GatePurpose.moveMap.heldByThisThread
    }
    _ = try takeWriter("following another process's growth")
    defer { releaseWriter() }
    try adoptMapSize()
  }

  private func move(_ environment: OpaquePointer, to size: Int, from old: Int)
    throws(EmbeddingError)
  {
    mapMoves.add(1, ordering: .relaxed)
    let code = mdb_env_set_mapsize(environment, size)
    if code == MDB_SUCCESS { return }
    let error = lmdbError(code, "moving the memory map to \(size) bytes")
    // LMDB has unmapped the old map by now: without it nothing can go on.
    if mdb_env_set_mapsize(environment, old) != MDB_SUCCESS { poison(error) }
    throw EmbeddingError(
      .mapFull,
      "the memory map cannot grow beyond \(old) bytes: raise the address-space limit "
        + "(ulimit -v)", cause: error)
  }

  private func mapSize(of environment: OpaquePointer) -> Int {
    var info = MDB_envinfo()
    mdb_env_info(environment, &info)
    return info.me_mapsize
  }
}
