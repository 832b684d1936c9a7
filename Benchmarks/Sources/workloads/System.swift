import Machine

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Whether a file is there, and was last written after this program was built.
func isNewerThanProgram(_ path: String) -> Bool {
  var file = stat()
  var program = stat()
  guard stat(path, &file) == 0, stat(CommandLine.arguments[0], &program) == 0 else { return false }
  return modificationTime(file) > modificationTime(program)
}

private func modificationTime(_ status: stat) -> Int {
  #if os(Linux)
    Int(status.st_mtim.tv_sec)
  #else
    Int(status.st_mtimespec.tv_sec)
  #endif
}

/// Drops a file, which no process may have mapped, from the page cache.
func dropFromPageCache(_ path: String) {
  let file = open(path, O_RDONLY)
  guard file >= 0 else { return }
  defer { close(file) }
  // Only what is on the disk can be dropped.
  fsync(file)
  #if os(Linux)
    posix_fadvise(file, 0, 0, Int32(POSIX_FADV_DONTNEED))
  #endif
}

/// Drops a file from the page cache, and reads it once in its order: only its end, where memory has no
/// room for more, since what was read before would be dropped again.
func readOnce(_ path: String) {
  dropFromPageCache(path)
  let file = open(path, O_RDONLY)
  guard file >= 0 else { return }
  defer { close(file) }
  if let available = availableBytes() {
    lseek(file, off_t(max(0, fileSize(path) - available)), SEEK_SET)
  }
  let size = 4 << 20
  let buffer = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 4096)
  defer { buffer.deallocate() }
  while read(file, buffer, size) > 0 {}
}

/// Touches `bytes` of memory and gives them back to the system: what a virtual machine gave back to
/// its host costs many times as much to touch as what it still has.
func touchMemory(_ bytes: Int) {
  guard bytes > 0 else { return }
  let memory = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
  guard let memory, memory != MAP_FAILED else { return }
  for offset in stride(from: 0, to: bytes, by: 4096) {
    memory.storeBytes(of: 1, toByteOffset: offset, as: UInt8.self)
  }
  munmap(memory, bytes)
}

/// Writes a file of `bytes` in `directory` and removes it, so that what is written next finds blocks
/// that the disk has had before. Returns the seconds until it was durable.
@discardableResult
func touchDisk(_ bytes: Int, in directory: String) -> Double {
  let path = directory + "/touched"
  let file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0o666)
  guard file >= 0 else { return .nan }
  let size = 4 << 20
  let buffer = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 4096)
  memset(buffer, 0x5a, size)
  let start = seconds()
  var written = 0
  while written < bytes, write(file, buffer, size) == size { written += size }
  fsync(file)
  let total = seconds() - start
  close(file)
  unlink(path)
  buffer.deallocate()
  return total
}
