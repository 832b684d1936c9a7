import Glibc
import StorageBase

/// The error for `number`, met while `doing` (such as "opening") something to `path`.
func fileError(_ number: Int32, _ path: String, _ doing: String) -> EmbeddingError {
  let cause = SystemErrno(rawValue: number)
  return switch number {
  case ENOENT: EmbeddingError(.notFound, "\(path) does not exist", cause: cause)
  case EEXIST: EmbeddingError(.alreadyExists, "\(path) exists already", cause: cause)
  case ENOSPC, EDQUOT:
    EmbeddingError(.diskFull, "no room left while \(doing) \(path): free some", cause: cause)
  case EROFS: EmbeddingError(.readOnly, "\(path) is on a read-only file system", cause: cause)
  default: EmbeddingError(.io, "\(doing) \(path) failed", cause: cause)
  }
}

/// Whether anything stands at `path`.
func fileExists(_ path: String) -> Bool { access(path, F_OK) == 0 }

/// The folder that holds `path`.
func parentDirectory(_ path: String) -> String {
  var path = path[...]
  while path.count > 1, path.last == "/" { path.removeLast() }
  guard let slash = path.lastIndex(of: "/") else { return "." }
  return slash == path.startIndex ? "/" : String(path[..<slash])
}

/// Creates the directory at `path` and those above it where they are missing.
func createDirectory(_ path: String) throws(EmbeddingError) {
  if mkdir(path, 0o777) == 0 { return try syncDirectory(parentDirectory(path)) }
  let number = errno
  if number == ENOENT, parentDirectory(path) != path {
    try createDirectory(parentDirectory(path))
    return try createDirectory(path)
  }
  guard number == EEXIST else { throw fileError(number, path, "creating the directory") }
}

/// Makes the names in the directory at `path` durable.
func syncDirectory(_ path: String) throws(EmbeddingError) {
  let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
  guard descriptor >= 0 else { throw fileError(errno, path, "opening") }
  defer { close(descriptor) }
  // Some file systems have nothing to sync for a directory and say EINVAL.
  guard fsync(descriptor) == 0 || errno == EINVAL else { throw fileError(errno, path, "syncing") }
}
