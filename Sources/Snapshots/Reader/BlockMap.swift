import StorageBase

/// What a lookup needs to find single vectors in a block: the ids, and where each plane of the
/// vectors stands. Immutable.
final class BlockMap: Sendable, BlockOfKeys {
  /// Where the bytes of a plane are.
  enum Plane: Sendable {
    /// As they are, from this offset of the file on.
    case stored(Int)
    /// In compressed pages, each a frame in this range of the file.
    case pages([Range<Int>])
    /// Here.
    case content([UInt8])
  }

  let keys: [UInt64]
  let ids: IDColumn
  let planes: [Plane]
  /// How many planes have pages.
  let pagedPlanes: Int

  init(keys: [UInt64], ids: IDColumn, planes: [Plane]) {
    self.keys = keys
    // The keys say it all where ids are numbers.
    self.ids = ids.type == .int64 ? IDColumn(type: .int64) : ids
    self.planes = planes
    pagedPlanes = planes.count { if case .pages = $0 { true } else { false } }
  }

  var idColumn: IDColumn { ids }

  /// The memory it takes.
  var byteCount: Int {
    var count = 8 * keys.count + ids.bytes.count + 4 * ids.offsets.count + 256
    for plane in planes {
      switch plane {
      case .stored: break
      case .pages(let frames): count += 16 * frames.count
      case .content(let bytes): count += bytes.count
      }
    }
    return count
  }
}

/// The compressed planes of a page of rows, opened: one after the other. Immutable.
final class PageOfRows: Sendable {
  let bytes: [UInt8]

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// The memory it takes.
  var byteCount: Int { bytes.count + 64 }
}

/// A block in which ids can be found.
protocol BlockOfKeys: AnyObject {
  /// The keys of the ids, rising.
  var keys: [UInt64] { get }
  /// The ids, if they are byte strings.
  var idColumn: IDColumn { get }
}

extension DecodedBlock: BlockOfKeys {
  var idColumn: IDColumn { rows.ids }
}

extension BlockOfKeys {
  /// The row with a key, and with the id `bytes` if ids are byte strings.
  func find(_ key: UInt64, _ bytes: UnsafeRawBufferPointer?) -> Int? {
    guard let last = lastPosition(count: keys.count, atMost: key, { keys[$0] }), keys[last] == key
    else { return nil }
    guard let bytes else { return last }
    let ids = idColumn
    var index = last
    while index >= 0, keys[index] == key {
      let range = Int(ids.offsets[index])..<Int(ids.offsets[index + 1])
      let isHere = ids.bytes.withUnsafeBytes {
        isEqual(UnsafeRawBufferPointer(rebasing: $0[range]), bytes)
      }
      if isHere { return index }
      index -= 1
    }
    return nil
  }
}
