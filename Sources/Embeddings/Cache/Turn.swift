/// The rows of a shard that changed between two requests for a commit: their slots, each once, in the
/// order in which they changed; those too that have changed again, in a later turn.
struct Turn {
  /// 1 to 31, as it stands in the headers of rows (``RowHeader/Flags/turn``).
  let number: UInt8
  var slots: [UInt32] = []
}

/// The turns whose rows one commit writes, in their order.
struct FixedTurns {
  private(set) var turns: [Turn] = []
  private(set) var numbers = TurnSet()
  /// The entries of all lists.
  private var slotCount = 0
  /// The rows that have not changed since the last of these turns.
  var unchangedCount = 0

  var isEmpty: Bool { turns.isEmpty }

  @inline(__always)
  func contains(_ turn: UInt8) -> Bool { numbers.contains(turn) }

  /// Whether two turns should become one: they are so many that a commit under way and the next one
  /// might have all numbers between them, or most entries are of rows that have changed again.
  var areMany: Bool {
    turns.count > Self.most || turns.count > 1 && slotCount > 3 * unchangedCount + 1024
  }

  private static let most = 14

  /// Adds the last turn, none of whose rows has changed since.
  mutating func append(_ turn: Turn) {
    unchangedCount += turn.slots.count
    slotCount += turn.slots.count
    numbers.insert(turn.number)
    turns.append(turn)
  }

  /// Puts earlier turns before these.
  mutating func prepend(_ earlier: FixedTurns) {
    turns = earlier.turns + turns
    numbers = numbers.union(earlier.numbers)
    slotCount += earlier.slotCount
    unchangedCount += earlier.unchangedCount
  }

  /// Forgets all turns, but keeps memory for the next ones.
  mutating func removeAll() {
    turns.removeAll(keepingCapacity: true)
    numbers = TurnSet()
    (slotCount, unchangedCount) = (0, 0)
  }

  // MARK: Merging

  /// Takes out two neighbours with few rows; there must be two.
  mutating func takeTwo() -> (Turn, Turn) {
    let sizes = (1..<turns.count).map { turns[$0 - 1].slots.count + turns[$0].slots.count }
    let i = sizes.indices.min { sizes[$0] < sizes[$1] } ?? 0
    let two = (turns.remove(at: i), turns.remove(at: i))
    for turn in [two.0, two.1] {
      numbers.remove(turn.number)
      slotCount -= turn.slots.count
    }
    return two
  }

  /// Puts in one that was made of two, which have as many rows that count.
  mutating func putBack(_ turn: Turn) {
    numbers.insert(turn.number)
    slotCount += turn.slots.count
    turns.append(turn)
  }

  // MARK: Going through them

  /// A place between two entries.
  struct Place {
    fileprivate var turn = 0
    fileprivate var entry = 0
  }

  /// Up to `count` entries of one turn from a place on, which moves behind them; nil at the end.
  func next(_ count: Int, from place: inout Place) -> (Turn, Range<Int>)? {
    while place.turn < turns.count {
      let turn = turns[place.turn]
      let range = place.entry..<min(place.entry + count, turn.slots.count)
      if !range.isEmpty {
        place.entry = range.upperBound
        return (turn, range)
      }
      place.turn += 1
      place.entry = 0
    }
    return nil
  }
}

/// Numbers of turns.
struct TurnSet {
  private var bits: UInt32 = 0

  @inline(__always)
  func contains(_ turn: UInt8) -> Bool { bits & (1 &<< UInt32(turn)) != 0 }

  mutating func insert(_ turn: UInt8) { bits |= 1 << UInt32(turn) }
  mutating func remove(_ turn: UInt8) { bits &= ~(1 << UInt32(turn)) }
  func union(_ other: TurnSet) -> TurnSet { TurnSet(bits: bits | other.bits) }

  /// The first number, from 1 to 31, that is not here; nil where all are.
  var free: UInt8? {
    let free = (~bits & ~1).trailingZeroBitCount
    return free < UInt32.bitWidth ? UInt8(free) : nil
  }
}
