import StorageBase
import Synchronization

/// Memory for copies of rows that change before a commit has written them, in chunks of one size for
/// all tables of a database; only a row that is larger gets a larger one.
///
/// It stands in the scratch file once cached rows do, as far as that has room; before, there is memory
/// enough. Chunks that are given back wait for the next commit.
final class CopyMemory: Sendable {
  /// A chunk of memory.
  struct Chunk: @unchecked Sendable {
    // Unchecked: memory that belongs to whoever took it.
    let memory: UnsafeMutableRawPointer
    let byteCount: Int
    let isScratch: Bool
  }

  private struct State {
    var idle: [Chunk] = []
    /// What is left of the last region of the scratch file.
    var rest: [Chunk] = []
    /// The regions that they are cut out of.
    var regions: [Chunk] = []
  }

  static let chunkBytes = 8 << 10
  private let scratch: ScratchFile?
  private let limit: Int
  private let state = Mutex(State())
  private let own = Atomic<Int>(0)

  /// - Parameter limit: the bytes of the scratch file that it may take.
  init(scratch: ScratchFile?, limit: Int) {
    let isUsable = scratch.map { $0.regionBytes >= Self.chunkBytes } ?? false
    self.scratch = isUsable ? scratch : nil
    self.limit = limit
  }

  /// The bytes of chunks in memory of the process's own.
  var ownBytes: Int { own.load(ordering: .relaxed) }

  /// A chunk, whose contents are undefined; in the scratch file if `overflows` and it has room.
  ///
  /// - Parameter byteCount: the bytes that must fit.
  func take(atLeast byteCount: Int, overflows: Bool) -> Chunk {
    if overflows, byteCount <= Self.chunkBytes, let scratch,
      let chunk = state.withLock({ takeScratch(&$0, scratch) })
    {
      return chunk
    }
    let byteCount = max(byteCount, Self.chunkBytes)
    own.add(byteCount, ordering: .relaxed)
    return Chunk(
      memory: .allocate(byteCount: byteCount, alignment: 64), byteCount: byteCount,
      isScratch: false)
  }

  private func takeScratch(_ state: inout State, _ scratch: ScratchFile) -> Chunk? {
    if let chunk = state.idle.popLast() { return chunk }
    if state.rest.isEmpty, (state.regions.count + 1) * scratch.regionBytes <= limit,
      let region = scratch.take()
    {
      state.regions.append(
        Chunk(memory: region, byteCount: scratch.regionBytes, isScratch: true))
      for offset in stride(
        from: 0, through: scratch.regionBytes - Self.chunkBytes, by: Self.chunkBytes)
      {
        state.rest.append(
          Chunk(memory: region + offset, byteCount: Self.chunkBytes, isScratch: true))
      }
    }
    return state.rest.popLast()
  }

  /// Gives what stands in the scratch file back to it, if nobody has any of it.
  func removeAll() {
    state.withLock { state in
      let chunksPerRegion = (scratch?.regionBytes ?? 0) / Self.chunkBytes
      guard state.idle.count + state.rest.count == state.regions.count * chunksPerRegion else {
        return
      }
      for region in state.regions { scratch?.giveBack(region.memory) }
      state = State()
    }
  }

  /// Takes a chunk back.
  func giveBack(_ chunk: Chunk) {
    if chunk.isScratch {
      state.withLock { $0.idle.append(chunk) }
    } else {
      own.subtract(chunk.byteCount, ordering: .relaxed)
      chunk.memory.deallocate()
    }
  }
}
