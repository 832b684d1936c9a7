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
    let pace = Pace { asked.next() < 5 }
    pace.begin()
    pace.giveWay()
    #expect(asked.value == 5)
    // But not while somebody waits for it.
    try pace.hurried { () throws(EmbeddingError) in pace.giveWay() }
    #expect(asked.value == 5)
  }

  @Test func workBehindIsNotKeptAwayForEver() {
    let pace = Pace { true }
    pace.begin()
    for _ in 0..<3 { pace.giveWay() }
  }

  private final class Counter: Sendable {
    private let count = Atomic<Int>(0)
    var value: Int { count.load(ordering: .relaxed) }
    func next() -> Int { count.add(1, ordering: .relaxed).newValue }
  }
}
