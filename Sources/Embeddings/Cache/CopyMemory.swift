import StorageBase
import Synchronization

/// Memory for copies of rows that change before a commit has written them, in chunks of one size for
/// all tables of a database; only a row that is larger gets a larger one.
///
/// It stands in the scratch file once cached rows do, as far as that has room; before, there is memory
/// enough.
final class CopyMemory: Sendable {
  /// A chunk of memory.
  struct Chunk: @unchecked Sendable {
    // Unchecked: memory that belongs to whoever took it.
    let memory: UnsafeMutableRawPointer
    let byteCount: Int
    let isScratch: Bool
  }

  static let chunkBytes = 8 << 10
  private let chunks: SlabMemory
  /// Chunks that the scratch file may hold, in whole regions.
  private let mostInScratch: Int
  private let inScratch = Atomic<Int>(0)
  private let own = Atomic<Int>(0)

  /// - Parameters:
  ///   - limit: the bytes that there may be in memory.
  ///   - pool: where huge regions come from.
  ///   - scratchLimit: the bytes of the scratch file that it may take.
  init(limit: Int, pool: RegionPool, scratch: ScratchFile?, scratchLimit: Int) {
    chunks = SlabMemory(slabBytes: Self.chunkBytes, limit: limit, pool: pool, scratch: scratch)
    mostInScratch =
      scratch.map { scratchLimit / $0.regionBytes * ($0.regionBytes / Self.chunkBytes) } ?? 0
  }

  /// The bytes of chunks in memory of the process's own.
  var ownBytes: Int { own.load(ordering: .relaxed) }

  /// A chunk, whose contents are undefined; in the scratch file if `overflows` and it has room.
  ///
  /// - Parameter byteCount: the bytes that must fit.
  func take(atLeast byteCount: Int, overflows: Bool) -> Chunk {
    if overflows, byteCount <= Self.chunkBytes, let memory = takeScratch() {
      return Chunk(memory: memory, byteCount: Self.chunkBytes, isScratch: true)
    }
    let byteCount = max(byteCount, Self.chunkBytes)
    own.add(byteCount, ordering: .relaxed)
    let memory =
      byteCount == Self.chunkBytes
      ? chunks.take() : .allocate(byteCount: byteCount, alignment: 64)
    return Chunk(memory: memory, byteCount: byteCount, isScratch: false)
  }

  private func takeScratch() -> UnsafeMutableRawPointer? {
    let count = inScratch.add(1, ordering: .relaxed).newValue
    if count <= mostInScratch, let memory = chunks.takeOverflow() { return memory }
    inScratch.subtract(1, ordering: .relaxed)
    return nil
  }

  /// Takes a chunk back.
  func giveBack(_ chunk: Chunk) {
    if chunk.isScratch {
      chunks.giveBackOverflow(chunk.memory)
      inScratch.subtract(1, ordering: .relaxed)
      return
    }
    own.subtract(chunk.byteCount, ordering: .relaxed)
    if chunk.byteCount == Self.chunkBytes {
      chunks.giveBack(chunk.memory)
    } else {
      chunk.memory.deallocate()
    }
  }
}
