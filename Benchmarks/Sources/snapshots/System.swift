import Glibc
import Machine

/// Runs `body` for threads 0 and 1 at once.
func onTwoThreads(_ body: @escaping (Int) -> Void) {
  final class Job {
    let body: (Int) -> Void
    init(_ body: @escaping (Int) -> Void) { self.body = body }
  }
  var thread = pthread_t()
  let job = Unmanaged.passRetained(Job(body))
  pthread_create(
    &thread, nil,
    { job in
      Unmanaged<Job>.fromOpaque(job!).takeRetainedValue().body(1)
      return nil
    }, job.toOpaque())
  body(0)
  pthread_join(thread, nil)
}

/// A file that is written from its beginning to its end.
final class PlainFile {
  private let file: UnsafeMutablePointer<FILE>

  init(_ path: String) {
    guard let file = fopen(path, "wb") else { fatalError("could not write \(path)") }
    self.file = file
  }

  func write(_ bytes: UnsafeRawBufferPointer) {
    precondition(fwrite(bytes.baseAddress, 1, bytes.count, file) == bytes.count, "disk full?")
  }

  func close() { fclose(file) }
}

/// A file in memory, to read.
final class MappedFile {
  private let bytes: UnsafeRawBufferPointer

  init(_ path: String) {
    let file = open(path, O_RDONLY)
    precondition(file >= 0, "could not open \(path)")
    let size = fileSize(path)
    let memory = mmap(nil, size, PROT_READ, MAP_SHARED, file, 0)
    close(file)
    bytes = UnsafeRawBufferPointer(start: memory, count: size)
  }

  deinit { munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count) }

  func load<T: BitwiseCopyable>(_ index: Int, as type: T.Type) -> T {
    bytes.loadUnaligned(fromByteOffset: index * MemoryLayout<T>.stride, as: type)
  }
}

extension [Double] {
  /// The middle value.
  var median: Double { sorted()[count / 2] }
}

/// One line of JSON.
struct Result {
  private var text: String

  init(_ what: String, _ fields: KeyValuePairs<String, String>) {
    text = "{\"what\": \"\(what)\""
    for (name, value) in fields { text += ", \"\(name)\": \"\(value)\"" }
  }

  func add(_ name: String, _ value: Double) -> Result {
    var copy = self
    copy.text += ", \"\(name)\": \((value * 1e6).rounded() / 1e6)"
    return copy
  }

  func print() { Swift.print(text + "}") }
}
