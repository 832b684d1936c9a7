import Synchronization

/// Lets a batch rely on the rows that an earlier one found: as long as none has left the cache since,
/// all are where they were, and none leaves while the batch is at work.
///
/// Who takes a row out notes that first and then looks for pins; who pins looks afterwards whether any
/// row has left. Of two that meet, at least one sees the other.
final class RowPins: Sendable {
  private let departures = Atomic<UInt64>(0)
  private let pins = Atomic<Int>(0)

  /// How many rows have left, or were to.
  var departureCount: UInt64 { departures.load(ordering: .sequentiallyConsistent) }

  /// Keeps all rows where they are until `unpin`; false where one has left since there were so many
  /// departures, and nothing is kept.
  func pin(ifStillAt count: UInt64) -> Bool {
    pins.add(1, ordering: .sequentiallyConsistent)
    if departureCount == count { return true }
    unpin()
    return false
  }

  func unpin() { pins.subtract(1, ordering: .sequentiallyConsistent) }

  /// Whether a row may leave; counts as a departure.
  func letsGo() -> Bool {
    departures.add(1, ordering: .sequentiallyConsistent)
    return pins.load(ordering: .sequentiallyConsistent) == 0
  }
}
