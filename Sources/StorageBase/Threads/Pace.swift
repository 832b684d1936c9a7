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
/// sleeps nine times as long as it works, a tenth of a millisecond of each at a time: those moments in
/// which a processor seems to be free are the ends of others' batches, and who takes more of them
/// makes the next batch wait. Where one processor is left, who works behind sleeps three times as long:
/// that one often shares its core, and always the memory, with those that are wanted. Nothing gives
/// way while somebody waits for the work.
package final class Pace: Sendable {
  /// What time it is, in nanoseconds, and how to let some of it pass.
  package struct Clock: Sendable {
    let now: @Sendable () -> UInt64
    let sleep: @Sendable (UInt64) -> Void

    package init(now: @escaping @Sendable () -> UInt64, sleep: @escaping @Sendable (UInt64) -> Void)
    {
      self.now = now
      self.sleep = sleep
    }

    /// The system's monotonic clock.
    package static let monotonic = Clock(
      now: {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
      }, sleep: { usleep(UInt32($0 / 1000)) })
  }

  /// Nanoseconds of sleep for one of work, where others leave no processor, and where they leave one.
  private static let sleepForWork: [UInt64] = [9, 3]
  /// Nanoseconds of work between two sleeps.
  private static let interval: UInt64 = 100_000
  /// The most nanoseconds of sleep at once; who begins to wait for the work may wait that long.
  private static let longestSleep: UInt64 = 5_000_000
  /// Nanoseconds for which it counts how many processors others wanted.
  private static let memory: UInt64 = 50_000_000
  /// When the last sleep ended, or was not needed.
  private let rested = Atomic<UInt64>(0)
  /// Those who wait for the work.
  private let waiting = Atomic<Int>(0)

  private let processorCount: Int
  private let clock: Clock
  /// The most processors that others have wanted at once since this was last asked.
  private let wanted: @Sendable () -> Int
  /// The most that they wanted in the span under way, and in the one before.
  private let lately = Mutex((now: 0, before: 0, end: UInt64(0)))

  /// - Parameter wanted: gives the most processors that others have wanted at once since it was last
  ///   asked.
  package init(
    processorCount: Int = ThreadGroup.processorCount, clock: Clock = .monotonic,
    wanted: @escaping @Sendable () -> Int
  ) {
    self.processorCount = processorCount
    self.clock = clock
    self.wanted = wanted
  }

  /// Leaves the processor to others for a while if they leave one at most, and if that was not done
  /// just now. To be called every 10 to 100 microseconds of the work.
  package func giveWay() {
    guard !isHurried else { return }
    let now = clock.now()
    let worked = now - min(now, rested.load(ordering: .relaxed))
    guard worked >= Self.interval else { return }
    let wanted = mostWanted(at: now)
    let left = max(0, processorCount - wanted)
    guard wanted > 0 && left < Self.sleepForWork.count else {
      return rested.store(now, ordering: .relaxed)
    }
    clock.sleep(min(worked * Self.sleepForWork[left], Self.longestSleep))
    rested.store(clock.now(), ordering: .relaxed)
  }

  /// For a thread that helps the one at work: waits while others leave one processor at most, nobody
  /// waits for the work, and `isOver` is false.
  package func awaitSecondProcessor(unless isOver: () -> Bool) {
    while !isHurried && mostWanted(at: clock.now()) >= processorCount - 1 && !isOver() {
      clock.sleep(Self.interval * 5)
    }
  }

  /// How many processors others have wanted at once of late.
  private func mostWanted(at time: UInt64) -> Int {
    let wanted = wanted()
    return lately.withLock { lately in
      if time >= lately.end {
        lately = (now: 0, before: lately.now, end: time + Self.memory)
      }
      lately.now = max(lately.now, wanted)
      return max(lately.now, lately.before)
    }
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
}
