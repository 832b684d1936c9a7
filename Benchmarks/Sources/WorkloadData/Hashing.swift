// The primitives from which all data of the workloads is made. See Benchmarks/README.md.

/// SplitMix64's increment.
public let golden: UInt64 = 0x9E37_79B9_7F4A_7C15

/// SplitMix64's finalizer, a bijection.
@inline(__always)
public func mix64(_ value: UInt64) -> UInt64 {
  var z = value
  z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
  z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
  return z ^ (z >> 31)
}

/// A sequence of random words that can be read at any place: SplitMix64 started at `mix64(stream)`.
public struct RandomStream: Sendable {
  @usableFromInline let start: UInt64

  /// Stream number `stream`; different numbers give unrelated streams.
  public init(_ stream: UInt64) { start = mix64(stream) }

  /// Word `i`.
  @inlinable @inline(__always)
  public subscript(i: UInt64) -> UInt64 { mix64(start &+ (i &+ 1) &* golden) }
}

/// Two floats between plus and minus `scale` from the halves of a random word.
@inline(__always)
public func plusMinus(_ hash: UInt64, _ scale: Float) -> (Float, Float) {
  let unit = scale / 0x1p31
  return (
    Float(Int32(truncatingIfNeeded: hash)) * unit,
    Float(Int32(truncatingIfNeeded: hash >> 32)) * unit
  )
}

/// FNV-1a of bytes, 64 bits: proves that a generator makes what the definition says.
public func fnv1a(_ bytes: UnsafeRawBufferPointer, from start: UInt64 = 0xcbf2_9ce4_8422_2325)
  -> UInt64
{
  var hash = start
  for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
  return hash
}

/// The Int64 key of row `id`.
@inline(__always)
public func int64Key(_ id: UInt64) -> Int64 { Int64(bitPattern: mix64(id &+ golden)) }

/// The number in the string key of row `id`.
@inline(__always)
public func stringKeyNumber(_ id: UInt64) -> UInt64 { mix64(id &+ golden) & 0x7fff_ffff_ffff_ffff }
