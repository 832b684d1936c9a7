import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Memory on huge pages, in regions of one such page, for the cached rows of all tables of a database,
/// and for copies of them.
///
/// What one table gives back the next one takes: to get fresh memory from the system, which clears
/// it, costs several times what the rows cost that it is for. It all goes back when the database does.
final class RegionPool: Sendable {
  static let regionBytes = 2 << 20

  private struct Region: @unchecked Sendable {
    // Unchecked: memory without an owner.
    let memory: UnsafeMutableRawPointer
  }
  private let idle = Mutex<[Region]>([])

  deinit {
    for region in idle.withLock({ $0 }) { free(region.memory) }
  }

  /// A region, whose contents are undefined.
  func take() -> UnsafeMutableRawPointer {
    if let region = idle.withLock({ $0.popLast() }) { return region.memory }
    var memory: UnsafeMutableRawPointer?
    let status = posix_memalign(&memory, Self.regionBytes, Self.regionBytes)
    precondition(status == 0, "out of memory: cached rows need \(Self.regionBytes) bytes more")
    let region = memory.unsafelyUnwrapped
    #if os(Linux)
      // A wish: without huge pages everything works as well, only slower.
      madvise(region, Self.regionBytes, MADV_HUGEPAGE)
    #endif
    return region
  }

  /// Takes a region back.
  func giveBack(_ memory: UnsafeMutableRawPointer) {
    let region = Region(memory: memory)
    idle.withLock { $0.append(region) }
  }
}
