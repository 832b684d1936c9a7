import StorageBase

extension Admission: CustomStringConvertible {
  /// What kind of admission it is: `none`, `bloomFilter`, `countingBloomFilter`, `counter` or
  /// `probabilistic`. Stored with the table.
  public var name: String {
    switch self {
    case .none: "none"
    case .bloomFilter: "bloomFilter"
    case .countingBloomFilter: "countingBloomFilter"
    case .counter: "counter"
    case .probabilistic: "probabilistic"
    }
  }

  /// One line, such as `countingBloomFilter(threshold = 3, expectedIDs = 1000000,
  /// falsePositiveRate = 0.01)`.
  public var summary: String {
    switch self {
    case .none: name
    case .bloomFilter(let expected, let rate):
      "\(name)(expectedIDs = \(expected), falsePositiveRate = \(rate))"
    case .countingBloomFilter(let threshold, let expected, let rate):
      "\(name)(threshold = \(threshold), expectedIDs = \(expected), falsePositiveRate = \(rate))"
    case .counter(let threshold), .probabilistic(let threshold):
      "\(name)(threshold = \(threshold))"
    }
  }

  /// The ``summary``.
  public var description: String { summary }

  // MARK: Stored with the table

  /// Writes the name, and all parameters whether the kind has them or not.
  func write(to writer: inout RecordWriter) {
    var expected = 0
    var rate = 0.0
    switch self {
    case .bloomFilter(let ids, let share), .countingBloomFilter(_, let ids, let share):
      (expected, rate) = (ids, share)
    case .none, .counter, .probabilistic: break
    }
    writer.write(name)
    writer.write(UInt64(threshold))
    writer.write(UInt64(expected))
    writer.write(rate.bitPattern)
  }

  /// Reads what `write` wrote.
  init(_ reader: inout RecordReader) throws(EmbeddingError) {
    let name = try reader.read(String.self)
    let threshold = Int(clamping: try reader.read(UInt64.self))
    let expected = Int(clamping: try reader.read(UInt64.self))
    let rate = Double(bitPattern: try reader.read(UInt64.self))
    switch name {
    case "none": self = .none
    case "bloomFilter": self = .bloomFilter(expectedIDs: expected, falsePositiveRate: rate)
    case "countingBloomFilter":
      self = .countingBloomFilter(
        threshold: threshold, expectedIDs: expected, falsePositiveRate: rate)
    case "counter": self = .counter(threshold: threshold)
    case "probabilistic": self = .probabilistic(threshold: threshold)
    default:
      throw EmbeddingError(
        .invalidConfiguration,
        "There is no admission \(name); the table was made by a newer version of this library.")
    }
    try validate()
  }
}
