import StorageBase
import Testing

@testable import Embeddings

/// The hash of ids is part of the formats: stored filters and shared rows depend on it.
@Suite struct HashTests {
  @Test(
    arguments: [
      (0, 0xE220_A839_7B1D_CDAF),
      (1, 0x910A_2DEC_8902_5CC1),
      (-1, 0xE4D9_7177_1B65_2C20),
      (7, 0x63CB_E1E4_5932_0DD7),
      (1234567890123, 0x9A25_3C95_57CD_08D8),
      (Int64.min, 0x481E_C0A2_12A9_F3DB),
    ] as [(Int64, UInt64)])
  func theHashOfAnIDStaysWhatItIs(_ id: Int64, _ hash: UInt64) {
    #expect(RowKey(int64: id).hash == hash)
    #expect(RowKey.key(ofHash: hash) == UInt64(bitPattern: id))
  }

  @Test(
    arguments: [
      ("a", 0xDBAC_1E87_5F4D_0340),
      ("abc", 0x76D0_3033_15C7_7EF8),
    ] as [(String, UInt64)])
  func theHashOfAByteStringStaysWhatItIs(_ id: String, _ hash: UInt64) {
    Array(id.utf8).withUnsafeBytes { bytes in
      #expect(RowKey.hash(xxh3(bytes)) == hash)
    }
  }
}
