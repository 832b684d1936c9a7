import CKernels

/// One layer of a Bloom filter in memory: for each stripe its counts, then its blocks.
///
/// Unsafe: raw memory of the layer's own, which its owner frees; a stripe's part is touched under
/// the stripe's lock, and shares no cache line with another's.
struct FilterLayer {
  let shape: LayerShape
  private let memory: UnsafeMutableRawPointer
  private let stripeStride: Int

  private static let countsBytes = 128

  init(_ shape: LayerShape) {
    self.shape = shape
    stripeStride = Self.countsBytes + (shape.stripeBytes + 127) / 128 * 128
    memory = FilterMemory.zeroed(FilterStripe.count * stripeStride)
  }

  func free() { FilterMemory.free(memory) }

  var bytes: Int { FilterStripe.count * stripeStride }

  static func bytes(_ shape: LayerShape) -> Int {
    FilterStripe.count * (countsBytes + (shape.stripeBytes + 127) / 128 * 128)
  }

  /// What is counted of the layer in a stripe.
  @inline(__always)
  func counts(_ stripe: Int) -> UnsafeMutablePointer<FilterCounts> {
    (memory + stripe &* stripeStride).assumingMemoryBound(to: FilterCounts.self)
  }

  @inline(__always)
  func block(_ stripe: Int, _ number: Int) -> UnsafeMutableRawPointer {
    memory + (stripe &* stripeStride &+ Self.countsBytes &+ number &* shape.blockBytes)
  }

  @inline(__always)
  func prefetch(_ hash: UInt64) {
    ck_prefetch(block(FilterStripe.number(hash), shape.place(hash).block))
  }

  @inline(__always)
  func least(_ hash: UInt64) -> UInt32 {
    let place = shape.place(hash)
    return shape.least(block(FilterStripe.number(hash), place.block), place.draw)
  }

  /// Adds to an id's cells, saturating at `maximum`; returns what it had before.
  @inline(__always)
  func add(_ times: UInt32, to hash: UInt64, maximum: UInt32) -> UInt32 {
    let stripe = FilterStripe.number(hash)
    let place = shape.place(hash)
    return shape.add(
      times, to: block(stripe, place.block), place.draw, maximum: maximum,
      counts: &counts(stripe).pointee)
  }
}
