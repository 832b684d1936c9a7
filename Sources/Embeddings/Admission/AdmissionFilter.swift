import StorageBase
import Synchronization

/// Counts how often ids without a row were seen, for the kinds of ``Admission`` that remember it.
///
/// An id is known by its 64-bit hash (`RowKey.hash`), whose six highest bits are its stripe. What
/// concerns an id touches its stripe alone, and is called under the lock of the cache shard that
/// contains the stripe; so there are no locks here, and stripes share no cache line.
///
/// A Bloom filter has layers. An id's count is in the first layer where it is not 0, or else in the
/// newest. Since only cells that are not 0 change in an older layer, the layer in which an id is
/// counted stays the same for good.
///
/// `@unchecked Sendable`: as said, stripes are touched under the locks of the cache, and functions
/// "while nobody is at work" under the gate of the table.
final class AdmissionFilter: @unchecked Sendable {
  let admission: Admission
  /// The sightings that admit an id.
  let threshold: UInt32
  /// Where counts in memory saturate: the threshold; 1 in a filter of bits.
  let maximum: UInt32
  let isExact: Bool

  // Unsafe: raw memory for the stripes, so that they stand apart.
  private let stripeMemory: UnsafeMutableRawPointer
  private static let stripeStride = 256
  private let layerMemory: UnsafeMutablePointer<FilterLayer>
  private(set) var layerCount = 0

  /// The layers of the commits that wait and are under way; 0 where there is none.
  var waitingLayers = 0
  var runningLayers = 0
  /// The layers of the last commit taken over.
  var committedLayers = 0

  /// Ids that were counted for the first time since somebody looked whether the newest layer is full,
  /// and how many there was room for then.
  private let newIDs = Atomic<Int>(0)
  private let room = Atomic<Int>(0)

  /// An empty filter; nil for kinds that keep no state.
  convenience init?(_ admission: Admission) {
    self.init(admission, shapes: nil)
  }

  /// - Parameter shapes: the layers of a stored filter; nil for a new one.
  init?(_ admission: Admission, shapes: [LayerShape]?) {
    self.admission = admission
    switch admission {
    case .none, .probabilistic: return nil
    case .bloomFilter: (threshold, maximum, isExact) = (2, 1, false)
    case .countingBloomFilter(let number, _, _):
      (threshold, maximum, isExact) = (UInt32(number), UInt32(number), false)
    case .counter(let number):
      (threshold, maximum, isExact) = (UInt32(number), UInt32(number), true)
    }
    stripeMemory = FilterMemory.zeroed(FilterStripe.count * Self.stripeStride)
    precondition(MemoryLayout<FilterStripe>.stride <= Self.stripeStride)
    layerMemory = .allocate(capacity: LayerShape.mostLayers)
    for i in 0..<FilterStripe.count {
      (stripeMemory + i * Self.stripeStride).initializeMemory(
        as: FilterStripe.self, to: FilterStripe(table: isExact ? CountTable() : nil))
    }
    if let shapes {
      for shape in shapes { addLayer(shape) }
    } else if let shape = nextShape {
      addLayer(shape)
    }
  }

  deinit {
    for i in 0..<FilterStripe.count {
      stripe(i).pointee.table?.free()
      stripe(i).deinitialize(count: 1)
    }
    for layer in 0..<layerCount { layerMemory[layer].free() }
    layerMemory.deallocate()
    FilterMemory.free(stripeMemory)
  }

  @inline(__always)
  func stripe(_ number: Int) -> UnsafeMutablePointer<FilterStripe> {
    (stripeMemory + number &* Self.stripeStride).assumingMemoryBound(to: FilterStripe.self)
  }

  @inline(__always)
  func layer(_ number: Int) -> FilterLayer { layerMemory[number] }

  // MARK: Counting

  /// Brings the memory of an id close.
  @inline(__always)
  func prefetch(_ hash: UInt64) {
    if isExact {
      stripe(FilterStripe.number(hash)).pointee.table.unsafelyUnwrapped.prefetch(hash)
    } else {
      for i in 0..<layerCount { layerMemory[i].prefetch(hash) }
    }
  }

  /// How often an id was counted, to the threshold at most. A filter of bits says 1 for every id
  /// that was.
  @inline(__always)
  func sightings(_ hash: UInt64) -> UInt32 {
    if isExact {
      return stripe(FilterStripe.number(hash)).pointee.table.unsafelyUnwrapped.count(of: hash)
    }
    for i in 0..<layerCount {
      let count = layerMemory[i].least(hash)
      if count > 0 { return count }
    }
    return 0
  }

