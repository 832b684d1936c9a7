import StorageBase

/// Makes the checksums of a changed snapshot right again, as far as its frames can be followed, so
/// that what lies behind them is tested: a stranger can compute checksums, too.
///
/// It knows the format by its description alone, not by the library's code.
struct SnapshotRepair {
  private(set) var bytes: [UInt8]
  private var position = 0
  private var header: (length: UInt32, checksum: UInt64) = (0, 0)
  private var directory: (offset: Int, length: Int, checksum: UInt64) = (0, 0, 0)
  private var blocks: [UInt64] = []
  private var pages: [UInt64] = []
  private var pieces: [UInt32: [UInt64]] = [:]

  init(_ input: UnsafeRawBufferPointer) {
    bytes = Array(input)
    while step() {}
  }

  /// Repairs the frame at `position`, and moves behind it; false where none can be followed.
  private mutating func step() -> Bool {
    guard position + 20 <= bytes.count, u32(position) == 0x184D_2A5F else { return false }
    let length = Int(u32(position + 4)) + 8
    guard length >= 20, position + length <= bytes.count else { return false }
    let tag = String(decoding: bytes[position + 8..<position + 12], as: UTF8.self)
    var end = position + length
    var seed = mix64(header.checksum &+ UInt64(position))
    switch tag {
    case "HEAD": seed = 0
    case "BLOC":
      for part in stride(from: position + 68, to: position + length - 19, by: 12) {
        guard let next = repairPart(part, at: end) else { return false }
        end = next
      }
    case "SECT":
      guard length == 44, let next = repairPart(position + 24, at: end) else { return false }
      end = next
    case "PAGE":
      for (i, checksum) in blocks.enumerated() { put(checksum, position + 24 + 32 * i + 8, length) }
      blocks = []
    case "DREC": repairDirectory(length)
    case "FOOT":
      guard length == 68 else { return false }
      put32(header.length, position + 16)
      put(header.checksum, position + 20, length)
      put(UInt64(directory.offset), position + 28, length)
      put(UInt64(directory.length), position + 36, length)
      put(directory.checksum, position + 44, length)
      put(UInt64(bytes.count), position + 52, length)
      seed = UInt64(bytes.count)
    default: return false
    }
    let checksum = hash(position..<position + length - 8, seed)
    put(checksum, position + length - 8, length)
    switch tag {
    case "HEAD": header = (UInt32(length), checksum)
    case "BLOC": blocks.append(checksum)
    case "PAGE": pages.append(checksum)
    case "SECT": pieces[u32(position + 12), default: []].append(checksum)
    case "DREC": directory = (position, length, checksum)
    default: break
    }
    position = end
    return true
  }

  /// Repairs the checksum of the part whose bytes begin at `start`; where they end.
  private mutating func repairPart(_ part: Int, at start: Int) -> Int? {
    let length = Int(u32(part))
    guard start + length <= bytes.count else { return nil }
    let checksum = length == 0 ? 0 : hash(start..<start + length, 0)
    for i in 0..<8 { bytes[part + 4 + i] = UInt8(truncatingIfNeeded: checksum >> UInt64(8 * i)) }
    return start + length
  }

  private mutating func repairDirectory(_ length: Int) {
    guard length >= 48 else { return }
    let count = Int(u32(position + 28)) + Int(u32(position + 32))
    for (i, checksum) in pages.enumerated() where i < count {
      put(checksum, position + 40 + 36 * i + 8, length)
    }
    var section = position + 40 + 36 * count
    for number in 0..<u32(position + 36) {
      guard section + 4 <= position + length - 8 else { return }
      section += 4 + Int(u32(section)) + 1 + 8 + 8 + 4
      let checksums = pieces[number] ?? []
      put(checksums.withUnsafeBytes { xxh3($0) }, section, length)
      section += 8
    }
  }

  private func hash(_ range: Range<Int>, _ seed: UInt64) -> UInt64 {
    bytes.withUnsafeBytes { xxh3(UnsafeRawBufferPointer(rebasing: $0[range]), seed: seed) }
  }

  private func u32(_ offset: Int) -> UInt32 {
    (0..<4).reduce(0) { $0 | UInt32(bytes[offset + $1]) << UInt32(8 * $1) }
  }

  private mutating func put32(_ value: UInt32, _ offset: Int) {
    for i in 0..<4 { bytes[offset + i] = UInt8(truncatingIfNeeded: value >> UInt32(8 * i)) }
  }

  /// Writes a number if it lies within the frame at hand, of `length` bytes.
  private mutating func put(_ value: UInt64, _ offset: Int, _ length: Int) {
    guard offset >= position, offset + 8 <= position + length else { return }
    for i in 0..<8 { bytes[offset + i] = UInt8(truncatingIfNeeded: value >> UInt64(8 * i)) }
  }
}
