import CKernels
import LMDB
import StorageBase

/// The rows that a commit writes, in the order of their numbers.
final class NumberedRows {
  private let rows: CommitRows
  private let numbers: NewNumbers
  /// Rows that are not new, where some of them move; else they stand in `rows`.
  private let moved: [KeyedIndex]?
  /// The commit that writes them.
  private let generation: UInt64
  private let layout: BlockLayout

  /// A place between two rows, of those that are new and of the others.
  struct Place {
    var new = 0
    var old = 0
  }

  /// The rows between two places.
  struct Part {
    let start: Place
    let end: Place
    var count: Int { end.new - start.new + end.old - start.old }
  }

  /// - Parameters:
  ///   - numbers: the numbers of new rows.
  ///   - moves: the new numbers of rows that move, by their old ones.
  init(
    _ rows: CommitRows, _ numbers: NewNumbers, moves: [UInt64: UInt64], generation: UInt64,
    layout: BlockLayout
  ) {
    if moves.isEmpty {
      moved = nil
    } else {
      var moved = rows.old.map {
        KeyedIndex(key: moves[$0.key] ?? $0.key, index: $0.index)
      }
      radixSort(&moved)
      self.moved = moved
    }
    self.rows = rows
    self.numbers = numbers
    self.generation = generation
    self.layout = layout
  }

  var count: Int { rows.count }

  private func old(_ i: Int) -> KeyedIndex { moved.map { $0[i] } ?? rows.old[i] }

  /// The number of the row behind a place; nil at the end.
  func number(_ place: Place) -> UInt64? {
    let new = place.new < rows.newByKey.count ? numbers[place.new] : nil
    let old = place.old < rows.old.count ? old(place.old).key : nil
    guard let new, let old else { return new ?? old }
    return min(new, old)
  }

  /// The end of the rows with numbers below `end`, from `start` on.
  func endOfRows(below end: UInt64, from start: Place) -> Place {
    var place = start
    while place.new < rows.newByKey.count, numbers[place.new] < end { place.new += 1 }
    while place.old < rows.old.count, old(place.old).key < end { place.old += 1 }
    return place
  }

  /// Finds rows in the cache, those of block `number`.
  func find(_ part: Part, inBlock number: UInt64) -> [PlacedRow] {
    var found: [PlacedRow] = []
    appendRows(part, inBlock: number, to: &found)
    return found
  }

  /// Appends rows as they are found in the cache, those of block `number`.
  func appendRows(
    _ part: Part, inBlock number: UInt64, to found: inout [PlacedRow]
  ) {
    let first = number * UInt64(layout.rowsPerBlock)
    for place in part.start.new..<part.end.new { rows.prefetchRow(rows.newIndex(at: place)) }
    for place in part.start.old..<part.end.old { rows.prefetchRow(old(place).index) }
    for place in part.start.old..<part.end.old {
      let old = old(place)
      var row = rows.row(old.index)
      row.index = UInt32(truncatingIfNeeded: old.key - first)
      found.append(row)
    }
    for place in part.start.new..<part.end.new {
      var row = rows.row(rows.newIndex(at: place))
      row.index = UInt32(truncatingIfNeeded: numbers[place] - first)
      found.append(row)
    }
  }

  /// Asks for a row's memory, which will be read soon.
  @inline(__always)
  func prefetch(_ row: PlacedRow) {
    // Unsafe: asked for, not read.
    ck_prefetch(row.header)
    let floats = UnsafeRawPointer(row.floats)
    var offset = 0
    while offset < 4 &* rows.cache.layout.rowFloats {
      ck_prefetch(floats + offset)
      offset &+= 64
    }
  }

  /// Copies a row into its block; returns the change of its frequency.
  @inline(__always)
  func copy(_ row: PlacedRow, to buffer: inout BlockBuffer, number: UInt64) -> UInt64 {
    let index = Int(row.index)
    let old = buffer.view(number: number).frequency(index)
    var frequency: UInt64 = 0
    rows.withState(of: row) { hash, counts, floats in
      frequency = counts.frequency
      buffer.setFixed(
        index, key: RowKey.key(ofHash: hash), frequency: frequency, lastStep: counts.lastStep,
        generation: generation)
      buffer.setVector(index, from: floats)
      buffer.setSlots(index, from: floats + layout.dimension)
    }
    return frequency &- old
  }
}
