#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Whether there is something at a path.
public func fileExists(_ path: String) -> Bool { access(path, F_OK) == 0 }

/// The length of a file in bytes.
public func fileSize(_ path: String) -> Int {
  var status = stat()
  return stat(path, &status) == 0 ? Int(status.st_size) : 0
}

/// The bytes that a file takes on the disk.
public func allocatedBytes(_ path: String) -> Int {
  var status = stat()
  return stat(path, &status) == 0 ? Int(status.st_blocks) * 512 : 0
}

/// Makes a directory, if it is not there.
public func makeDirectory(_ path: String) { mkdir(path, 0o777) }

/// Removes a file, if it is there.
public func removeFile(_ path: String) { unlink(path) }

/// Removes a database's directory, if it is there.
public func removeDatabase(_ path: String) {
  for file in ["data.mdb", "lock.mdb", "writer.lock"] { unlink(path + "/" + file) }
  rmdir(path)
}
