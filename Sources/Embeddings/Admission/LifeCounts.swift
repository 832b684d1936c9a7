import StorageBase

/// How many ids took which step of their lives, in all.
struct LifeCounts: Sendable, Equatable {
  /// Rows on probation now.
  var onProbation: UInt64 = 0
  /// Ids that got a row of their own, on probation or not.
  var admitted: UInt64 = 0
  /// Rows that reached the cutoff.
  var promoted: UInt64 = 0
  /// Rows on probation that had to make room for others, or were in memory when it was given up.
  var forgotten: UInt64 = 0

  /// Modulo 2^64, since files of strangers bring counts in.
  static func + (a: Self, b: Self) -> Self {
    var sum = a
    sum.onProbation &+= b.onProbation
    sum.admitted &+= b.admitted
    sum.promoted &+= b.promoted
    sum.forgotten &+= b.forgotten
    return sum
  }

  static func - (a: Self, b: Self) -> Self {
    var difference = a
    difference.onProbation &-= b.onProbation
    difference.admitted &-= b.admitted
    difference.promoted &-= b.promoted
    difference.forgotten &-= b.forgotten
    return difference
  }

  func write(to writer: inout RecordWriter) {
    for count in [onProbation, admitted, promoted, forgotten] { writer.write(count) }
  }

  init() {}

  init(_ reader: inout RecordReader) throws(EmbeddingError) {
    onProbation = try reader.read(UInt64.self)
    admitted = try reader.read(UInt64.self)
    promoted = try reader.read(UInt64.self)
    forgotten = try reader.read(UInt64.self)
  }
}
