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

    /// A slab; nil where all of the regions are in use and there is no new one.
    mutating func take(
      _ slabBytes: Int, regionBytes: Int, newRegion: () -> UnsafeMutableRawPointer?
    ) -> Taken? {
      if let slab = free.popLast() {
        live += 1
        return Taken(slab: slab)
      }
      if restCount == 0 {
        guard let region = newRegion() else { return nil }
        regions.append(region)
        rest = region
        restCount = regionBytes / slabBytes
      }
      let slab = rest.unsafelyUnwrapped
      rest = slab + slabBytes
      restCount -= 1
      live += 1
      return Taken(slab: slab)
    }

    /// Takes a slab back, and after the last one frees the regions.
    mutating func giveBack(_ slab: Taken, freeRegion: (UnsafeMutableRawPointer) -> Void) {
      live -= 1
      free.append(slab.slab)
      if live == 0 { removeAll(freeRegion) }
    }

    mutating func removeAll(_ freeRegion: (UnsafeMutableRawPointer) -> Void) {
      for region in regions { freeRegion(region) }
      self = Source()
    }
  }

  private struct Taken: @unchecked Sendable {
    // Unchecked: on its way to the shard that asked for it, or back.
    let slab: UnsafeMutableRawPointer
  }

  /// Bytes of a slab, a multiple of a cache line.
  let slabBytes: Int
  private let regionBytes: Int
  private let pool: RegionPool?
  private let memory = Mutex(Source())
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
    memory.withLock { $0.removeAll(freeRegion) }
    overflow.withLock { $0.removeAll { region in scratch?.giveBack(region) } }
  }

  private func newRegion() -> UnsafeMutableRawPointer {
    if let pool { return pool.take() }
    return .allocate(byteCount: regionBytes, alignment: 64)
  }

  private func freeRegion(_ region: UnsafeMutableRawPointer) {
    if let pool { pool.giveBack(region) } else { region.deallocate() }
  }

  /// Memory for a slab, aligned to a cache line.
  func take() -> UnsafeMutableRawPointer {
    let taken = memory.withLock {
      $0.take(slabBytes, regionBytes: regionBytes, newRegion: newRegion)
    }
    // There is always memory, or the process ends.
    return taken.unsafelyUnwrapped.slab
  }

  /// Takes a slab back.
  func giveBack(_ slab: UnsafeMutableRawPointer) {
    let taken = Taken(slab: slab)
    memory.withLock { $0.giveBack(taken, freeRegion: freeRegion) }
  }

  /// Memory for a slab in the scratch file; nil where there is no room.
  func takeOverflow() -> UnsafeMutableRawPointer? {
    guard let scratch else { return nil }
    let taken = overflow.withLock {
      $0.take(slabBytes, regionBytes: scratch.regionBytes, newRegion: scratch.take)
    }
    return taken?.slab
  }

  /// Takes such a slab back.
  func giveBackOverflow(_ slab: UnsafeMutableRawPointer) {
    let taken = Taken(slab: slab)
    overflow.withLock { $0.giveBack(taken) { region in scratch?.giveBack(region) } }
  }
}
