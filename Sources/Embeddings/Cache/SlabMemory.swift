import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// The memory of a table's slabs, all of one size.
///
/// Rows are read in random order, and with pages of 4 KiB nearly every one of them would miss the
/// processor's table of addresses. A large cache therefore cuts its slabs out of regions for which
/// it asks the system for huge pages. All of it goes back when the last slab has been given back.
///
/// Unsafe: this is where the memory of cached rows comes from and goes to.
final class SlabMemory: Sendable {
  private struct State: @unchecked Sendable {
    // Unchecked: memory without an owner, which the lock hands out.
    var free: [UnsafeMutableRawPointer] = []
    var regions: [UnsafeMutableRawPointer] = []
    /// What is left of the last region.
    var rest: UnsafeMutableRawPointer?
    var restCount = 0
    /// Slabs that are in use.
    var live = 0
  }

  /// Bytes of a slab, a multiple of a cache line.
  let slabBytes: Int
  private let regionBytes: Int
  private let state = Mutex(State())

  private static let hugePage = 2 << 20

  /// - Parameters:
  ///   - slabBytes: the bytes that a slab needs.
  ///   - limit: the bytes that there may be in all; huge pages are for those who can afford one that
  ///     is partly empty.
  init(slabBytes: Int, limit: Int) {
    let slabBytes = (slabBytes + 63) & ~63
    self.slabBytes = slabBytes
    if limit >= 32 * Self.hugePage {
      let pages = (slabBytes + Self.hugePage - 1) / Self.hugePage
      regionBytes = pages * Self.hugePage
    } else {
      regionBytes = slabBytes
    }
  }

  deinit { state.withLock { Self.freeRegions(&$0) } }

  /// Memory for a slab, aligned to a cache line.
  func take() -> UnsafeMutableRawPointer {
    let taken = state.withLock { state -> Taken in
      state.live += 1
      if let slab = state.free.popLast() { return Taken(slab: slab) }
      if state.restCount == 0 {
        let region = newRegion()
        state.regions.append(region)
        state.rest = region
        state.restCount = regionBytes / slabBytes
      }
      let slab = state.rest.unsafelyUnwrapped
      state.rest = slab + slabBytes
      state.restCount -= 1
      return Taken(slab: slab)
    }
    return taken.slab
  }

  private struct Taken: @unchecked Sendable {
    // Unchecked: on its way to the shard that asked for it.
    let slab: UnsafeMutableRawPointer
  }

  private func newRegion() -> UnsafeMutableRawPointer {
    var memory: UnsafeMutableRawPointer?
    let isHuge = regionBytes % Self.hugePage == 0
    let status = posix_memalign(&memory, isHuge ? Self.hugePage : 64, regionBytes)
    precondition(status == 0, "out of memory: cached rows need \(regionBytes) bytes more")
    let region = memory.unsafelyUnwrapped
    #if os(Linux)
      // A wish: without huge pages everything works as well, only slower.
      if isHuge { madvise(region, regionBytes, MADV_HUGEPAGE) }
    #endif
    return region
  }

  /// Takes a slab back.
  func giveBack(_ slab: UnsafeMutableRawPointer) {
    let taken = Taken(slab: slab)
    state.withLock { state in
      state.live -= 1
      state.free.append(taken.slab)
      if state.live == 0 { Self.freeRegions(&state) }
    }
  }

  private static func freeRegions(_ state: inout State) {
    for region in state.regions { free(region) }
    state = State()
  }
}
