import StorageBase
import Synchronization

/// Memory for the indexes of a table's shards.
///
/// A search begins anywhere in an index. In a large cache they therefore lie on huge pages, side by
/// side in regions that are filled from front to back. Shards grow alike, so the indexes that are
/// left for larger ones were made at about the same time: a region goes back as a whole when its last
/// index has been given back, and what waits for that, half of what the indexes take at most, is not
/// in the budget.
///
/// Unsafe: this is where the memory of indexes comes from and goes to.
final class IndexMemory: Sendable {
  private struct Region: @unchecked Sendable {
    // Unchecked: memory without an owner, which the lock hands out.
    let start: UnsafeMutableRawPointer
    let bytes: Int
    /// Where the free part begins.
    var end = 0
    /// Indexes that are in use.
    var live = 0
  }

  private struct Taken: @unchecked Sendable {
    // Unchecked: on its way to the shard that asked for it, or back.
    let memory: UnsafeMutableRawPointer
  }

  /// Smaller ones are few bytes in all, and hardly worth a region.
  private static let leastBytes = 16 << 10
  private static let alignment = 64

  private let regions = Mutex<[Region]>([])
  private let pool: RegionPool?

  /// - Parameters:
  ///   - limit: the bytes that the cache may have in all; huge pages are for those who can afford one
  ///     that is partly empty.
  ///   - pool: where regions come from.
  init(limit: Int, pool: RegionPool) {
    self.pool = limit >= 32 * RegionPool.regionBytes ? pool : nil
  }

  deinit {
    for region in regions.withLock({ $0 }) { free(region) }
  }

  /// Memory for an index of `bytes`, aligned to a cache line; its contents are undefined.
  func take(_ bytes: Int) -> UnsafeMutableRawPointer {
    guard let pool, bytes >= Self.leastBytes else {
      return .allocate(byteCount: bytes, alignment: Self.alignment)
    }
    return regions.withLock { regions in
      if regions.last.map({ $0.bytes - $0.end < bytes }) ?? true {
        regions.append(newRegion(for: bytes, from: pool))
      }
      let last = regions.count - 1
      let memory = regions[last].start + regions[last].end
      regions[last].end += bytes
      regions[last].live += 1
      return Taken(memory: memory)
    }.memory
  }

  /// Takes the memory of an index of `bytes` back.
  func giveBack(_ memory: UnsafeMutableRawPointer, _ bytes: Int) {
    guard pool != nil, bytes >= Self.leastBytes else { return memory.deallocate() }
    let taken = Taken(memory: memory)
    regions.withLock { regions in
      let number = regions.firstIndex {
        $0.start <= taken.memory && taken.memory < $0.start + $0.bytes
      }.unsafelyUnwrapped
      regions[number].live -= 1
      if regions[number].live == 0 { free(regions.remove(at: number)) }
    }
  }

  /// Regions in use.
  var regionCount: Int { regions.withLock { $0.count } }

  /// A region with room for 8 such indexes.
  private func newRegion(for bytes: Int, from pool: RegionPool) -> Region {
    let most = 8 * bytes
    guard most > RegionPool.regionBytes else {
      return Region(start: pool.take(), bytes: RegionPool.regionBytes)
    }
    let whole = (most + RegionPool.regionBytes - 1) & ~(RegionPool.regionBytes - 1)
    let start = SystemMemory.allocate(
      whole, alignment: Self.alignment, onHugePages: true, for: "indexes of cached rows")
    return Region(start: start, bytes: whole)
  }

  private func free(_ region: Region) {
    if region.bytes == RegionPool.regionBytes, let pool {
      pool.giveBack(region.start)
    } else {
      SystemMemory.deallocate(region.start)
    }
  }
}
