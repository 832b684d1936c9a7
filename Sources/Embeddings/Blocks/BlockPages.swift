import LMDB
import StorageBase

/// Memory for blocks as they stand in the file: side by side, each on whole pages behind the header of
/// a value that stands alone (``PageFile``).
///
/// One thread has them at a time.
final class BlockPages {
  private let layout: BlockLayout
  let capacity: Int
  private let memory: UnsafeMutableRawPointer
  private let stride: Int
  /// The number of the page that each block begins with; nil where LMDB is to write it.
  private var pages: [UInt64?]

  init(layout: BlockLayout, capacity: Int) {
    self.layout = layout
    self.capacity = capacity
    stride = layout.pages * BlockLayout.pageSize
    memory = .allocate(byteCount: capacity * stride, alignment: BlockLayout.pageSize)
    pages = Array(repeating: nil, count: capacity)
  }

  deinit { memory.deallocate() }

  /// The memory of block `i`.
  subscript(i: Int) -> UnsafeMutableRawPointer { memory + i * stride + BlockLayout.pageHeaderSize }

  private func bytes(_ i: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: self[i], count: layout.byteCount)
  }

  /// Gives block `i`, which has number `number`, a place in the tree, at the cursor of `tree`, and in
  /// the file.
  ///
  /// - Parameter isLast: whether it is new and the last one.
  func reserve(
    _ i: Int, number: UInt64, isLast: Bool, in tree: inout Appender
  ) throws(EmbeddingError) {
    pages[i] = try tree.reserve(number, count: layout.byteCount, isLast: isLast)
  }

  /// Has LMDB write block `i`, at the cursor of `tree`.
  ///
  /// - Parameter isLast: whether it is new and the last one.
  func put(_ i: Int, number: UInt64, isLast: Bool, in tree: inout Appender) throws(EmbeddingError) {
    if isLast {
      try tree.append(number, bytes(i))
    } else {
      try tree.put(number, bytes(i))
    }
  }

  /// Whether block `i` has its place in the file.
  func hasPlace(_ i: Int) -> Bool { pages[i] != nil }

  /// Writes the first `count` blocks that have their places to the file, those side by side at once.
  /// Returns the system's error, 0 for none.
  func write(_ count: Int, to file: PageFile) -> Int32 {
    var i = 0
    while i < count {
      guard let first = pages[i] else {
        i += 1
        continue
      }
      var (end, next) = (i, first)
      while end < count, pages[end] == next {
        PageFile.setHeader(memory + end * stride, page: next, count: layout.pages)
        end += 1
        next += UInt64(layout.pages)
      }
      let run = UnsafeRawBufferPointer(start: memory + i * stride, count: (end - i) * stride)
      let code = file.write(run, at: first)
      guard code == 0 else { return code }
      i = end
    }
    return 0
  }
}
