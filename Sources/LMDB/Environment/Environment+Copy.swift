import CLMDB
import Glibc
package import StorageBase

extension Environment {
  /// Copies the last commit into the directory `path`, created where it is missing, as an
  /// environment of its own. Other threads go on reading and writing.
  ///
  /// The copy appears under its name whole and durable, or not at all. `compacting` leaves out free
  /// pages: a smaller file, and slower. Throws `.alreadyExists` where the directory holds a
  /// database, and `.reentrancy` inside `write`.
  package func copy(to path: String, compacting: Bool) throws(EmbeddingError) {
    let target = path + "/data.mdb"
    guard !fileExists(target) else {
      throw EmbeddingError(
        .alreadyExists, "\(target) exists already: copy to a new directory, or remove it first")
    }
    guard monitor.withLock({ $0.writer != currentThread }) else {
      throw EmbeddingError(
        .reentrancy, "a copy was begun inside a write transaction of the same thread: end it first")
    }
    try createDirectory(path)
    let partial = target + ".partial-\(getpid())"
    let descriptor = Glibc.open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o664)
    guard descriptor >= 0 else { throw fileError(errno, partial, "creating") }
    do throws(EmbeddingError) {
      defer { _ = Glibc.close(descriptor) }
      try writeCopy(to: descriptor, partial, compacting: compacting)
      guard fsync(descriptor) == 0 else { throw fileError(errno, partial, "syncing") }
      guard rename(partial, target) == 0 else { throw fileError(errno, target, "renaming to") }
    } catch {
      unlink(partial)
      throw error
    }
    try syncDirectory(path)
  }

  /// Writes the last commit to an open file.
  func writeCopy(
    to descriptor: Int32, _ name: String, compacting: Bool
  ) throws(EmbeddingError) {
    // The read transaction keeps the map in place, and takes over another process's growth.
    try read { (_) throws(EmbeddingError) in
      try visit { (environment) throws(EmbeddingError) in
        let flags = compacting ? UInt32(MDB_CP_COMPACT) : 0
        // A plain copy goes through the file, and asks for nothing ahead: for so long the system is to.
        var opened: UInt32 = 0
        mdb_env_get_flags(environment, &opened)
        let isRandom = !compacting && opened & UInt32(MDB_NORDAHEAD) != 0
        if isRandom { advise(MADV_NORMAL, environment) }
        let code = mdb_env_copyfd2(environment, descriptor, flags)
        if isRandom { advise(MADV_RANDOM, environment) }
        if code == EIO, isDiskFull(descriptor: descriptor) {
          throw fileError(ENOSPC, name, "writing")
        }
        try check(code, "copying to \(name)")
      }
    }
  }

  /// Tells the system how the used part of the map is read. Where two copies are made at once, the
  /// first to end slows the other down.
  private func advise(_ advice: Int32, _ environment: OpaquePointer) {
    var info = MDB_envinfo()
    guard mdb_env_info(environment, &info) == MDB_SUCCESS else { return }
    madvise(info.me_mapaddr, (info.me_last_pgno + 1) * pageSize, advice)
  }

  /// Syncs all commits to the medium; needed with durability below `.full` only. After a failure
  /// the environment is poisoned.
  package func sync() throws(EmbeddingError) {
    guard !options.isReadOnly else { return }
    try visit { (environment) throws(EmbeddingError) in
      let code = mdb_env_sync(environment, 1)
      guard code != MDB_SUCCESS else { return }
      let error = EmbeddingError(
        .io,
        "a sync failed, so that it is unknown what is durable: check the disk, then close the "
          + "database and open it again", cause: LMDBError(rawValue: code))
      poison(error)
      throw error
    }
  }
}
