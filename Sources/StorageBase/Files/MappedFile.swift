#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// A file in memory, read in place by any number of threads.
///
/// The system ends the process (SIGBUS) that reads where the file has become shorter since, or where
/// the disk fails; so this is for files that do not change, read in small pieces at random.
///
/// `@unchecked Sendable`: the memory is read only, and stays until the object goes.
package final class MappedFile: @unchecked Sendable {
  /// All bytes of the file.
  package let bytes: UnsafeRawBufferPointer

  init(descriptor: Int32, byteCount: Int, name: String) throws(EmbeddingError) {
    guard byteCount > 0 else {
      throw EmbeddingError(.invalidArgument, "\(name) is empty, and cannot be mapped.")
    }
    let memory = mmap(nil, byteCount, PROT_READ, MAP_SHARED, descriptor, 0)
    guard let memory, memory != MAP_FAILED else {
      throw EmbeddingError(
        .io, "Could not map the \(byteCount) bytes of \(name) into memory.",
        cause: SystemErrno(rawValue: errno))
    }
    // Rows stand anywhere: reading ahead would fill the page cache with what nobody asked for.
    madvise(memory, byteCount, Int32(MADV_RANDOM))
    bytes = UnsafeRawBufferPointer(start: memory, count: byteCount)
  }

  deinit { munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count) }
}
