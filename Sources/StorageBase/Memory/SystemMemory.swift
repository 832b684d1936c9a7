#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// The machine's memory, and how to take some for large arrays that are read in random order: with
/// pages of 4 KiB nearly every read would miss the processor's table of addresses.
package enum SystemMemory {
  /// Bytes of a huge page.
  package static let hugePage = 2 << 20

  /// The machine's memory; nil where the system does not tell.
  package static var machineBytes: Int? {
    let (pages, page) = (sysconf(Int32(_SC_PHYS_PAGES)), sysconf(Int32(_SC_PAGESIZE)))
    return pages > 0 && page > 0 ? pages * page : nil
  }

  /// Takes memory, whose contents are undefined.
  ///
  /// - Parameters:
  ///   - alignment: a power of two; with huge pages, theirs at least.
  ///   - onHugePages: a wish: without them everything works as well, only slower.
  ///   - user: who needs it, in the plural, for the message if there is none.
  package static func allocate(
    _ bytes: Int, alignment: Int, onHugePages: Bool, for user: String
  ) -> UnsafeMutableRawPointer {
    var memory: UnsafeMutableRawPointer?
    let status = posix_memalign(&memory, onHugePages ? max(alignment, hugePage) : alignment, bytes)
    precondition(status == 0, "out of memory: \(user) need \(bytes) bytes more")
    let start = memory.unsafelyUnwrapped
    #if os(Linux)
      if onHugePages { madvise(start, bytes, MADV_HUGEPAGE) }
    #endif
    return start
  }

  /// Gives memory back that was taken here.
  package static func deallocate(_ memory: UnsafeMutableRawPointer) { free(memory) }
}
