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

  @Test func workBehindStaysAwayWhileAllProcessorsAreWanted() throws {
    let asked = Counter()
    // Once to see whether they are, and then until they are not.
    let pace = Pace(processorCount: 4) { asked.next() < 5 ? 4 : 3 }
    pace.begin()
    pace.giveWay()
    #expect(asked.value == 5)
    // But not while somebody waits for it.
    try pace.hurried { () throws(EmbeddingError) in pace.giveWay() }
    #expect(asked.value == 5)
  }

  @Test func workBehindGoesOnWhereAProcessorIsLeft() {
    let asked = Counter()
    let pace = Pace(processorCount: 4) {
      _ = asked.next()
      return 3
    }
    pace.begin()
    pace.giveWay()
    #expect(asked.value == 1)
  }

  @Test func workBehindIsNotKeptAwayForEver() {
    let pace = Pace(processorCount: 1) { 1 }
    pace.begin()
    for _ in 0..<3 { pace.giveWay() }
  }

  @Test func aSecondThreadWaitsForAProcessorOfItsOwn() throws {
    let asked = Counter()
    let isOver: () -> Bool = { asked.next() == 3 }
    Pace(processorCount: 4) { 2 }.awaitSecondProcessor(unless: isOver)
    #expect(asked.value == 0)
    let pace = Pace(processorCount: 4) { 3 }
    try pace.hurried { () throws(EmbeddingError) in pace.awaitSecondProcessor(unless: isOver) }
    #expect(asked.value == 0)
    pace.awaitSecondProcessor(unless: isOver)
    #expect(asked.value == 3)
    // Where none is left, both give way.
    Pace(processorCount: 4) { 4 }.awaitSecondProcessor(unless: isOver)
    #expect(asked.value == 3)
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
  }
}
