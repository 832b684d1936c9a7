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
    let path = "/proc/self/status"
    return ResidentMemory(
      anonymous: field("RssAnon", of: path) ?? 0, file: field("RssFile", of: path) ?? 0)
  }
}

/// The memory that programs can get without any being taken from others, page cache included, in
/// bytes; nil where the system does not say.
public func availableBytes() -> Int? {
  field("MemAvailable", of: "/proc/meminfo").map { $0 * 1024 }
}

/// The bytes that this process had read from a disk, pages of mapped files included; nil where the
/// system does not say.
public func diskReadBytes() -> Int? { field("read_bytes", of: "/proc/self/io") }

/// The number in the line `name: number unit` of a file; nil where it has none.
///
/// Cheap, since some ask between the steps that they measure.
private func field(_ name: String, of path: String) -> Int? {
  guard let file = fopen(path, "r") else { return nil }
  defer { fclose(file) }
  let start = name + ":"
  var line = [CChar](repeating: 0, count: 256)
  while fgets(&line, Int32(line.count), file) != nil {
    if strncmp(line, start, start.utf8.count) == 0 {
      return line.withUnsafeBufferPointer { strtol($0.baseAddress! + start.utf8.count, nil, 10) }
    }
  }
  return nil
}
