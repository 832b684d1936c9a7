import CLMDB
import Glibc
import StorageBase

/// The file systems on which neither POSIX locks nor shared maps can be trusted, by the number that
/// `statfs` gives them (`linux/magic.h`).
private let unsafeFileSystems: [(magic: UInt32, name: String)] = [
  (0x6969, "NFS"), (0x517B, "SMB"), (0xFF53_4D42, "CIFS"), (0xFE53_4D42, "SMB"),
  (0x6573_5546, "FUSE"), (0x0102_1997, "9p"),
]

/// The name of the file system with this number, if it is one that is refused.
func unsafeFileSystemName(magic: UInt32) -> String? {
  unsafeFileSystems.first { $0.magic == magic }?.name
}

/// Refuses a directory on a network file system.
func checkFileSystem(of path: String) throws(EmbeddingError) {
  var status = statfs()
  guard statfs(path, &status) == 0 else { throw fileError(errno, path, "looking at") }
  guard let name = unsafeFileSystemName(magic: UInt32(truncatingIfNeeded: status.f_type)) else {
    return
  }
  throw EmbeddingError(
    .unsupportedFileSystem,
    "\(path) is on \(name), whose locks and memory maps cannot be trusted: use a local disk, or "
      + "set allowsUnsafeFileSystem if no other machine ever opens it")
}

/// Whether the file system of the open file has no room to speak of: less than 1 MiB, since a short
/// write may leave a little.
func isDiskFull(descriptor: Int32) -> Bool {
  var room = statvfs()
  guard fstatvfs(descriptor, &room) == 0 else { return false }
  // What only the superuser may use counts as taken: a short write shows that it is not for us.
  return UInt64(room.f_bavail) * UInt64(room.f_frsize) < 1 << 20
}
