#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// The most memory that this process had resident, in bytes.
public func peakResidentBytes() -> Int {
  var usage = rusage()
  // 0 is RUSAGE_SELF, whose type differs between systems.
  getrusage(0, &usage)
  return Int(usage.ru_maxrss) * 1024
}

/// Resident memory of this process in KiB, from `/proc/self/status`.
public struct ResidentMemory {
  /// Memory of its own: caches, buffers, dirty pages of a commit.
  public var anonymous = 0
  /// Pages of mapped files, which the system takes back when it needs them.
  public var file = 0

  /// What it has now.
  public static func now() -> ResidentMemory {
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
