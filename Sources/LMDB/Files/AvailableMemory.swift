import Glibc

/// The bytes of memory that the system could give to this process, page cache that is not in use
/// included (`MemAvailable` of `/proc/meminfo`); nil where it does not say.
func availableMemory() -> Int? {
  guard let file = fopen("/proc/meminfo", "r") else { return nil }
  defer { fclose(file) }
  let name = "MemAvailable:"
  var line = [CChar](repeating: 0, count: 256)
  while fgets(&line, Int32(line.count), file) != nil {
    guard strncmp(line, name, name.utf8.count) == 0 else { continue }
    return line.withUnsafeBufferPointer { line in
      line.baseAddress.map { strtol($0 + name.utf8.count, nil, 10) * 1024 }
    }
  }
  return nil
}
