import Glibc
import StorageBase

/// Checks `data.mdb` before LMDB maps it; false where there is none yet.
///
/// LMDB trusts its file: a truncated one raises `SIGBUS` on reading, a page size of zero `SIGFPE`.
/// To be called with the directory reserved and not yet open: closing the file here would drop the
/// locks of an environment that this process has open.
func checkDataFile(_ path: String, isReadOnly: Bool) throws(EmbeddingError) -> Bool {
  let descriptor = open(path, O_RDONLY | O_CLOEXEC)
  if descriptor < 0, errno == ENOENT { return false }
  guard descriptor >= 0 else { throw fileError(errno, path, "opening") }
  defer { close(descriptor) }

  // Another process may be committing: what was read while it wrote is read again.
  var damage = ""
  for attempt in 0..<3 {
    if attempt > 0 { usleep(20_000) }
    switch try inspect(DataFile(path: path, descriptor: descriptor)) {
    case .whole: return true
    case .empty:
      guard isReadOnly else { return false }
      throw EmbeddingError(
        .notFound, "\(path) is empty: open it writable once to create the database")
    case .damaged(let what): damage = what
    }
  }
  throw EmbeddingError(
    .corruption,
    "\(path) is damaged: \(damage). Restore the directory from a backup or a snapshot; if it is no "
      + "database of this library, choose another directory")
}

private enum Finding {
  case whole
  case empty
  case damaged(String)
}

private func inspect(_ file: DataFile) throws(EmbeddingError) -> Finding {
  // An empty file is what a crash between creating and writing it leaves.
  if try file.size() == 0 { return .empty }
  var metas: [MetaPage] = []
  var offset = 0
  for index in 0..<2 {
    guard let bytes = try file.read(count: MetaPage.size, at: offset) else {
      return .damaged("it ends within meta page \(index)")
    }
    let meta = MetaPage(bytes)
    if let problem = meta.problem { return .damaged("meta page \(index) has \(problem)") }
    metas.append(meta)
    offset = meta.pageSize
  }
  guard metas[0].pageSize == metas[1].pageSize else {
    return .damaged("its meta pages give two page sizes")
  }
  let meta = metas[0].transactionID > metas[1].transactionID ? metas[0] : metas[1]
  // The size is read after the meta page: a commit writes the pages before it.
  let pages = try file.size() / meta.pageSize
  guard meta.lastPage < UInt64(Int32.max) * 4096 else {
    return .damaged("the number of its last page, \(meta.lastPage), is absurd")
  }
  let needed = Int(meta.lastPage) + 1
  if pages >= needed { return .whole }
  // Pages that were taken and given back within one transaction at the end of the file are never
  // written, so a whole file may be short; but then every missing page is on the free list.
  if try FreeList(file, meta).containsAll(pages..<needed) { return .whole }
  return .damaged("it has \(pages) pages of the \(needed) that its last commit counts (truncated)")
}
