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
    let status = fields(of: "/proc/self/status")
    return ResidentMemory(anonymous: status["RssAnon"] ?? 0, file: status["RssFile"] ?? 0)
  }
}

/// The memory that programs can get without any being taken from others, page cache included, in
/// bytes; nil where the system does not say.
public func availableBytes() -> Int? {
  fields(of: "/proc/meminfo")["MemAvailable"].map { $0 * 1024 }
}

/// The bytes that this process had read from a disk, pages of mapped files included; nil where the
/// system does not say.
public func diskReadBytes() -> Int? { fields(of: "/proc/self/io")["read_bytes"] }

/// The numbers of a file of lines `name: number unit`.
private func fields(of path: String) -> [String: Int] {
  var numbers: [String: Int] = [:]
  guard let file = fopen(path, "r") else { return numbers }
  defer { fclose(file) }
  var line = [CChar](repeating: 0, count: 256)
  while fgets(&line, Int32(line.count), file) != nil {
    let bytes = line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
    let text = String(decoding: bytes, as: UTF8.self)
    let fields = text.split(whereSeparator: { $0 == ":" || $0.isWhitespace })
    guard fields.count >= 2, let value = Int(fields[1]) else { continue }
    numbers[String(fields[0])] = value
  }
  return numbers
}
