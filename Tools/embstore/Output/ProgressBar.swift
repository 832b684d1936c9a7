import Glibc
import Synchronization

/// A progress bar on standard error, with rate and time left; drawn on a terminal only, and for
/// work that takes longer than a moment.
final class ProgressBar: Sendable {
  private struct State {
    var lastDrawn: ContinuousClock.Instant?
    var isVisible = false
  }

  private let title: String
  private let isEnabled: Bool
  private let start = ContinuousClock.now
  private let state = Mutex(State())

  /// - Parameter isQuiet: whether nothing is drawn, whatever standard error is.
  init(_ title: String, isQuiet: Bool) {
    self.title = title
    isEnabled = !isQuiet && isatty(STDERR_FILENO) == 1 && environmentValue("TERM") != "dumb"
    if isEnabled { Interruption.current.withLock { $0.bar = self } }
  }

  /// Draws the bar, unless it was drawn just now.
  ///
  /// - Parameters:
  ///   - rows: rows done.
  ///   - fraction: how much of all work is done, 0 to 1; nil where nobody knows.
  func update(rows: Int, fraction: Double?) {
    guard isEnabled else { return }
    state.withLock { state in
      let now = ContinuousClock.now
      guard now - (state.lastDrawn ?? start) >= .milliseconds(state.isVisible ? 100 : 300) else {
        return
      }
      state.lastDrawn = now
      state.isVisible = true
      draw(rows: rows, fraction: fraction, elapsed: (now - start) / .seconds(1))
    }
  }

  /// Removes the bar.
  func finish() {
    guard isEnabled else { return }
    state.withLock { state in
      if state.isVisible { try? writeAll(Array("\r\u{1B}[K".utf8), to: STDERR_FILENO) }
      state.isVisible = false
    }
    Interruption.current.withLock { $0.bar = nil }
  }

  private func draw(rows: Int, fraction: Double?, elapsed: Double) {
    var text = "\(shortText(Double(rows))) rows, \(shortText(Double(rows) / elapsed)) rows/s"
    var bar = ""
    if let fraction = fraction.map({ min(max($0, 0), 1) }) {
      if fraction > 0 { text += ", \(clockText(elapsed / fraction * (1 - fraction))) left" }
      let width = min(30, terminalWidth - title.count - text.count - 12)
      if width >= 8 {
        let done = Int(Double(width) * fraction)
        bar =
          "[" + String(repeating: "#", count: done) + String(repeating: ".", count: width - done)
          + "] "
      }
      let percent = fixed(100 * fraction, 0)
      bar += String(repeating: " ", count: max(0, 3 - percent.count)) + percent + "%  "
    } else {
      text += ", \(clockText(elapsed))"
    }
    let line = "\(title) \(bar)\(text)".prefix(max(10, terminalWidth - 1))
    try? writeAll(Array("\r\(line)\u{1B}[K".utf8), to: STDERR_FILENO)
  }

  private var terminalWidth: Int {
    var size = winsize()
    guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }
}

/// The value of an environment variable.
func environmentValue(_ name: String) -> String? {
  getenv(name).map { String(cString: $0) }
}
