import CXXHash

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// The 64-bit XXH3 of `bytes`: the hash of byte-string ids and the checksum of everything stored.
@inlinable
package func xxh3(_ bytes: UnsafeRawBufferPointer) -> UInt64 { hashBytes(bytes) }

@usableFromInline
func hashBytes(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
  XXH3_64bits(bytes.baseAddress, bytes.count)
}

/// The 64-bit XXH3 of `bytes` with a seed, so that equal bytes in two places differ.
package func xxh3(_ bytes: UnsafeRawBufferPointer, seed: UInt64) -> UInt64 {
  XXH3_64bits_withSeed(bytes.baseAddress, bytes.count, seed)
}

/// The 64-bit XXH64 of `bytes`: what the content checksum of a Zstandard frame is taken from.
package func xxh64(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
  XXH64(bytes.baseAddress, bytes.count, 0)
}

/// The finalizer of SplitMix64 (Steele, Lea, Flood, 2014): a bijection of 64-bit integers in which
/// every input bit reaches every output bit.
@inlinable
package func mix64(_ value: UInt64) -> UInt64 {
  var z = value
  z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
  z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
  return z ^ (z >> 31)
}

/// The inverse of `mix64`: each shift is undone by shifts of its multiples, each multiplication by
/// that with the inverse modulo 2^64.
@inlinable
package func unmix64(_ value: UInt64) -> UInt64 {
  var z = value
  z = (z ^ (z >> 31) ^ (z >> 62)) &* 0x3196_42B2_D24D_8EC3
  z = (z ^ (z >> 27) ^ (z >> 54)) &* 0x96DE_1B17_3F11_9089
  return z ^ (z >> 30) ^ (z >> 60)
}

/// 2^64 divided by the golden ratio: the increment of SplitMix64.
@inlinable package var golden: UInt64 { 0x9E37_79B9_7F4A_7C15 }

/// Whether two runs of bytes are the same.
package func isEqual(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
  guard a.count == b.count else { return false }
  guard let start = a.baseAddress, let other = b.baseAddress else { return true }
  return memcmp(start, other, a.count) == 0
}

extension [UInt8] {
  /// Lends the bytes; unlike `withUnsafeBytes`, with the type of the error kept.
  package func withBytes<R>(
    _ body: (UnsafeRawBufferPointer) throws(EmbeddingError) -> R
  ) throws(EmbeddingError) -> R {
    try span.bytes.withUnsafeBytes(body)
  }
}
