import Synchronization

extension RowNumbers {
  /// The buckets' memory. Not to be kept longer than the lease.
  struct Buckets {
    static let wordsPerBucket = 8
    /// The buckets among which an entry may stand.
    static let groupSize = 4

    let words: UnsafeMutablePointer<Word>
    let shape: Shape

    /// The number of the bucket where the id with this hash belongs.
    @inline(__always)
    func number(_ hash: UInt64) -> Int {
      Int(hash.multipliedFullWidth(by: UInt64(shape.bucketCount)).high)
    }

    @inline(__always)
    func start(_ number: Int) -> UnsafeMutablePointer<Word> {
      words + number &* Self.wordsPerBucket
    }

    /// The bucket where entries of `home` stand that found no room in `step` others; nil where the
    /// last group lacks it.
    @inline(__always)
    func bucket(_ home: Int, _ step: Int) -> UnsafeMutablePointer<Word>? {
      home ^ step < shape.bucketCount ? start(home ^ step) : nil
    }

    @inline(__always)
    func row(_ bucket: UnsafeMutablePointer<Word>, _ place: Int) -> UInt64 {
      bucket[place & 31].load(ordering: .relaxed) >> UInt64(place & 32) & shape.rowMask
    }

    /// The place of an entry, or else the first that is empty; nil where all are others'. Places are
    /// taken in this order, so that most of a bucket need not be looked at.
    @inline(__always)
    func place(
      of entry: UInt64, _ bucket: UnsafeMutablePointer<Word>
    ) -> (number: Int, isEmpty: Bool)? {
      for i in 0..<Self.wordsPerBucket {
        let word = bucket[i].load(ordering: .relaxed)
        let low = shape.isWide ? word : word & 0xffff_ffff
        if low == entry || low == 0 { return (i, low == 0) }
        let high = word >> 32
        if !shape.isWide, high == entry || high == 0 { return (i + 32, high == 0) }
      }
      return nil
    }

    /// Which entries of a bucket have a tag (0: are empty). Bit `i` stands for the low half of word
    /// `i` or, in wide buckets, for the word; bit `32 + i` for its high half.
    @inline(__always)
    func places(_ bucket: UnsafeMutablePointer<Word>, tag: UInt64) -> UInt64 {
      var places: UInt64 = 0
      if shape.isWide {
        for i in 0..<Self.wordsPerBucket {
          let word = bucket[i].load(ordering: .relaxed)
          places |= (word >> shape.rowBits == tag ? 1 : 0) << UInt64(i)
        }
        return places
      }
      let wanted = tag << shape.rowBits | tag << (shape.rowBits + 32)
      let tagMask = shape.tagMask
      for i in 0..<Self.wordsPerBucket {
        // A half becomes 0 where the tag is the one looked for, else more than 1: then 1 less than it
        // has the uppermost bit and it has not. The row numbers below the tags are masked out.
        let half = (bucket[i].load(ordering: .relaxed) ^ wanted) & tagMask
        let found = (half &- 0x0000_0001_0000_0001) & ~half & 0x8000_0000_8000_0000
        places |= (found >> 31) << UInt64(i)
      }
      return places
    }
  }

  /// The rows that an id may have. Not to be kept longer than the lease.
  struct Candidates {
    private let buckets: Buckets
    private let home: Int
    private let tag: UInt64
    private var bucket: UnsafeMutablePointer<Word>
    private var step = 0
    private var places: UInt64

    /// - Parameter isNone: whether there are none, whatever the buckets hold.
    @inline(__always)
    init(_ buckets: Buckets, _ hash: UInt64, isNone: Bool) {
      self.buckets = buckets
      home = buckets.number(hash)
      tag = buckets.shape.tag(hash)
      bucket = buckets.start(home)
      if isNone { step = Buckets.groupSize }
      places = isNone ? 0 : buckets.places(bucket, tag: tag)
    }

    /// The next row that may be the id's; nil after the last. Row 0 or another id's row where another
    /// thread changes the entry just now: the caller checks whose row it is.
    @inline(__always)
    mutating func next() -> UInt64? {
      if places == 0 && !moveOn() { return nil }
      let row = buckets.row(bucket, places.trailingZeroBitCount)
      places &= places &- 1
      return row
    }

    /// Goes on to the next bucket with an entry; false where there is none, since only what found a
    /// bucket full stands in the next.
    private mutating func moveOn() -> Bool {
      while step < Buckets.groupSize && buckets.places(bucket, tag: 0) == 0 {
        step += 1
        while step < Buckets.groupSize, buckets.bucket(home, step) == nil { step += 1 }
        guard step < Buckets.groupSize, let next = buckets.bucket(home, step) else { break }
        bucket = next
        places = buckets.places(bucket, tag: tag)
        if places != 0 { return true }
      }
      step = Buckets.groupSize
      return false
    }
  }
}
