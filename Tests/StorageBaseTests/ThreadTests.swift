import StorageBase
import Synchronization
import Testing

@Suite struct ThreadTests {
  @Test func whereThreadsAreRefusedTheWorkIsDoneInThisOneOrNotAtAll() {
    ThreadFaults.refuse {
      var order: [Int] = []
      concurrently({ order.append(1) }, { order.append(2) })
      alongside({ order.append(3) }, { hasThread in order.append(hasThread ? 4 : 5) })
      #expect(order == [1, 2, 5])
      #expect(!runInBackground { Issue.record("it has no thread") })
      #expect(ThreadGroup(3) { Issue.record("it has no thread") }.count == 0)
    }
  }

  @Test func theRefusalEndsWithItsBody() {
    ThreadFaults.refuse {}
    let runs = Atomic<Int>(0)
    alongside({ runs.add(1, ordering: .relaxed) }, { hasThread in #expect(hasThread) })
    #expect(runs.load(ordering: .relaxed) == 1)
  }

  @Test(arguments: [(wanted: 4, share: 0.1), (wanted: 3, share: 0.25), (wanted: 2, share: 1)])
  func workBehindTakesAShareOfTheTimeWhereProcessorsAreWanted(wanted: Int, share: Double) {
    let clock = TestClock()
    let pace = Pace(processorCount: 4, clock: clock.clock) { wanted }
    // A second of work, in pieces of different length.
    var worked: UInt64 = 0
    for i in 0..<10_000 {
      let piece = UInt64(50_000 + i % 2 * 100_000)
      clock.pass(piece)
      worked += piece
      pace.giveWay()
    }
    #expect(abs(Double(worked) / Double(clock.now) - share) < 0.005)
  }

  @Test func workBehindDoesNotSleepWhereNothingIsWanted() {
    let clock = TestClock()
    let pace = Pace(processorCount: 1, clock: clock.clock) { 0 }
    clock.pass(1_000_000)
    pace.giveWay()
    #expect(clock.now == 1_000_000)
  }

  @Test func workBehindDoesNotSleepWhileSomebodyWaitsForIt() throws {
    let clock = TestClock()
    let pace = Pace(processorCount: 4, clock: clock.clock) { 4 }
    clock.pass(1_000_000)
    try pace.hurried { () throws(EmbeddingError) in pace.giveWay() }
    #expect(clock.now == 1_000_000)
    // And not for long at once, however long a piece of the work took.
    clock.pass(1_000_000_000)
    pace.giveWay()
    #expect(clock.now <= 1_006_000_000)
  }

  @Test func workBehindRemembersForAWhileThatAllProcessorsWereWanted() {
    let clock = TestClock()
    let wanted = Counter()
    let pace = Pace(processorCount: 4, clock: clock.clock) { wanted.next() == 1 ? 4 : 0 }
    func sleeps() -> Bool {
      clock.pass(1_000_000)
      let before = clock.now
      pace.giveWay()
      return clock.now > before
    }
    #expect(sleeps())
    #expect(sleeps())
    clock.pass(200_000_000)
    // The span in which they were wanted is the last but one by the second of these.
    _ = sleeps()
    clock.pass(200_000_000)
    #expect(!sleeps())
  }

  @Test func aSecondThreadWaitsForAProcessorOfItsOwn() throws {
    let clock = TestClock()
    let asked = Counter()
    let isOver: () -> Bool = { asked.next() == 3 }
    Pace(processorCount: 4, clock: clock.clock) { 2 }.awaitSecondProcessor(unless: isOver)
    #expect(asked.value == 0)
    for wanted in 3...4 {
      let pace = Pace(processorCount: 4, clock: clock.clock) { wanted }
      try pace.hurried { () throws(EmbeddingError) in pace.awaitSecondProcessor(unless: isOver) }
      #expect(asked.value == 0)
      pace.awaitSecondProcessor(unless: isOver)
      #expect(asked.takeValue() == 3)
    }
  }

  @Test func whatIsHandedOverIsTakenInItsOrder() {
    let line = HandOff<Int>()
    #expect(line.takeIfThere() == nil)
    for element in 1...3 { line.give(element) }
    #expect(!line.isClosed)
    line.close()
    #expect(line.isClosed)
    #expect([line.take(), line.takeIfThere(), line.take()] == [1, 2, 3])
    #expect(line.takeIfThere() == nil)
    #expect(line.take() == nil)
  }

  private final class Counter: Sendable {
    private let count = Atomic<Int>(0)
    var value: Int { count.load(ordering: .relaxed) }
    func next() -> Int { count.add(1, ordering: .relaxed).newValue }
    /// The count, which begins anew.
    func takeValue() -> Int { count.exchange(0, ordering: .relaxed) }
  }

  /// A clock whose time passes by being told, and by sleeping.
  private final class TestClock: Sendable {
    private let nanoseconds = Atomic<UInt64>(0)
    var now: UInt64 { nanoseconds.load(ordering: .relaxed) }
    func pass(_ time: UInt64) { nanoseconds.add(time, ordering: .relaxed) }
    var clock: Pace.Clock { .init(now: { self.now }, sleep: { self.pass($0) }) }
  }
}
