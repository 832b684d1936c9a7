/// Divides keys that come in any order, and are too many to sort at once, into slices that are not:
/// from a sample of them, taken while they are counted.
struct KeySlices {
  /// The keys so far.
  private(set) var count = 0
  private var sample: [UInt64] = []
  /// One key of so many is in the sample.
  private var stride = 1

  private static let maximumSample = 1 << 13

  /// Counts a key.
  mutating func add(_ key: UInt64) {
    if count % stride == 0 {
      if sample.count == Self.maximumSample {
        // Every second one stays, which are those of twice the stride.
        sample = Swift.stride(from: 0, to: sample.count, by: 2).map { sample[$0] }
        stride *= 2
      }
      if count % stride == 0 { sample.append(key) }
    }
    count += 1
  }

  /// Ranges of keys, rising, that together are all keys, each of about `limit` of those counted, or
  /// fewer. Equal keys are in one range.
  func ranges(ofAbout limit: Int) -> [ClosedRange<UInt64>] {
    let parts = max(1, (count + limit - 1) / limit)
    let sorted = sample.sorted()
    var ranges: [ClosedRange<UInt64>] = []
    var start: UInt64 = 0
    for part in 1..<max(1, parts) {
      let end = sorted[sorted.count * part / parts]
      guard end > start else { continue }
      ranges.append(start...end - 1)
      start = end
    }
    ranges.append(start...UInt64.max)
    return ranges
  }
}
