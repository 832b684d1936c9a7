/// Sorts by rising key, keeping the order of equal keys.
///
/// Takes as much memory again as the array. Below some hundred elements the standard library's sort
/// is as good.
package func radixSort(_ elements: inout [KeyedIndex]) {
  let count = elements.count
  if count < 2 { return }
  let scratch = UnsafeMutablePointer<KeyedIndex>.allocate(capacity: count)
  defer { scratch.deallocate() }
  elements.withUnsafeMutableBufferPointer { elements in
    radixSort(elements, scratch: scratch)
  }
}

/// The same for elements in memory, with as much memory at `scratch`.
///
/// Only bits in which keys differ count, in digits of up to 11 bits, the least significant first.
/// Where there are many such bits, the highest come first, as many as tell most of the elements apart;
/// elements that agree in them stand together then, and are sorted by the rest.
///
/// - Parameter pause: called every now and then.
package func radixSort(
  _ elements: UnsafeMutableBufferPointer<KeyedIndex>, scratch: UnsafeMutablePointer<KeyedIndex>,
  pause: () -> Void = {}
) {
  let count = elements.count
  guard count > 1, let start = elements.baseAddress else { return }
  guard count > 192 else { return insertionSort(elements) }
  let first = start[0].key
  var varying: UInt64 = 0
  for element in elements { varying |= element.key ^ first }
  if varying == 0 { return }
  let end = 64 - varying.leadingZeroBitCount
  let bits = end - varying.trailingZeroBitCount
  // Three bits more than number the elements.
  let telling = Int.bitWidth - count.leadingZeroBitCount + 3
  let sorted = min(bits, telling)
  sortDigits(start, count, scratch, bits: end - sorted..<end, pause)
  guard sorted < bits else { return }
  sortRuns(elements, scratch: scratch, shift: UInt64(end - sorted), pause: pause)
}

/// Sorts elements whose keys agree but for their lowest `shift` bits, wherever they stand together.
private func sortRuns(
  _ elements: UnsafeMutableBufferPointer<KeyedIndex>, scratch: UnsafeMutablePointer<KeyedIndex>,
  shift: UInt64, pause: () -> Void
) {
  var start = 0
  while start < elements.count {
    let high = elements[start].key >> shift
    var end = start + 1
    while end < elements.count, elements[end].key >> shift == high { end += 1 }
    if end - start > 1 {
      radixSort(
        UnsafeMutableBufferPointer(rebasing: elements[start..<end]), scratch: scratch,
        pause: pause)
    }
    start = end
  }
}

/// Sorts by some bits of the key, those alone.
private func sortDigits(
  _ elements: UnsafeMutablePointer<KeyedIndex>, _ count: Int,
  _ scratch: UnsafeMutablePointer<KeyedIndex>, bits: Range<Int>, _ pause: () -> Void
) {
  let passes = (bits.count + 10) / 11
  let digitBits = (bits.count + passes - 1) / passes
  let buckets = 1 << digitBits
  let mask = UInt64(buckets - 1)
  var starts = [UInt32](repeating: 0, count: passes * buckets)
  // Unsafe: the bounds hold by the counts, and checking them costs as much as the move.
  starts.withUnsafeMutableBufferPointer { starts in
    let starts = starts.baseAddress.unsafelyUnwrapped
    for i in 0..<count {
      var key = elements[i].key >> UInt64(bits.lowerBound)
      var first = 0
      for _ in 0..<passes {
        starts[first + Int(key & mask)] &+= 1
        key >>= UInt64(digitBits)
        first += buckets
      }
    }
    var (source, target) = (elements, scratch)
    for pass in 0..<passes {
      pause()
      let next = starts + pass * buckets
      var start: UInt32 = 0
      for bucket in 0..<buckets { (next[bucket], start) = (start, start &+ next[bucket]) }
      let shift = UInt64(bits.lowerBound + pass * digitBits)
      for i in 0..<count {
        let element = source[i]
        let bucket = Int(element.key >> shift & mask)
        target[Int(next[bucket])] = element
        next[bucket] &+= 1
      }
      swap(&source, &target)
    }
    if source != elements { elements.update(from: source, count: count) }
  }
}

private func insertionSort(_ elements: UnsafeMutableBufferPointer<KeyedIndex>) {
  guard elements.count <= 24 else {
    // The standard sort does not promise to be stable.
    let order = elements.enumerated().sorted {
      $0.element.key != $1.element.key
        ? $0.element.key < $1.element.key : $0.offset < $1.offset
    }
    for (i, element) in order.enumerated() { elements[i] = element.element }
    return
  }
  for i in 1..<elements.count {
    let element = elements[i]
    var place = i
    while place > 0, elements[place - 1].key > element.key {
      elements[place] = elements[place - 1]
      place -= 1
    }
    elements[place] = element
  }
}

/// Merges two sorted lists into `target`, of equal keys those of the first first.
package func merge(
  _ first: UnsafeBufferPointer<KeyedIndex>, _ second: UnsafeBufferPointer<KeyedIndex>,
  into target: UnsafeMutablePointer<KeyedIndex>
) {
  var (i, j, k) = (0, 0, 0)
  while i < first.count, j < second.count {
    let takesSecond = second[j].key < first[i].key
    target[k] = takesSecond ? second[j] : first[i]
    j += takesSecond ? 1 : 0
    i += takesSecond ? 0 : 1
    k += 1
  }
  while i < first.count {
    target[k] = first[i]
    (i, k) = (i + 1, k + 1)
  }
  while j < second.count {
    target[k] = second[j]
    (j, k) = (j + 1, k + 1)
  }
}
