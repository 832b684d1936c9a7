/// A line in which one thread hands things to another, the first first.
///
/// `@unchecked Sendable`: an element belongs to one thread at a time, the one that took it last.
package final class HandOff<Element>: @unchecked Sendable {
  private struct Line {
    var elements: [Element] = []
    var isClosed = false
  }
  private let line = Monitor(Line())

  package init() {}

  /// Puts `element` at the end of the line.
  package func give(_ element: Element) {
    line.withLock { $0.elements.append(element) }
    line.broadcast()
  }

  /// Takes the first element, or waits for one; nil once the line is closed and empty.
  package func take() -> Element? {
    let taken = try? line.wait { (line) -> Element?? in
      if !line.elements.isEmpty { return .some(line.elements.removeFirst()) }
      return line.isClosed ? .some(nil) : nil
    }
    return taken ?? nil
  }

  /// Takes the first element, if there is one now.
  package func takeIfThere() -> Element? {
    line.withLock { $0.elements.isEmpty ? nil : $0.elements.removeFirst() }
  }

  /// Whether nothing more will come.
  package var isClosed: Bool { line.withLock { $0.isClosed } }

  /// Tells that nothing more will come.
  package func close() {
    line.withLock { $0.isClosed = true }
    line.broadcast()
  }
}
