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
}
