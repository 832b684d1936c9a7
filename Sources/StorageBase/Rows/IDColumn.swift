/// A growable column of ids that owns its memory: what sampling and reading hand out, and the
/// comfortable way to make a batch.
///
///     var ids = IDColumn(["king", "queen"])
///     ids.append("crown")
///     try table.lookup(ids.batch, into: &vectors)
public struct IDColumn: Sendable, Hashable {
  /// What the ids are.
  public let type: IDType
  /// The ids, if they are Int64.
  public private(set) var int64s: [Int64] = []
  /// `count + 1` offsets into `bytes`, if the ids are byte strings.
  public private(set) var offsets: [Int32] = []
  /// The bytes of all ids, one after the other, if they are byte strings.
  public private(set) var bytes: [UInt8] = []

  /// An empty column.
  public init(type: IDType) {
    self.type = type
    if type == .bytes { offsets = [0] }
  }

  /// A column of Int64 ids.
  public init(_ ids: [Int64]) {
    type = .int64
    int64s = ids
  }

  /// A column of the UTF-8 bytes of `ids`.
  public init(_ ids: [String]) {
    self.init(type: .bytes)
    offsets.reserveCapacity(ids.count + 1)
    for id in ids { append(id) }
  }

  /// A column of `ids`, which must all be of type `type`.
  public init(_ ids: [EmbeddingID], type: IDType) {
    self.init(type: type)
    for id in ids { append(id) }
  }

  /// A copy of the ids of a batch, or nil where its offsets do not rise or lie beyond its bytes.
  package init?(copying batch: borrowing IDBatch) {
    self.init(type: batch.type)
    let column = try? batch.withUnsafeIDs { (ids) throws(EmbeddingError) -> IDColumn in
      var column = IDColumn(type: ids.int64s == nil ? .bytes : .int64)
      if let int64s = ids.int64s {
        column.int64s = Array(UnsafeBufferPointer(start: int64s, count: ids.count))
      } else {
        for i in 0..<ids.count { column.append(bytes: ids.bytes(i)) }
      }
      return column
    }
    guard let column else { return nil }
    self = column
  }

  /// A column of byte-string ids in Arrow's layout; the first offset is 0, the last the length of
  /// `bytes`, and they rise.
  package init(offsets: [Int32], bytes: [UInt8]) {
    precondition(offsets.first == 0 && Int(offsets[offsets.count - 1]) == bytes.count)
    type = .bytes
    self.offsets = offsets
    self.bytes = bytes
  }

  /// The number of ids.
  public var count: Int {
    switch type {
    case .int64: int64s.count
    case .bytes: offsets.count - 1
    }
  }

  /// Whether the column holds no id.
  public var isEmpty: Bool { count == 0 }

  /// Id `index`, by value.
  public subscript(index: Int) -> EmbeddingID {
    switch type {
    case .int64: .int64(int64s[index])
    case .bytes: .bytes(Array(bytes[Int(offsets[index])..<Int(offsets[index + 1])]))
    }
  }

  /// The column, borrowed as a batch.
  public var batch: IDBatch {
    @_lifetime(borrow self)
    borrowing get {
      switch type {
      case .int64: IDBatch(int64s.span)
      case .bytes: IDBatch(offsets: offsets.span, bytes: bytes.span.bytes)
      }
    }
  }

  /// Appends an Int64 id. The column must be of Int64 ids.
  public mutating func append(_ id: Int64) {
    precondition(type == .int64, "an Int64 id was appended to a column of byte-string ids")
    int64s.append(id)
  }

  /// Appends the UTF-8 bytes of `id`. The column must be of byte-string ids.
  public mutating func append(_ id: String) {
    var id = id
    id.withUTF8 { append(bytes: UnsafeRawBufferPointer($0)) }
  }

  /// Appends an id of the column's type.
  public mutating func append(_ id: EmbeddingID) {
    switch id {
    case .int64(let id): append(id)
    case .bytes(let bytes): bytes.withUnsafeBytes { append(bytes: $0) }
    }
  }

  /// Appends a byte-string id. The column must be of byte-string ids, and holds at most 2^31 - 1
  /// bytes in all.
  public mutating func append(bytes id: UnsafeRawBufferPointer) {
    precondition(type == .bytes, "a byte-string id was appended to a column of Int64 ids")
    bytes.append(contentsOf: id)
    precondition(bytes.count <= Int(Int32.max), "a column holds at most 2^31 - 1 bytes of ids")
    offsets.append(Int32(bytes.count))
  }

  /// Appends ids `range` of another column of the same type.
  package mutating func append(contentsOf other: borrowing IDColumn, _ range: Range<Int>) {
    precondition(type == other.type, "ids were appended to a column of another type")
    switch type {
    case .int64: int64s.append(contentsOf: other.int64s[range])
    case .bytes:
      let start = other.offsets[range.lowerBound]
      let shift = bytes.count - Int(start)
      bytes.append(contentsOf: other.bytes[Int(start)..<Int(other.offsets[range.upperBound])])
      precondition(bytes.count <= Int(Int32.max), "a column holds at most 2^31 - 1 bytes of ids")
      for i in range { offsets.append(Int32(Int(other.offsets[i + 1]) + shift)) }
    }
  }

  /// Empties the column.
  public mutating func removeAll(keepingCapacity: Bool = true) {
    int64s.removeAll(keepingCapacity: keepingCapacity)
    bytes.removeAll(keepingCapacity: keepingCapacity)
    if type == .bytes {
      offsets.removeAll(keepingCapacity: keepingCapacity)
      offsets.append(0)
    }
  }
}
