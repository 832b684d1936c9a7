import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Memory that stands in a file without a name instead of in memory of the process's own: the system
/// writes it out and takes its pages back where it needs them.
///
/// For what is too much to keep and soon done with. Nothing of it survives the process, and nothing
/// is ever synced. Regions have their room on the disk before they are used, since the system would
/// end the process (SIGBUS) that writes to a page for which there is none.
package final class ScratchFile: Sendable {
  private struct Region: @unchecked Sendable {
    // Unchecked: memory without an owner, which the lock hands out.
    let memory: UnsafeMutableRawPointer
  }

  private struct State {
    var descriptor: Int32 = -1
    /// Where the next region begins in the file.
    var end = 0
    var regions: [Region] = []
    var idle: [Region] = []
    /// Whether there is no room, or no file to be had.
    var isExhausted = false
  }

  /// Bytes of a region, whole pages.
  package let regionBytes: Int
  private let path: String
  private let state = Mutex(State())

  /// Nothing happens before the first region is taken.
  ///
  /// - Parameters:
  ///   - path: where the file is made, and at once loses its name; what stands there is overwritten.
  ///   - regionBytes: bytes of a region, rounded up to whole pages.
  package init(path: String, regionBytes: Int) {
    self.path = path
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    self.regionBytes = max(1, (regionBytes + page - 1) / page) * page
  }

  deinit {
    state.withLock { state in
      for region in state.regions { munmap(region.memory, regionBytes) }
      if state.descriptor >= 0 { _ = close(state.descriptor) }
    }
  }

  /// Whether there may be regions yet.
  package var isExhausted: Bool { state.withLock { $0.isExhausted } }

  /// A region, whose contents are undefined; nil where the disk has no room for it, and from then on
  /// until one is given back.
  package func take() -> UnsafeMutableRawPointer? {
    let taken = state.withLock { state -> Region? in
      if let region = state.idle.popLast() { return region }
      guard !state.isExhausted else { return nil }
      let region = map(&state)
      if region == nil { state.isExhausted = true }
      return region
    }
    return taken?.memory
  }

  /// Takes a region back.
  package func giveBack(_ memory: UnsafeMutableRawPointer) {
    let region = Region(memory: memory)
    state.withLock { $0.idle.append(region) }
  }

  private func map(_ state: inout State) -> Region? {
    if state.descriptor < 0 {
      state.descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
      guard state.descriptor >= 0 else { return nil }
      unlink(path)
    }
    guard posix_fallocate(state.descriptor, off_t(state.end), off_t(regionBytes)) == 0 else {
      return nil
    }
    let memory = mmap(
      nil, regionBytes, PROT_READ | PROT_WRITE, MAP_SHARED, state.descriptor, off_t(state.end))
    guard let memory, memory != MAP_FAILED else { return nil }
    state.end += regionBytes
    let region = Region(memory: memory)
    state.regions.append(region)
    return region
  }
}
