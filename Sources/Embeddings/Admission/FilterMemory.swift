import StorageBase

/// Memory of filters, all zeros, aligned to two cache lines (processors fetch them in pairs), large
/// pieces on huge pages.
enum FilterMemory {
  static let line = 64
  private static let alignment = 128

  static func zeroed(_ bytes: Int) -> UnsafeMutableRawPointer {
    let start = SystemMemory.allocate(
      bytes, alignment: alignment, onHugePages: bytes >= 2 * SystemMemory.hugePage,
      for: "admission filters")
    start.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
    return start
  }

  static func free(_ memory: UnsafeMutableRawPointer) { SystemMemory.deallocate(memory) }
}
