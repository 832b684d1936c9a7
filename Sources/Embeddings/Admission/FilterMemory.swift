#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Memory of filters, all zeros, aligned to two cache lines (processors fetch them in pairs), large
/// pieces on huge pages.
enum FilterMemory {
  static let line = 64
  private static let alignment = 128
  private static let hugePage = 2 << 20

  static func zeroed(_ bytes: Int) -> UnsafeMutableRawPointer {
    let isLarge = bytes >= 2 * hugePage
    var memory: UnsafeMutableRawPointer?
    let status = posix_memalign(&memory, isLarge ? hugePage : alignment, bytes)
    precondition(status == 0, "out of memory: an admission filter needs \(bytes) bytes more")
    let start = memory.unsafelyUnwrapped
    #if os(Linux)
      // A wish: without huge pages everything works as well, only slower.
      if isLarge { madvise(start, bytes, MADV_HUGEPAGE) }
    #endif
    memset(start, 0, bytes)
    return start
  }

  static func free(_ memory: UnsafeMutableRawPointer) {
    #if canImport(Glibc)
      Glibc.free(memory)
    #elseif canImport(Musl)
      Musl.free(memory)
    #elseif canImport(Darwin)
      Darwin.free(memory)
    #endif
  }
}
