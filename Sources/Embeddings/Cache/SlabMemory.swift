import StorageBase
import Synchronization

/// The memory of a table's slabs, all of one size.
///
/// Rows are read in random order, and with pages of 4 KiB nearly every one of them would miss the
/// processor's table of addresses. A large cache therefore cuts its slabs out of regions that lie on
/// huge pages. All of it goes back when the last slab has been given back.
///
/// Unsafe: this is where the memory of cached rows comes from and goes to.
final class SlabMemory: Sendable {
  private struct Source: @unchecked Sendable {
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
  private let pool: RegionPool?
  private let state = Mutex(Source())
  /// Slabs of rows that overflow, and the file that they stand in.
  private let overflow = Mutex(Source())
  private let scratch: ScratchFile?

  /// - Parameters:
  ///   - slabBytes: the bytes of a slab, whole cache lines.
  ///   - limit: the bytes that there may be in all; huge pages are for those who can afford one that
  ///     is partly empty.
  ///   - pool: where huge regions come from.
  ///   - scratch: where slabs stand that overflow.
  init(slabBytes: Int, limit: Int, pool: RegionPool, scratch: ScratchFile? = nil) {
    self.slabBytes = slabBytes
    self.scratch = scratch.flatMap { $0.regionBytes >= slabBytes ? $0 : nil }
    let isPooled = limit >= 32 * RegionPool.regionBytes && slabBytes <= RegionPool.regionBytes
    self.pool = isPooled ? pool : nil
    regionBytes = isPooled ? RegionPool.regionBytes : slabBytes
  }

  deinit {
    state.withLock { freeRegions(&$0) }
    overflow.withLock { freeOverflow(&$0) }
  }

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
    if let pool { return pool.take() }
    return .allocate(byteCount: regionBytes, alignment: 64)
  }

  /// Takes a slab back.
  func giveBack(_ slab: UnsafeMutableRawPointer) {
    let taken = Taken(slab: slab)
    state.withLock { state in
      state.live -= 1
      state.free.append(taken.slab)
      if state.live == 0 { freeRegions(&state) }
    }
  }

  private func freeRegions(_ state: inout Source) {
    for region in state.regions {
      if let pool { pool.giveBack(region) } else { region.deallocate() }
    }
    state = Source()
  }

  // MARK: Overflow

  /// Memory for a slab in the scratch file; nil where there is no room.
  func takeOverflow() -> UnsafeMutableRawPointer? {
    guard let scratch else { return nil }
    let taken = overflow.withLock { state -> Taken? in
      if let slab = state.free.popLast() {
        state.live += 1
        return Taken(slab: slab)
      }
      if state.restCount == 0 {
        guard let region = scratch.take() else { return nil }
        state.regions.append(region)
        state.rest = region
        state.restCount = scratch.regionBytes / slabBytes
      }
      let slab = state.rest.unsafelyUnwrapped
      state.rest = slab + slabBytes
      state.restCount -= 1
      state.live += 1
      return Taken(slab: slab)
    }
    return taken?.slab
  }

  /// Takes such a slab back.
  func giveBackOverflow(_ slab: UnsafeMutableRawPointer) {
    let taken = Taken(slab: slab)
    overflow.withLock { state in
      state.live -= 1
      state.free.append(taken.slab)
      if state.live == 0 { freeOverflow(&state) }
    }
  }

  private func freeOverflow(_ state: inout Source) {
    for region in state.regions { scratch?.giveBack(region) }
    state = Source()
  }
}
