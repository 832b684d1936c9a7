/// Uninitialized memory that grows and is used again and again.
///
/// Unsafe: arrays would be zeroed before each use, which costs as much as the work on them.
/// `@unchecked Sendable`: it is handed from one thread to another, never used by two at once.
final class Scratch: @unchecked Sendable {
  private(set) var pointer: UnsafeMutableRawPointer
  private var capacity: Int
  var count = 0

  init(capacity: Int = 0) {
    self.capacity = capacity
    pointer = .allocate(byteCount: max(capacity, 1), alignment: 64)
  }

  deinit { pointer.deallocate() }

  /// What has been written.
  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: pointer, count: count) }

  /// Room for `more` bytes after those written, which stay.
  func room(_ more: Int) -> UnsafeMutableRawBufferPointer {
    if count + more > capacity {
      capacity = max(count + more, 2 * capacity)
      let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 64)
      larger.copyMemory(from: pointer, byteCount: count)
      pointer.deallocate()
      pointer = larger
    }
    return UnsafeMutableRawBufferPointer(start: pointer + count, count: capacity - count)
  }

  /// `count` bytes of any content.
  func take(_ count: Int) -> UnsafeMutableRawBufferPointer {
    self.count = 0
    let room = room(count)
    self.count = count
    return UnsafeMutableRawBufferPointer(rebasing: room[..<count])
  }
}
