import CLMDB
import Glibc
import StorageBase

extension Environment {
  /// Decides what a failed write or commit means, and throws it.
  ///
  /// LMDB commits in three steps: it writes the changed pages to free places of the file, syncs
  /// them, and writes the meta page that names them. Its return code does not say which failed.
  ///
  /// 1. **The meta page.** LMDB marks the environment as failed, and every begin gives
  ///    `MDB_PANIC`. The old or the new commit may be on the medium: poisoned, always.
  /// 2. **The sync**, or the writing of pages, with an error other than "no room": which of the two
  ///    it was cannot be told, and after a failed sync the kernel may have dropped the pages and
  ///    call them clean: poisoned. Within a transaction (pages spilled early) and with `.noSync`
  ///    there is no sync to fail, so nothing became unknown: `.io`.
  /// 3. **No room** (`ENOSPC`, `EDQUOT`, `EFBIG`, or the `EIO` of a short write on a full disk).
  ///    The pages that found no room belong to no commit, the last commit was synced before its
  ///    meta page named it, and the next commit writes all of its own pages: `.diskFull`, and the
  ///    environment works on once there is room. Not so with `.lastCommitMayBeLost`, where the sync
  ///    that may have failed was also the last commit's: poisoned.
  /// 4. **Anything else** (a full map, too many pages, no memory) comes before the first page is
  ///    written: the transaction is undone, nothing more.
  func settle(
    _ code: Int32, isCommit: Bool, _ environment: OpaquePointer
  ) throws(EmbeddingError) -> Never {
    let doing = isCommit ? "committing" : "writing"
    let cause = LMDBError(rawValue: code)
    if code < 0 && code != MDB_PANIC || code == ENOMEM || code == EINVAL || code == EACCES {
      throw lmdbError(code, doing)
    }
    var isFull = code == ENOSPC || code == EDQUOT || code == EFBIG
    if code == EIO { isFull = isDiskFull(environment) }
    let isMetaUnknown = code == MDB_PANIC || hasPanicked(environment)
    let maySyncHaveFailed: Bool =
      switch options.durability {
      case .full: isCommit && !isFull
      case .lastCommitMayBeLost: isCommit && code != EFBIG
      case .noSync: false
      }
    guard isMetaUnknown || maySyncHaveFailed else {
      if isFull { throw lmdbError(code == EIO ? ENOSPC : code, doing) }
      throw lmdbError(code, doing)
    }
    let error = EmbeddingError(
      isFull ? .diskFull : .io,
      "a commit failed in a way that leaves it unknown what is durable: "
        + (isFull ? "make room, then " : "check the disk, then ")
        + "close the database and open it again", cause: cause)
    poison(error)
    throw error
  }

  /// Whether LMDB has marked the environment as failed.
  private func hasPanicked(_ environment: OpaquePointer) -> Bool {
    var probe: OpaquePointer?
    let code = mdb_txn_begin(environment, nil, UInt32(MDB_RDONLY), &probe)
    if code == MDB_SUCCESS { mdb_txn_abort(probe) }
    return code == MDB_PANIC
  }

  /// Whether a short write is explained by a full file system, or by the limit on file sizes.
  private func isDiskFull(_ environment: OpaquePointer) -> Bool {
    var descriptor: Int32 = -1
    guard mdb_env_get_fd(environment, &descriptor) == MDB_SUCCESS else { return false }
    if LMDB.isDiskFull(descriptor: descriptor) { return true }
    var limit = rlimit()
    var status = stat()
    guard getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0,
      fstat(descriptor, &status) == 0
    else { return false }
    return UInt64(status.st_size) >= UInt64(limit.rlim_cur)
  }
}
