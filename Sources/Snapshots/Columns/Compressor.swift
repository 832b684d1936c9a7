import CZstd
import StorageBase

/// Makes Zstandard frames of the parts of a block. One thread uses it at a time.
final class Compressor {
  private let context: OpaquePointer

  init() {
    guard let context = ZSTD_createCCtx() else { fatalError("out of memory") }
    self.context = context
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
    ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, 1)
    // Planes of floats hardly repeat; their gain is in the coding of single bytes. A tiny table of
    // long matches finds what does repeat (constants, equal rows side by side), and is both faster
    // and smaller than what level 1 or 3 would choose.
    ZSTD_CCtx_setParameter(context, ZSTD_c_minMatch, 7)
    ZSTD_CCtx_setParameter(context, ZSTD_c_hashLog, 6)
  }

  deinit { ZSTD_freeCCtx(context) }

  /// Appends `content` to `output`: nothing if it is empty, one frame as it is if nothing is gained
  /// by compressing it, or else frames of `pageLength` bytes of content each, the last of the rest.
  func append(
    _ content: UnsafeRawBufferPointer, pageLength: Int = .max, to output: Scratch
  ) -> BlockHeader.Part {
    guard content.count > 0 else { return BlockHeader.Part() }
    let start = output.count
    // Above the size of any block of rows there are long ids only, which stay as they are.
    if content.count > Limits.blockFloatBytes || ByteSample.looksRandom(content) {
      output.count += RawFrame.write(content, to: output.room(RawFrame.length(content.count)))
    } else {
      var position = 0
      while position < content.count {
        let end = min(content.count - position, pageLength) + position
        appendFrame(UnsafeRawBufferPointer(rebasing: content[position..<end]), to: output)
        position = end
      }
    }
    let frames = UnsafeRawBufferPointer(
      start: output.pointer + start, count: output.count - start)
    return BlockHeader.Part(length: UInt32(frames.count), checksum: xxh3(frames))
  }

  /// Appends `content` as one frame, compressed if that makes it smaller.
  private func appendFrame(_ content: UnsafeRawBufferPointer, to output: Scratch) {
    let rawLength = RawFrame.length(content.count)
    let room = output.room(max(ZSTD_compressBound(content.count), rawLength))
    var length = ZSTD_compress2(
      context, room.baseAddress, room.count, content.baseAddress, content.count)
    guard ZSTD_isError(length) == 0 else {
      fatalError("zstd: \(String(cString: ZSTD_getErrorName(length)))")
    }
    if length >= rawLength { length = RawFrame.write(content, to: room) }
    output.count += length
  }
}

/// A quick look at bytes, to spare the work of compressing what does not get smaller: most planes
/// of trained floats are such noise.
enum ByteSample {
  private static let size = 4_096
  private static let runs = 8

  /// Whether all bytes are about equally frequent in a sample, so that coding them singly gains
  /// less than 0.5 %.
  ///
  /// The measure is the sum of the squared counts. For n bytes of pure noise it is about
  /// n + n^2/256, give or take n * sqrt(2/256); the limit lies 2 % above, at more than three times
  /// that deviation. It bounds the entropy from below (Renyi's of order 2).
  static func looksRandom(_ content: UnsafeRawBufferPointer) -> Bool {
    guard content.count >= 2 * size else { return false }
    let run = size / runs
    let stride = (content.count - run) / (runs - 1)
    return withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 512) { counts in
      counts.initialize(repeating: 0)
      for r in 0..<runs {
        // Two tables, so that equal bytes side by side do not wait for each other.
        for i in Swift.stride(from: r * stride, to: r * stride + run, by: 2) {
          counts[Int(content[i])] += 1
          counts[256 + Int(content[i + 1])] += 1
        }
      }
      var sum = 0
      for i in 0..<256 {
        let count = Int(counts[i] + counts[256 + i])
        sum += count * count
      }
      return sum <= size + size * size / 256 * 102 / 100
    }
  }
}

/// A Zstandard frame whose blocks are all uncompressed (RFC 8878, 3.1.1): for content that does not
/// get smaller, at the speed of copying.
enum RawFrame {
  private static let blockSize = 128 << 10
  private static let magic: UInt32 = 0xFD2F_B528
  /// 4 bytes of content size, a single segment, a checksum.
  private static let descriptor: UInt8 = 0b1010_0100
  private static let contentOffset = 4 + 1 + 4
  /// Magic, frame header descriptor, 4 bytes of content size; and at the end the checksum.
  private static let overhead = 4 + 1 + 4 + 4

  /// The bytes of a frame of `count` bytes of content.
  static func length(_ count: Int) -> Int {
    overhead + count + 3 * max(1, (count + blockSize - 1) / blockSize)
  }

  /// Writes a frame, and returns its length.
  static func write(
    _ content: UnsafeRawBufferPointer, to room: UnsafeMutableRawBufferPointer
  ) -> Int {
    var position = 0
    func put(_ bytes: some FixedWidthInteger, _ count: Int) {
      withUnsafeBytes(of: bytes.littleEndian) {
        UnsafeMutableRawBufferPointer(rebasing: room[position..<position + count])
          .copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[..<count]))
      }
      position += count
    }
    put(magic, 4)
    put(descriptor, 1)
    put(UInt32(content.count), 4)
    var start = 0
    repeat {
      let count = min(blockSize, content.count - start)
      let isLast: UInt32 = start + count == content.count ? 1 : 0
      put(isLast | UInt32(count) << 3, 3)
      UnsafeMutableRawBufferPointer(rebasing: room[position..<position + count])
        .copyMemory(from: UnsafeRawBufferPointer(rebasing: content[start..<start + count]))
      position += count
      start += count
    } while start < content.count
    put(UInt32(truncatingIfNeeded: xxh64(content)), 4)
    return position
  }

  /// Where the content begins in `frame`, if it is one like those of `write` of `count` bytes that
  /// stand side by side.
  static func offset(ofContent count: Int, in frame: UnsafeRawBufferPointer) -> Int? {
    guard (1...blockSize).contains(count), frame.count == length(count), isFrame(frame, count),
      UInt32(frame[contentOffset]) | UInt32(frame[contentOffset + 1]) << 8
        | UInt32(frame[contentOffset + 2]) << 16 == 1 | UInt32(count) << 3
    else { return nil }
    return contentOffset + 3
  }

  private static func isFrame(_ frame: UnsafeRawBufferPointer, _ count: Int) -> Bool {
    frame.loadUnaligned(as: UInt32.self).littleEndian == magic && frame[4] == descriptor
      && frame.loadUnaligned(fromByteOffset: 5, as: UInt32.self).littleEndian == UInt32(count)
  }

  /// Copies the content of a frame like those of `write`, and says whether it is one. The checksum
  /// is left to the caller, who has compared one of the whole frame.
  static func read(
    _ frame: UnsafeRawBufferPointer, into content: UnsafeMutableRawBufferPointer
  ) -> Bool {
    guard content.count > 0, frame.count == length(content.count), isFrame(frame, content.count)
    else { return false }
    var position = contentOffset
    var start = 0
    while start < content.count {
      let count = min(blockSize, content.count - start)
      let isLast = start + count == content.count ? 1 : 0
      let header =
        Int(frame[position]) | Int(frame[position + 1]) << 8 | Int(frame[position + 2]) << 16
      guard header == isLast | count << 3 else { return false }
      position += 3
      UnsafeMutableRawBufferPointer(rebasing: content[start..<start + count])
        .copyMemory(from: UnsafeRawBufferPointer(rebasing: frame[position..<position + count]))
      position += count
      start += count
    }
    return true
  }
}
