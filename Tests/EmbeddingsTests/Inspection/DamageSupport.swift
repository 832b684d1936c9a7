import LMDB

@testable import Embeddings

/// Flips a bit of a vector in block `number`, and leaves its checksum as it is.
func damageBlock(_ number: UInt64, of table: EmbeddingTable) throws(EmbeddingError) {
  let storage = table.storage
  try table.database.environment.write { (transaction) throws(EmbeddingError) in
    guard let value = try transaction.get(number, in: storage.blocks) else { return }
    var bytes = Array(value)
    bytes[storage.layout.vectorsOffset] ^= 1
    try bytes.withBytes { (bytes) throws(EmbeddingError) in
      try transaction.put(number, bytes, in: storage.blocks)
    }
  }
}
