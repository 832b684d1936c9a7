public import Snapshots
public import StorageBase

/// How two snapshots differ.
public struct SnapshotComparison: Sendable {
  /// A row whose vector is another.
  public struct Mover: Sendable, Hashable {
    /// The id of the row.
    public var id: EmbeddingID
    /// The Euclidean distance between its vectors.
    public var distance: Double
  }

  /// Rows that moved about as far.
  public struct Bin: Sendable, Hashable {
    /// The least distance in the bin; twice as much is no longer in it.
    public var lower: Double
    /// The rows in the bin.
    public var count: Int
  }

  /// What the snapshots are.
  public internal(set) var descriptions: (first: SnapshotDescription, second: SnapshotDescription)
  /// Rows of which only the second has the id.
  public internal(set) var added = 0
  /// Rows of which only the first has the id.
  public internal(set) var removed = 0
  /// Rows of both whose vectors differ.
  public internal(set) var moved = 0
  /// Rows of both whose vectors are the same, bit for bit.
  public internal(set) var unmoved = 0
  /// The rows that moved farthest, the farthest first.
  public internal(set) var farthest: [Mover] = []
  private var totalDistance = 0.0
  private var bins: [Int: Int] = [:]
  private let limit: Int

  init(_ first: SnapshotDescription, _ second: SnapshotDescription, limit: Int) {
    descriptions = (first, second)
    self.limit = limit
  }

  /// The mean distance of the rows that moved; 0 where none did.
  public var meanDistance: Double { moved == 0 ? 0 : totalDistance / Double(moved) }

  /// The rows that moved, by distance: bins from one power of two to the next, rising, without
  /// gaps. Rows whose distance is no finite number above 0 are left out.
  public var histogram: [Bin] {
    guard let least = bins.keys.min(), let most = bins.keys.max() else { return [] }
    return (least...most).map {
      Bin(
        lower: Double(sign: .plus, exponent: $0, significand: 1), count: bins[$0, default: 0])
    }
  }

  mutating func add(
    _ id: @autoclosure () -> EmbeddingID, _ first: ArraySlice<Float>, _ second: ArraySlice<Float>
  ) {
    var sum = 0.0
    var isSame = true
    for (a, b) in zip(first, second) {
      isSame = isSame && a.bitPattern == b.bitPattern
      let difference = Double(a) - Double(b)
      sum += difference * difference
    }
    if isSame {
      unmoved += 1
      return
    }
    moved += 1
    let distance = sum.squareRoot()
    totalDistance += distance
    if distance > 0, distance.isFinite { bins[Int(distance.exponent), default: 0] += 1 }
    guard limit > 0, farthest.count < limit || distance > farthest[limit - 1].distance else {
      return
    }
    // Few are kept, and fewer change.
    let place = farthest.firstIndex { $0.distance < distance } ?? farthest.count
    farthest.insert(Mover(id: id(), distance: distance), at: place)
    if farthest.count > limit { farthest.removeLast() }
  }
}

/// What a comparison is of.
public enum ComparedRows: Sendable {
  /// The full snapshot at a path; `-` for standard input.
  case snapshot(String)
  /// The last commit of a table.
  case table(EmbeddingTable)
}

/// Compares the rows of two full snapshots by their ids; see ``compareRows(_:_:farthest:)``.
public func compareSnapshots(
  _ first: String, _ second: String, farthest: Int = 10
) throws(EmbeddingError) -> SnapshotComparison {
  try compareRows(.snapshot(first), .snapshot(second), farthest: farthest)
}

/// Compares the rows of two snapshots, of a snapshot and a table, or of two tables by their ids: which came, which went, and how far the vectors
/// of the others moved. One pass over both, in the memory of a few blocks.
///
/// Slots and frequencies are not compared. Snapshots that store vectors in different encodings
/// differ by what was rounded, too.
///
/// - Parameters:
///   - first: the earlier one.
///   - second: the later one.
///   - farthest: how many of the rows that moved farthest to name.
/// - Throws: ``EmbeddingError/Code/configurationMismatch`` where dimension or id type differ, naming
///   both; ``EmbeddingError/Code/invalidArgument`` for deltas; ``EmbeddingError/Code/corruption``.
public func compareRows(
  _ first: ComparedRows, _ second: ComparedRows, farthest: Int = 10
) throws(EmbeddingError) -> SnapshotComparison {
  var a = try RowCursor(first)
  var b = try RowCursor(second)
  let (one, other) = (a.description, b.description)
  guard one.dimension == other.dimension, one.idType == other.idType else {
    throw EmbeddingError(
      .configurationMismatch,
      "\(a.name) has dimension \(one.dimension) and ids of type \(one.idType), \(b.name) "
        + "\(other.dimension) and \(other.idType). Compare snapshots of one table.")
  }
  var result = SnapshotComparison(one, other, limit: farthest)
  try a.advance()
  try b.advance()
  while !a.isAtEnd || !b.isAtEnd {
    switch a.order(b) {
    case ..<0:
      result.removed += 1
      try a.advance()
    case 1...:
      result.added += 1
      try b.advance()
    default:
      result.add(a.id, a.vector, b.vector)
      try a.advance()
      try b.advance()
    }
  }
  return result
}

/// The rows of a snapshot or a table, one after the other.
private struct RowCursor {
  private enum Source {
    case stream(SnapshotStream)
    case table(RowsByID)
  }

  let name: String
  let description: SnapshotDescription
  private let source: Source
  private var rows: RowBatch
  private var keys: [UInt64] = []
  private var index = 0
  private(set) var isAtEnd = false

  init(_ compared: ComparedRows) throws(EmbeddingError) {
    switch compared {
    case .snapshot(let path):
      let stream = try SnapshotStream(path: path)
      (name, description, source) = (path, stream.description, .stream(stream))
      try description.refuseDelta(file: path)
    case .table(let table):
      let rows = try RowsByID(table)
      (name, description, source) = ("table \(table.name)", rows.description, .table(rows))
    }
    rows = RowBatch(idType: description.idType, dimension: description.dimension)
  }

  var id: EmbeddingID { rows.ids[index] }

  var vector: ArraySlice<Float> {
    rows.vectors[index * rows.dimension..<(index + 1) * rows.dimension]
  }

  /// Moves to the next row; to the first, when called first.
  mutating func advance() throws(EmbeddingError) {
    index += 1
    guard index >= keys.count else { return }
    isAtEnd =
      switch source {
      case .stream(let stream): try stream.next(into: &rows) == nil
      case .table(let table): try !table.read(into: &rows)
      }
    index = 0
    guard !isAtEnd else {
      keys = []
      return
    }
    keys = try rows.ids.batch.withUnsafeIDs { (ids) throws(EmbeddingError) -> [UInt64] in
      (0..<ids.count).map { i in
        ids.int64s.map { IDKeys.key($0[i]) } ?? xxh3(ids.bytes(i))
      }
    }
  }

  /// Less than 0 where this row's id comes first, more where the other's does, 0 where they are
  /// equal. A cursor at its end comes last.
  func order(_ other: RowCursor) -> Int {
    if isAtEnd || other.isAtEnd { return isAtEnd ? 1 : -1 }
    let (key, otherKey) = (keys[index], other.keys[other.index])
    if key != otherKey { return key < otherKey ? -1 : 1 }
    guard case .bytes(let bytes) = id, case .bytes(let others) = other.id, bytes != others else {
      return 0
    }
    return bytes.lexicographicallyPrecedes(others) ? -1 : 1
  }
}
