/// The rows with the least times of all that were inserted, as many as fit: a max-heap by time.
struct EarliestRows {
  struct Entry {
    var time: Double
    var row: Int
    var probability: Double
  }

  private let capacity: Int
  private var heap: [Entry] = []
  /// The probability of all rows that were inserted and did not stay.
  private(set) var passedOver = 0.0

  init(capacity: Int) { self.capacity = capacity }

  var count: Int { heap.count }
  var isFull: Bool { heap.count == capacity }

  /// The entries by rising time.
  func sorted() -> [Entry] { heap.sorted { $0.time < $1.time } }

  mutating func insert(_ entry: Entry) {
    if heap.count < capacity {
      heap.append(entry)
      siftUp(from: heap.count - 1)
    } else if entry.time < heap[0].time {
      passedOver += heap[0].probability
      heap[0] = entry
      siftDown()
    } else {
      passedOver += entry.probability
    }
  }

  private mutating func siftUp(from index: Int) {
    var child = index
    while child > 0 {
      let parent = (child - 1) / 2
      guard heap[parent].time < heap[child].time else { return }
      heap.swapAt(parent, child)
      child = parent
    }
  }

  private mutating func siftDown() {
    var parent = 0
    while true {
      var largest = parent
      for child in [2 * parent + 1, 2 * parent + 2]
      where child < heap.count && heap[child].time > heap[largest].time { largest = child }
      guard largest != parent else { return }
      heap.swapAt(parent, largest)
      parent = largest
    }
  }
}