  /// Whether an id that is seen `times` more is admitted.
  @inline(__always)
  func admits(_ hash: UInt64, times: UInt32) -> Bool {
    let (sum, isOver) = sightings(hash).addingReportingOverflow(times)
    return isOver || sum >= threshold
  }

  /// Counts `times` sightings of an id; returns how many there are now, to the threshold at most.
  /// An id is admitted where they reach it.
  @discardableResult
  @inline(__always)
  func count(_ hash: UInt64, times: UInt32) -> UInt32 {
    let added = min(times, maximum)
    let stripe = stripe(FilterStripe.number(hash))
    let before: UInt32
    if isExact {
      before = stripe.pointee.table!.add(
        added, to: hash, maximum: maximum, counts: &stripe.pointee.counts)
      if before < maximum, added > 0 {
        stripe.pointee.journal.append(JournalEntry(hash: hash, detail: added))
      }
    } else {
      before = countInLayers(hash, added, stripe)
    }
    return before &+ min(times, threshold &- before)
  }

  @inline(__always)
  private func countInLayers(
    _ hash: UInt64, _ times: UInt32, _ stripe: UnsafeMutablePointer<FilterStripe>
  ) -> UInt32 {
    guard times > 0 else { return sightings(hash) }
    // In the first layer where it is not 0, else in the newest.
    var number = 0
    while number + 1 < layerCount, layerMemory[number].least(hash) == 0 { number += 1 }
    let before = layerMemory[number].add(times, to: hash, maximum: maximum)
    if before < maximum {
      stripe.pointee.journal.append(JournalEntry(hash: hash, layer: number, times: times))
    }
    return before
  }

  // MARK: Growth

  /// The layer that would be added next; nil where there can be none.
  private var nextShape: LayerShape? {
    guard layerCount < LayerShape.mostLayers else { return nil }
    switch admission {
    case .bloomFilter(let expected, let rate):
      return .layer(layerCount, cellBits: 1, expectedIDs: expected, rate: rate)
    case .countingBloomFilter(_, let expected, let rate):
      return .layer(
        layerCount, cellBits: LayerShape.cellBits(threshold: threshold), expectedIDs: expected,
        rate: rate)
    case .none, .counter, .probabilistic: return nil
    }
  }

  func addLayer(_ shape: LayerShape) {
    (layerMemory + layerCount).initialize(to: FilterLayer(shape))
    layerCount += 1
  }

  /// Whether the newest layer has got all the ids that it is for. Nobody may be at work.
  var isFull: Bool {
    guard !isExact, layerCount > 0 else { return false }
    let newest = layerMemory[layerCount - 1]
    var ids = 0
    for i in 0..<FilterStripe.count { ids += newest.counts(i).pointee.distinctIDs }
    return ids >= newest.shape.capacity
  }

  /// Takes down that a batch counted so many ids for the first time.
  func noteNew(_ ids: Int) { newIDs.add(ids, ordering: .relaxed) }

  /// Whether it is time for `growIfNeeded`.
  var mayBeFull: Bool {
    newIDs.load(ordering: .relaxed) >= room.load(ordering: .relaxed)
  }

  /// Takes down how many ids the newest layer has room for.
  private func noteRoom() {
    var room = Int.max
    if !isExact, layerCount > 0, nextShape != nil {
      let newest = layerMemory[layerCount - 1]
      room = newest.shape.capacity
      for i in 0..<FilterStripe.count { room -= newest.counts(i).pointee.distinctIDs }
    }
    newIDs.store(0, ordering: .relaxed)
    self.room.store(max(1, room), ordering: .relaxed)
  }

  /// Bytes that `growIfNeeded` would take; 0 where it is not needed.
  var bytesToGrow: Int {
    guard isFull, let shape = nextShape else { return 0 }
    return FilterLayer.bytes(shape)
  }

  /// Adds a layer where the newest one is full, and says whether it did. Nobody may be at work; may
  /// be called wherever that is so, since the journal knows the layer of each sighting.
  @discardableResult
  func growIfNeeded() -> Bool {
    defer { noteRoom() }
    guard isFull, let shape = nextShape else { return false }
    addLayer(shape)
    return true
  }
}
