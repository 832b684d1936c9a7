import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// How work behind others' backs gives way to them.
///
/// A low priority is not enough: a thread that gets a processor, if only while another one waits for
/// a moment, keeps it for some milliseconds, whatever its priority, and two that train may meanwhile
/// share the other one. So where others have of late wanted all processors at once, who works behind
/// leaves its own every 100 to 200 microseconds, so that the system looks for who else could use it,
/// and stays away as long as all are wanted. Where others want them all the time, the work gets a
/// tenth of the time at least, once it has waited a second. Nothing gives way while somebody waits
/// for the work.
package final class Pace: Sendable {
  /// Microseconds of a moment: enough for the system to bring a thread from another processor.
  private static let moment: UInt32 = 50
  /// Nanoseconds of work between two of them, in whichever of the threads.
  private static let interval: UInt64 = 100_000
  /// Nanoseconds that others may have first.
  private static let credit: UInt64 = 1_000_000_000
  /// Nanoseconds for which it counts how many processors others wanted.
  private static let memory: UInt64 = 50_000_000
  private let begun = Atomic<UInt64>(0)
  /// Nanoseconds that others had since then.
  private let given = Atomic<UInt64>(0)
  /// When the next moment is due.
  private let next = Atomic<UInt64>(0)
  /// Those who wait for the work.
  private let waiting = Atomic<Int>(0)

  private let processorCount: Int
  /// The most processors that others have wanted at once since this was last asked.
  private let wanted: @Sendable () -> Int
  /// The most that they wanted in the span under way, and in the one before.
  private let lately = Mutex((now: 0, before: 0, end: UInt64(0)))

  /// - Parameter wanted: gives the most processors that others have wanted at once since it was last
  ///   asked.
  package init(
    processorCount: Int = ThreadGroup.processorCount, wanted: @escaping @Sendable () -> Int
  ) {
    self.processorCount = processorCount
    self.wanted = wanted
  }

  /// Begins a piece of work, in one or more threads.
  package func begin() {
    given.store(0, ordering: .relaxed)
    begun.store(Self.now, ordering: .relaxed)
  }

  /// Leaves the processor to others for a moment, or until there is one that they do not want, if
  /// that was not done just now. To be called every 10 to 100 microseconds of the work.
  package func giveWay() {
    guard !isHurried else { return }
    let start = Self.now
    guard start >= next.load(ordering: .relaxed) else { return }
    let most = Self.credit + (start - begun.load(ordering: .relaxed)) / 10 * 9
    let before = given.load(ordering: .relaxed)
    var end = start
    if processorsLeft <= 0 && before <= most {
      repeat {
        usleep(Self.moment)
        end = Self.now
      } while ask(at: end) >= processorCount && !isHurried && before + (end - start) <= most
      given.add(end - start, ordering: .relaxed)
    }
    next.store(end + Self.interval, ordering: .relaxed)
  }

  /// For a thread that helps the one at work: waits while others leave a processor for that one only,
  /// nobody waits for the work, and `isOver` is false. Where they leave none, both give way.
  package func awaitSecondProcessor(unless isOver: () -> Bool) {
    while !isHurried && processorsLeft == 1 && !isOver() { usleep(10 * Self.moment) }
  }

  /// How many processors others have not wanted of late.
  private var processorsLeft: Int {
    let now = Self.now
    _ = ask(at: now)
    return processorCount - lately.withLock { max($0.now, $0.before) }
  }

  /// How many processors others wanted since this was last asked.
  private func ask(at time: UInt64) -> Int {
    let wanted = wanted()
    lately.withLock { lately in
      if time >= lately.end {
        lately = (now: 0, before: lately.now, end: time + Self.memory)
      }
      lately.now = max(lately.now, wanted)
    }
    return wanted
  }

  /// Whether somebody waits for the work.
  package var isHurried: Bool { waiting.load(ordering: .relaxed) > 0 }

  /// Runs `body`, which waits for the work: nothing gives way meanwhile.
  package func hurried<R>(
    _ body: () throws(EmbeddingError) -> R
  ) throws(EmbeddingError) -> R {
    waiting.add(1, ordering: .relaxed)
    defer { waiting.subtract(1, ordering: .relaxed) }
    return try body()
  }

  /// Nanoseconds on the monotonic clock.
  private static var now: UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}
