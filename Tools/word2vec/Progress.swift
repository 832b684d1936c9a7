import Embeddings
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// Tells how training goes, on standard error: one line that renews itself on a terminal, a line now
/// and then elsewhere.
final class Progress: Sendable {
  private struct State {
    var begin = ContinuousClock.now
    var shown = ContinuousClock.now
    var schedule: Schedule?
    var words = 0
    var countedWords = 0
    var batches = 0
    var remaining = 0
    // Since the last line.
    var recent = BatchResult()
    var loss: Double?
  }
  private let state = Mutex(State())
  private let isQuiet: Bool
  private let isTerminal = isatty(2) == 1

  init(isQuiet: Bool) { self.isQuiet = isQuiet }

  /// Notes words counted.
  func counted(_ words: Int) {
    state.withLock { state in
      state.countedWords += words
      if isDue(&state) { show("counting: \(state.countedWords) words", isLast: false) }
    }
  }

  /// Begins to measure, at batch `first`.
  func start(batch first: Int, of schedule: Schedule) {
    state.withLock { state in
      state.begin = .now
      state.shown = .now
      state.schedule = schedule
      state.remaining = schedule.batchCount - first
    }
    if first > 0 { show("resuming at batch \(first) of \(schedule.batchCount)", isLast: true) }
  }

  /// Notes a batch.
  func trained(_ result: BatchResult, batch: Int) {
    state.withLock { state in
      state.words += result.words
      state.batches += 1
      state.recent += result
      if isDue(&state) { show(line(&state, batch: batch), isLast: false) }
    }
  }

  /// Says what it came to.
  func finish() {
    state.withLock { state in
      guard let schedule = state.schedule else { return }
      show(line(&state, batch: schedule.batchCount - 1), isLast: true)
    }
  }

  private func isDue(_ state: inout State) -> Bool {
    let now = ContinuousClock.now
    guard now - state.shown >= (isTerminal ? .milliseconds(200) : .seconds(10)) else {
      return false
    }
    state.shown = now
    return true
  }

  private func line(_ state: inout State, batch: Int) -> String {
    guard let schedule = state.schedule else { return "" }
    let seconds = max((ContinuousClock.now - state.begin) / .seconds(1), 1e-9)
    if state.recent.pairs > 0 { state.loss = state.recent.loss / Double(state.recent.pairs) }
    state.recent = BatchResult()
    let left = Double(state.remaining - state.batches) * seconds / Double(max(state.batches, 1))
    let epoch = min(batch / schedule.summary.batches + 1, schedule.parameters.epochs)
    return "epoch \(epoch)/\(schedule.parameters.epochs)"
      + "  batch \(batch + 1)/\(schedule.batchCount)"
      + "  \((Double(state.words) / seconds / 1000).text(decimals: 1))k words/s"
      + "  loss \((state.loss ?? 0).text(decimals: 4))"
      + "  learning rate \(Double(schedule.learningRate(ofBatch: batch)).text(decimals: 5))"
      + "  \(left.text(decimals: 0)) s left"
  }

  private func show(_ line: String, isLast: Bool) {
    guard !isQuiet else { return }
    // Clears the line before writing it anew.
    let text = isTerminal ? "\r\u{1B}[K\(line)\(isLast ? "\n" : "")" : line + "\n"
    var bytes = Array(text.utf8)[...]
    while !bytes.isEmpty {
      let written = bytes.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
      if written <= 0 { return }
      bytes = bytes.dropFirst(written)
    }
  }
}

extension Double {
  /// The number with a fixed count of decimals.
  func text(decimals: Int) -> String {
    guard isFinite, abs(self) < 1e15 else { return "\(self)" }
    var scale = 1
    for _ in 0..<decimals { scale *= 10 }
    let scaled = (abs(self) * Double(scale)).rounded()
    guard scaled < 9e18 else { return "\(self)" }
    let (whole, part) = Int(scaled).quotientAndRemainder(dividingBy: scale)
    let sign = self < 0 && scaled > 0 ? "-" : ""
    guard decimals > 0 else { return "\(sign)\(whole)" }
    let digits = "\(part)"
    return "\(sign)\(whole)." + String(repeating: "0", count: decimals - digits.count) + digits
  }
}
