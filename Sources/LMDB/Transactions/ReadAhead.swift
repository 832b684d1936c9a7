import Glibc

/// Asks for the pages that a scan is about to reach.
///
/// The map of a file that may not fit into memory is opened for random access: a page that is not in
/// memory is read alone, where the system would read megabytes around it (``Environment``). A scan
/// says here where it is. As long as it goes forward through the file by small steps, what comes next
/// is read in large pieces, while the scan is still at work on the last one; elsewhere nothing is
/// asked for.
package struct ReadAhead {
  /// Steps of at most so many pages count as going forward: the largest blocks, and a page of the
  /// tree between two of them.
  private static let mostPages: UInt = 32
  /// So many of them in a row are a scan.
  private static let leastSteps = 4
  /// Pages that are asked for at a time.
  private static let windowPages: UInt = 256

  private var page: UInt = 0
  private var steps = 0
  /// The page up to which was asked for.
  private var end: UInt = 0

  package init() {}

  /// Says that the scan is at `address` of the map. Costs a comparison while it stays on a page.
  @inline(__always)
  package mutating func reach(_ address: UnsafeRawPointer?) {
    let page = UInt(bitPattern: address) >> pageBits
    if page != self.page { move(to: page) }
  }

  /// The range to ask for, if it is time; for tests.
  package private(set) var asked: Range<UInt>?

  private mutating func move(to page: UInt) {
    defer { self.page = page }
    asked = nil
    guard page > self.page, page - self.page <= Self.mostPages else {
      steps = 0
      end = 0
      return
    }
    steps += 1
    guard steps >= Self.leastSteps, page + Self.windowPages / 2 >= end else { return }
    let start = max(page, end)
    end = page + Self.windowPages
    asked = start << pageBits..<end << pageBits
    // Beyond the end of the file, or of the map, there is nothing to read.
    askForPages(start << pageBits..<end << pageBits)
  }
}

/// Asks for the pages of the map that hold `bytes` to be read, and does not wait for them.
package func askForPages(_ bytes: UnsafeRawBufferPointer) {
  let start = UInt(bitPattern: bytes.baseAddress)
  let pageMask: UInt = 1 << pageBits - 1
  askForPages(start & ~pageMask..<(start + UInt(bytes.count) + pageMask) & ~pageMask)
}

private let pageBits: UInt = 12

/// Advice, whose failure changes nothing.
private func askForPages(_ addresses: Range<UInt>) {
  madvise(
    UnsafeMutableRawPointer(bitPattern: addresses.lowerBound), addresses.count, MADV_WILLNEED)
}
