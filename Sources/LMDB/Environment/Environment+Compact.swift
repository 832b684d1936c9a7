import CLMDB
import Glibc
package import StorageBase

extension Environment {
  /// The copy that takes the place of `data.mdb`, in the same directory.
  package static func compactedFile(in directory: String) -> String {
    directory + "/data.mdb.compacting"
  }

  /// Removes what a process left that was killed while it compacted. The caller has the right to
  /// write, which whoever compacts must have.
  package static func removeLeftovers(in directory: String) { unlink(compactedFile(in: directory)) }

  /// Replaces `data.mdb` by a copy without free pages, and closes the environment. Returns the
  /// bytes before and after.
  ///
  /// The caller makes sure that no other process of its kind writes. Whatever happens, a crash
  /// included, the directory holds the old file or the new one, whole. Throws `.environmentInUse`
  /// where any process has the environment open: it would go on reading the old file, unnoticed.
  ///
  /// The new file goes on with the old one's transaction numbers, so that all that `lock.mdb` holds
  /// stays true of it. LMDB's own compacting copy begins at 1; a process that waited for the lock
  /// meanwhile, and took the table of readers over as it is, would read the wrong meta page.
  package func compactAndClose() throws(EmbeddingError) -> (before: Int, after: Int) {
    try checkWritable()
    let file = path + "/data.mdb"
    let compacted = Self.compactedFile(in: path)
    let before = try fileSize(path)
    let last = try statistics().lastTransactionID
    var status = stat()
    guard stat(file, &status) == 0 else { throw fileError(errno, file, "looking at") }
    unlink(compacted)
    let descriptor = Glibc.open(compacted, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw fileError(errno, compacted, "creating") }
    do throws(EmbeddingError) {
      defer { _ = Glibc.close(descriptor) }
      try writeCopy(to: descriptor, compacted, compacting: true)
      try setTransaction(last, descriptor, compacted)
      // Others who could open the old file can open the new one; an owner is only for root to keep.
      _ = fchown(descriptor, status.st_uid, status.st_gid)
      guard fchmod(descriptor, status.st_mode & 0o7777) == 0, fsync(descriptor) == 0 else {
        throw fileError(errno, compacted, "syncing")
      }
      try close()
      try replace(file, by: compacted, at: last)
    } catch {
      unlink(compacted)
      throw error
    }
    return (before, try fileSize(path))
  }

  /// Makes both meta pages of a compacted copy name its one commit, as transactions `last` and the
  /// one before it.
  private func setTransaction(
    _ last: UInt64, _ descriptor: Int32, _ name: String
  ) throws(EmbeddingError) {
    guard last > 0 else { return }
    let copy = DataFile(path: name, descriptor: descriptor)
    // LMDB writes the copy's commit to meta page 1, and an empty one to page 0.
    guard var page = try copy.read(count: MetaPage.size, at: pageSize),
      MetaPage(page).problem == nil
    else { throw EmbeddingError(.io, "\(name) is not what was written there: check the disk") }
    for number in 0..<2 as Range<UInt64> {
      MetaPage.set(page: number, transaction: number == last & 1 ? last : last - 1, in: &page)
      let written = page.withUnsafeBytes {
        pwrite(descriptor, $0.baseAddress, $0.count, off_t(Int(number) * pageSize))
      }
      guard written == page.count else { throw fileError(errno, name, "writing") }
    }
  }

  /// Puts the copy in the place of the file. Nobody has that open, nor can open it meanwhile: LMDB
  /// holds a shared lock on the first byte of `lock.mdb` as long as it has an environment open.
  private func replace(
    _ file: String, by compacted: String, at last: UInt64
  ) throws(EmbeddingError) {
    // Closing the lock file, below, would drop the locks of an environment of this process.
    let key = try EnvironmentRegistry.reserve(path)
    defer { EnvironmentRegistry.release(key) }
    let lockFile = path + "/lock.mdb"
    let descriptor = Glibc.open(lockFile, O_RDWR | O_CLOEXEC)
    guard descriptor >= 0 else { throw fileError(errno, lockFile, "opening") }
    defer { _ = Glibc.close(descriptor) }
    var lock = flock()
    lock.l_type = Int16(F_WRLCK)
    lock.l_whence = Int16(SEEK_SET)
    lock.l_len = 1
    guard fcntl(descriptor, F_SETLK, &lock) == 0 else {
      throw EmbeddingError(
        .environmentInUse,
        "\(path) is open in another process, or being opened: end every process that reads it, then "
          + "compact again. Or compact to another directory")
    }
    guard try lastTransaction(of: file) == last else {
      throw EmbeddingError(
        .environmentInUse, "another process wrote to \(path) while it was compacted: end it first")
    }
    guard rename(compacted, file) == 0 else { throw fileError(errno, file, "renaming to") }
    try syncDirectory(path)
  }

  private func lastTransaction(of file: String) throws(EmbeddingError) -> UInt64? {
    let descriptor = Glibc.open(file, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw fileError(errno, file, "opening") }
    defer { _ = Glibc.close(descriptor) }
    let data = DataFile(path: file, descriptor: descriptor)
    guard let first = try data.read(count: MetaPage.size, at: 0),
      let second = try data.read(count: MetaPage.size, at: pageSize)
    else { return nil }
    return max(MetaPage(first).transactionID, MetaPage(second).transactionID)
  }

  /// Whether the file that LMDB has open is still the one in the directory: a reader opens it before
  /// it waits for the lock, and meanwhile a compacted one may have taken its place.
  static func isCurrent(_ environment: OpaquePointer, _ path: String) -> Bool {
    var descriptor: Int32 = -1
    var (opened, named) = (stat(), stat())
    guard mdb_env_get_fd(environment, &descriptor) == MDB_SUCCESS,
      fstat(descriptor, &opened) == 0, stat(path + "/data.mdb", &named) == 0
    else { return true }
    return opened.st_ino == named.st_ino && opened.st_dev == named.st_dev
  }
}
