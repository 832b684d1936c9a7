#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Seconds on the monotonic clock.
func seconds() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

func fileExists(_ path: String) -> Bool { access(path, F_OK) == 0 }

/// The bytes that a file takes on the disk.
func fileSize(_ path: String) -> Int {
  var status = stat()
  return stat(path, &status) == 0 ? Int(status.st_blocks) * 512 : 0
}

/// Resident memory of this process in KiB, from `/proc/self/status`.
struct ResidentMemory {
  /// Memory of its own: caches, buffers, dirty pages of a commit.
  var anonymous = 0
  /// Pages of mapped files, which the system takes back when it needs them.
  var file = 0

  static func now() -> ResidentMemory {
    var memory = ResidentMemory()
    guard let status = fopen("/proc/self/status", "r") else { return memory }
    defer { fclose(status) }
    var line = [CChar](repeating: 0, count: 256)
    while fgets(&line, Int32(line.count), status) != nil {
      let bytes = line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
      let text = String(decoding: bytes, as: UTF8.self)
      let fields = text.split(whereSeparator: { $0 == ":" || $0.isWhitespace })
      guard fields.count >= 2, let value = Int(fields[1]) else { continue }
      if fields[0] == "RssAnon" { memory.anonymous = value }
      if fields[0] == "RssFile" { memory.file = value }
    }
    return memory
  }
}
