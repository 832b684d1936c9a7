import StorageBase
import Synchronization

/// Memory on huge pages, in regions of one such page, for the cached rows of all tables of a database,
/// and for copies of them.
///
/// What one table gives back the next one takes: to get fresh memory from the system, which clears
/// it, costs several times what the rows cost that it is for. It all goes back when the database does.
final class RegionPool: Sendable {
  static let regionBytes = SystemMemory.hugePage

  private struct Region: @unchecked Sendable {
    // Unchecked: memory without an owner.
    let memory: UnsafeMutableRawPointer
  }
  private let idle = Mutex<[Region]>([])

  deinit {
    for region in idle.withLock({ $0 }) { SystemMemory.deallocate(region.memory) }
  }

  /// A region, whose contents are undefined.
  func take() -> UnsafeMutableRawPointer {
    if let region = idle.withLock({ $0.popLast() }) { return region.memory }
    return SystemMemory.allocate(
      Self.regionBytes, alignment: Self.regionBytes, onHugePages: true, for: "cached rows")
  }

  /// Takes a region back.
  func giveBack(_ memory: UnsafeMutableRawPointer) {
    let region = Region(memory: memory)
    idle.withLock { $0.append(region) }
  }
}
