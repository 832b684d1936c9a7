import CLMDB
import Glibc
import StorageBase

/// A return code of liblmdb, as the cause of an ``EmbeddingError``.
package struct LMDBError: Error, Sendable, CustomStringConvertible {
  /// The negative code of LMDB, or a positive `errno`.
  package var rawValue: Int32

  /// LMDB's own text for the code.
  package var description: String { String(cString: mdb_strerror(rawValue)) }
}

/// The error for `code`, which LMDB returned while `doing` (such as "reading a row").
@inline(never)
func lmdbError(_ code: Int32, _ doing: String) -> EmbeddingError {
  let cause = LMDBError(rawValue: code)
  func error(_ kind: EmbeddingError.Code, _ message: String) -> EmbeddingError {
    EmbeddingError(kind, "\(message), while \(doing)", cause: cause)
  }
  switch code {
  case MDB_KEYEXIST:
    return error(.invalidArgument, "the key exists already, or does not follow the last one")
  case MDB_NOTFOUND:
    return error(.notFound, "not found")
  case MDB_PAGE_NOTFOUND, MDB_CORRUPTED:
    return error(
      .corruption, "a page of data.mdb is missing or damaged: restore the directory from a backup")
  case MDB_INVALID, MDB_VERSION_MISMATCH:
    return error(.unsupportedFormat, "data.mdb was not written by a compatible version of LMDB")
  case MDB_PANIC:
    return error(.poisoned, "an earlier failure left the environment unusable: open it again")
  case MDB_MAP_FULL:
    return error(.mapFull, "the memory map is full: allow a larger maximumMapSize")
  case MDB_MAP_RESIZED:
    return error(.mapFull, "another process has grown the data beyond this process's map")
  case MDB_DBS_FULL:
    return error(
      .invalidConfiguration, "too many named databases are open: raise maxNamedDatabases")
  case MDB_READERS_FULL:
    return error(
      .readersFull,
      "all reader slots are taken: end read transactions, clear stale readers, or raise maxReaders "
        + "(the first process to open the directory sets it)")
  case MDB_TXN_FULL:
    return error(.invalidArgument, "the transaction has too many changed pages: write less in one")
  case MDB_BAD_VALSIZE:
    return error(.invalidArgument, "a key or value has a length that LMDB does not take")
  case MDB_BAD_DBI:
    return error(
      .notFound, "the named database was dropped, or opened after this transaction began")
  case MDB_INCOMPATIBLE:
    return error(.configurationMismatch, "the key names something that is no named database")
  case MDB_BAD_RSLOT, MDB_BAD_TXN:
    return error(.invalidArgument, "the transaction has failed before and can only end")
  case EACCES:
    return error(
      .io, "permission denied: check the directory's owner, or open it read-only")
  case EINVAL:
    return error(.invalidArgument, "LMDB refused an argument")
  case ENOENT:
    return error(.notFound, "the directory or its data.mdb does not exist")
  case ENOSPC, EDQUOT:
    return error(.diskFull, "the file system has no room left: free some and try again")
  case EFBIG:
    return error(.diskFull, "data.mdb would pass the limit on file sizes (see ulimit -f)")
  case ENOMEM:
    return error(.io, "out of memory or address space (see ulimit -v): use a smaller mapSize")
  default:
    return error(.io, code > 0 ? "an input/output error" : "an error of LMDB")
  }
}

/// Throws unless `code` is success.
@inline(__always)
func check(_ code: Int32, _ doing: @autoclosure () -> String) throws(EmbeddingError) {
  if code != MDB_SUCCESS { throw lmdbError(code, doing()) }
}
