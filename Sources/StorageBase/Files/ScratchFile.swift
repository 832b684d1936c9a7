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
/// end the process (SIGBUS) that writes to a page for which there is none; and they leave as much room
/// as they take, for what they hold is to be written elsewhere. A forked child has none of it.
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
    /// Whether there was no room when one was asked for last.
    var isExhausted = false
  }

  /// Bytes of a region, whole pages.
  package let regionBytes: Int
  private let process = getpid()
  private let state: Mutex<State>

  /// Makes an empty file, which at once loses its name. Where that fails there are no regions.
  ///
  /// - Parameters:
  ///   - directory: where the file is made.
  ///   - regionBytes: bytes of a region, rounded up to whole pages.
  package init(in directory: String, regionBytes: Int) {
    // A name that nobody else has taken, or none: nothing that stands there is touched.
    let path = "\(directory)/scratch-\(getpid())"
    var state = State()
    state.descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    if state.descriptor >= 0 { unlink(path) } else { state.isExhausted = true }
    self.state = Mutex(state)
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    self.regionBytes = max(1, (regionBytes + page - 1) / page) * page
  }

  deinit { state.withLock { free(&$0) } }

  /// Gives the room back to the disk, if nobody has a region any more.
  package func giveUp() {
    state.withLock { state in
      guard state.idle.count == state.regions.count else { return }
      free(&state)
      state.isExhausted = true
    }
  }

  private func free(_ state: inout State) {
    // They are not mapped in a forked child.
    if isOwn { for region in state.regions { munmap(region.memory, regionBytes) } }
    if state.descriptor >= 0 { close(state.descriptor) }
    state = State()
  }

  /// Whether this is the process that made the file; its forked children must not touch regions.
  package var isOwn: Bool { getpid() == process }

  /// Whether there may be regions yet.
  package var isExhausted: Bool { state.withLock { $0.isExhausted } }

  /// A region, whose contents are undefined; nil where the disk has no room for it, and from then on
  /// until one was given back.
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
    state.withLock {
      $0.idle.append(region)
      $0.isExhausted = false
    }
  }

  private func map(_ state: inout State) -> Region? {
    guard state.descriptor >= 0, leavesRoom(state) else { return nil }
    var error: Int32
    repeat {
      error =
        FileFaults.next()
        ?? posix_fallocate(state.descriptor, off_t(state.end), off_t(regionBytes))
    } while error == EINTR
    guard error == 0, fill(state) else { return nil }
    let memory = mmap(
      nil, regionBytes, PROT_READ | PROT_WRITE, MAP_SHARED, state.descriptor, off_t(state.end))
    guard let memory, memory != MAP_FAILED else { return nil }
    state.end += regionBytes
    #if os(Linux)
      madvise(memory, regionBytes, MADV_DONTFORK)
    #endif
    let region = Region(memory: memory)
    state.regions.append(region)
    return region
  }

  /// Writes the next region, so that its pages are there: to have each made by the first touch of it
  /// takes six times as long.
  private func fill(_ state: State) -> Bool {
    let file = OpenFile(descriptor: state.descriptor, name: "the scratch file", closes: false)
    do throws(EmbeddingError) {
      for start in stride(from: 0, to: regionBytes, by: Self.zeros.count) {
        try Self.zeros.withUnsafeBufferPointer { (zeros) throws(EmbeddingError) in
          let bytes = UnsafeBufferPointer(rebasing: zeros.prefix(regionBytes - start))
          try file.write(UnsafeRawBufferPointer(bytes), at: state.end + start)
        }
      }
      return true
    } catch {
      return false
    }
  }

  /// What is written at once, little enough to stay in the processor's cache.
  private static let zeros = [UInt8](repeating: 0, count: 256 << 10)

  /// Whether the disk will have as much room left as the file then takes.
  private func leavesRoom(_ state: State) -> Bool {
    var status = statvfs()
    guard fstatvfs(state.descriptor, &status) == 0 else { return false }
    let free = UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize))
    return free.overflow || free.partialValue >= UInt64(state.end + 2 * regionBytes)
  }
}
