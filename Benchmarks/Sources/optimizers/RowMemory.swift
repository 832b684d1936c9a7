import Machine

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Rows as the store keeps them: vector, then state, each from a multiple of 64 bytes on.
final class RowMemory {
  let count: Int
  let width: Int
  private let stride: Int
  private let bytes: Int
  private let memory: UnsafeMutableRawPointer
  /// A huge page.
  private static let page = 2 << 20
  private let floats: UnsafeMutablePointer<Float>

  init(count: Int, dimension: Int, kernel: Kernel) {
    self.count = count
    width = dimension + kernel.slots(dimension)
    stride = (width + 15) / 16 * 16
    bytes = count * stride * MemoryLayout<Float>.size + 2 * Self.page
    memory = mmap(
      nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard memory != MAP_FAILED else { fatalError("no memory for \(bytes) bytes") }
    let start = UnsafeMutableRawPointer(
      bitPattern: (UInt(bitPattern: memory) + UInt(Self.page) - 1) & ~(UInt(Self.page) - 1))!
    #if os(Linux)
      // As the store asks for its rows.
      madvise(start, bytes - Self.page, MADV_HUGEPAGE)
    #endif
    floats = start.bindMemory(to: Float.self, capacity: count * stride)
    for row in 0..<count {
      for i in 0..<width { floats[row * stride + i] = 0.1 }
      // Adam's rows are at different steps, most of them early ones.
      if width == 3 * dimension + 1 {
        let step = UInt32(4_096 / (row % 1_021 + 1) + row % 7)
        floats[row * stride + width - 1] = Float(bitPattern: step)
      }
    }
    #if os(Linux)
      // Where memory was in pieces when it was touched, now: MADV_COLLAPSE, of Linux 6.1. Without huge
      // pages some tables would wait for addresses, and others not.
      madvise(start, bytes - Self.page, 25)
    #endif
  }

  deinit { munmap(memory, bytes) }

  subscript(row: Int) -> UnsafeMutablePointer<Float> { floats + row * stride }
}
