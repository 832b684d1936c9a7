/// The best rows seen so far, of a bounded number: a binary heap with the worst one on top.
///
/// The order is total, so that the outcome does not depend on the order of insertion: a higher
/// merit is better, and of equal merits the lower row. NaN is no merit at all.
struct BestRows: Sendable {
  struct Entry: Sendable {
    /// Higher is better.
    var merit: Float
    var row: Int

    static func isBetter(_ a: Entry, _ b: Entry) -> Bool {
      a.merit == b.merit ? a.row < b.row : a.merit > b.merit
    }
  }

  let limit: Int
  private(set) var entries: [Entry] = []

  init(limit: Int) { self.limit = limit }

  /// Takes the row in, if it is among the best.
  @inline(__always)
  mutating func offer(_ merit: Float, row: Int) {
    if entries.count == limit, merit < entries[0].merit { return }
    insert(Entry(merit: merit, row: row))
  }

  /// Takes in the rows of another one.
  mutating func merge(_ other: BestRows) {
    for entry in other.entries { insert(entry) }
  }

  /// Best first.
  var sorted: [Entry] { entries.sorted(by: Entry.isBetter) }

  private mutating func insert(_ entry: Entry) {
    guard !entry.merit.isNaN else { return }
    if entries.count < limit {
      entries.append(entry)
      var child = entries.count - 1
      while child > 0, Entry.isBetter(entries[(child - 1) / 2], entries[child]) {
        entries.swapAt(child, (child - 1) / 2)
        child = (child - 1) / 2
      }
      return
    }
    guard limit > 0, Entry.isBetter(entry, entries[0]) else { return }
    entries[0] = entry
    var parent = 0
    while true {
      var worst = parent
      for child in [2 * parent + 1, 2 * parent + 2]
      where child < entries.count && Entry.isBetter(entries[worst], entries[child]) {
        worst = child
      }
      if worst == parent { return }
      entries.swapAt(parent, worst)
      parent = worst
    }
  }
}
