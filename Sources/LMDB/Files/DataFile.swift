import Glibc
import StorageBase

/// `data.mdb`, read with plain reads before LMDB maps it.
struct DataFile {
  let path: String
  let descriptor: Int32

  /// Its bytes.
  func size() throws(EmbeddingError) -> Int {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw fileError(errno, path, "looking at") }
    return Int(status.st_size)
  }

  /// Exactly `count` bytes; nil where the file ends before.
  func read(count: Int, at offset: Int) throws(EmbeddingError) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: count)
    var filled = 0
    while filled < count {
      let got = bytes.withUnsafeMutableBytes {
        pread(descriptor, $0.baseAddress! + filled, count - filled, off_t(offset + filled))
      }
      if got < 0, errno == EINTR { continue }
      guard got >= 0 else { throw fileError(errno, path, "reading") }
      if got == 0 { return nil }
      filled += got
    }
    return bytes
  }
}

/// The size of the `data.mdb` in the directory `path`, without opening it.
func fileSize(_ path: String) throws(EmbeddingError) -> Int {
  var status = stat()
  guard stat(path + "/data.mdb", &status) == 0 else {
    throw fileError(errno, path + "/data.mdb", "looking at")
  }
  return Int(status.st_size)
}
