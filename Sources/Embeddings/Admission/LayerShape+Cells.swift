import StorageBase

/// Where an id is in a layer.
struct CellPlace {
  /// The block, in the id's stripe.
  let block: Int
  /// What its cells are drawn from.
  let draw: UInt64
}

/// Reading and raising an id's cells, in live memory and in stored bytes alike.
///
/// Unsafe: `block` has `blockBytes` bytes, aligned to 8, and the cells drawn are in it by
/// construction.
extension LayerShape {
  /// Where an id is. The stripe is the six highest bits of the hash, so the first layer takes its
  /// block from those that follow, and all others from new hashes.
  @inline(__always)
  func place(_ hash: UInt64) -> CellPlace {
    let word = number == 0 ? hash << 6 : mix64(hash &+ UInt64(number) &* golden)
    return CellPlace(
      block: Int(truncatingIfNeeded: word.multipliedFullWidth(by: UInt64(blocks)).high),
      draw: mix64(word &+ golden))
  }

  @inline(__always)
  private var mask: UInt64 { 1 &<< UInt64(cellBits) &- 1 }

  /// Calls `body` with the first bit of each of an id's cells, until it returns false.
  @inline(__always)
  private func forEachCell(_ draw: UInt64, _ body: (Int) -> Bool) {
    var bits = draw
    var first = 0
    for i in 0..<hashes {
      // Eight cells take at most 48 of the 64 bits.
      if i == 8 { bits = mix64(draw &+ golden) }
      let (cell, rest) = bits.multipliedFullWidth(by: UInt64(groupCells))
      bits = rest
      if !body((first &+ Int(truncatingIfNeeded: cell)) &* cellBits) { return }
      first &+= groupCells
    }
  }

  /// The least of an id's cells.
  @inline(__always)
  func least(_ block: UnsafeRawPointer, _ draw: UInt64) -> UInt32 {
    let words = block.assumingMemoryBound(to: UInt64.self)
    let mask = mask
    var least = mask
    forEachCell(draw) { bit in
      least = min(least, (words[bit &>> 6] &>> UInt64(bit & 63)) & mask)
      return least != 0
    }
    return UInt32(truncatingIfNeeded: least)
  }

  /// Raises all cells of an id that are less than `count` to it; returns how many were 0.
  @inline(__always)
  func raise(_ block: UnsafeMutableRawPointer, _ draw: UInt64, to count: UInt32) -> Int {
    let words = block.assumingMemoryBound(to: UInt64.self)
    let mask = mask
    var zeros = 0
    forEachCell(draw) { bit in
      let shift = UInt64(bit & 63)
      let word = words[bit &>> 6]
      let old = (word &>> shift) & mask
      if old < UInt64(count) {
        words[bit &>> 6] = word ^ ((old ^ UInt64(count)) &<< shift)
        if old == 0 { zeros += 1 }
      }
      return true
    }
    return zeros
  }

  /// Adds `times` to an id, saturating at `maximum`, and counts what it changes.
  ///
  /// - Returns: what the id had before.
  @inline(__always)
  func add(
    _ times: UInt32, to block: UnsafeMutableRawPointer, _ draw: UInt64, maximum: UInt32,
    counts: inout FilterCounts
  ) -> UInt32 {
    let before = least(block, draw)
    guard before < maximum else { return before }
    let after = before &+ min(times, maximum &- before)
    counts.nonzeroCells &+= raise(block, draw, to: after)
    if before == 0 { counts.distinctIDs &+= 1 }
    if after == maximum { counts.idsAtThreshold &+= 1 }
    return before
  }

  /// Cells that are not 0, and whether all bits are such as cells of this shape may have.
  func nonzeroCells(_ block: UnsafeRawPointer, maximum: UInt32) -> (count: Int, isValid: Bool) {
    let words = block.assumingMemoryBound(to: UInt64.self)
    var count = 0
    var isValid = true
    for cell in 0..<blockBytes * 8 / cellBits {
      let bit = cell * cellBits
      let value = (words[bit >> 6] >> UInt64(bit & 63)) & mask
      if value == 0 { continue }
      count += 1
      if cell >= blockCells || value > UInt64(maximum) { isValid = false }
    }
    return (count, isValid)
  }
}

/// What is counted of a filter, or of a part of it.
struct FilterCounts: Equatable, Sendable {
  /// Ids that were new to it.
  var distinctIDs = 0
  /// Ids whose count reached the threshold; in a filter of bits, all ids.
  var idsAtThreshold = 0
  /// Cells that are not 0.
  var nonzeroCells = 0

  static func += (left: inout FilterCounts, right: FilterCounts) {
    left.distinctIDs += right.distinctIDs
    left.idsAtThreshold += right.idsAtThreshold
    left.nonzeroCells += right.nonzeroCells
  }
}
