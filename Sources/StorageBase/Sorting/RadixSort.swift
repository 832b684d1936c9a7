/// A 64-bit key with the number of what it belongs to.
package struct KeyedIndex: Sendable, Hashable {
  package var key: UInt64
  package var index: UInt32

  @inlinable
  package init(key: UInt64, index: UInt32) {
    self.key = key
    self.index = index
  }
}

/// Sorts by rising key, keeping the order of equal keys: least significant digit first, 11 bits at a
/// time, leaving out digits in which all keys agree.
///
/// Takes as much memory again as the array. Below some thousand elements the standard library's sort
/// is as good.
package func radixSort(_ elements: inout [KeyedIndex]) {
  let count = elements.count
  if count < 2 { return }
  guard count > 256 else {
    // Indices rise within equal keys only if they did before; the standard sort is not stable.
    let order = elements.enumerated().sorted {
      $0.element.key != $1.element.key
        ? $0.element.key < $1.element.key : $0.offset < $1.offset
    }
    elements = order.map(\.element)
    return
  }
  var histograms = [UInt32](repeating: 0, count: passes * buckets)
  histograms.withUnsafeMutableBufferPointer { histograms in
    for element in elements {
      for pass in 0..<passes { histograms[pass * buckets + digit(element.key, pass)] &+= 1 }
    }
  }
  var scratch = [KeyedIndex](repeating: KeyedIndex(key: 0, index: 0), count: count)
  for pass in 0..<passes {
    let first = pass * buckets
    // All keys in one bucket: nothing to do.
    if histograms[first + digit(elements[0].key, pass)] == UInt32(count) { continue }
    var start: UInt32 = 0
    for bucket in first..<first + buckets {
      (histograms[bucket], start) = (start, start &+ histograms[bucket])
    }
    // Unsafe: the bounds hold by the counts, and checking them costs as much as the move.
    elements.withUnsafeBufferPointer { source in
      scratch.withUnsafeMutableBufferPointer { target in
        histograms.withUnsafeMutableBufferPointer { starts in
          for element in source {
            let bucket = first + digit(element.key, pass)
            target[Int(starts[bucket])] = element
            starts[bucket] &+= 1
          }
        }
      }
    }
    swap(&elements, &scratch)
  }
}

private let digitBits = 11
private let passes = 6
private let buckets = 1 << digitBits

@inline(__always)
private func digit(_ key: UInt64, _ pass: Int) -> Int {
  Int(truncatingIfNeeded: key >> UInt64(pass * digitBits)) & (buckets - 1)
}
