import StorageBase

/// Memory for the lists of one commit; where they are more than their share of the budget, in a
/// scratch file, if the user allows one and it has room.
///
/// Unsafe: memory whose contents are undefined at first.
final class ListMemory {
  let start: UnsafeMutableRawPointer
  /// Whether it stands in a file.
  var isScratch: Bool { file != nil }
  private let byteCount: Int
  private let budget: CacheBudget
  private let file: ScratchFile?

  init(byteCount: Int, budget: CacheBudget) {
    self.byteCount = byteCount
    self.budget = budget
    if let (file, memory) = budget.takeListFile(byteCount) {
      self.file = file
      start = memory
      return
    }
    file = nil
    // Sorting goes to and fro in it: huge pages, if most of each would be used.
    start = SystemMemory.allocate(
      max(1, byteCount), alignment: 64, onHugePages: byteCount >= 2 * SystemMemory.hugePage,
      for: "commits")
  }

  deinit {
    if let file {
      file.giveBack(start)
      budget.giveBackListFile(byteCount)
    } else {
      SystemMemory.deallocate(start)
    }
  }
}
