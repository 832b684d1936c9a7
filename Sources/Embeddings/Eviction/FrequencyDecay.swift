import LMDB
import StorageBase

/// Multiplies the frequency of every row of a table with a factor, within one write transaction,
/// block by block.
struct FrequencyDecay {
  /// From 0 to 1.
  let factor: Double

  static func validate(_ factor: Double) throws(EmbeddingError) {
    guard factor >= 0, factor <= 1 else {
      throw EmbeddingError(
        .invalidArgument, "Frequencies decay by a factor from 0 to 1; \(factor) was given.")
    }
  }

  /// `floor(frequency * factor)`, in the arithmetic of doubles; never more than before.
  func callAsFunction(_ frequency: UInt64) -> UInt64 {
    let product = (Double(frequency) * factor).rounded(.down)
    // Above 2^53 the double may have been rounded up.
    return product < 0x1p64 ? min(frequency, UInt64(product)) : frequency
  }

  /// Changes the blocks, and brings the record up to date. Returns whether any row has changed.
  func run(
    _ storage: TableStorage, _ record: inout TableRecord, _ recorder: inout ChangeRecorder,
    bytesAhead: Int, in transaction: borrowing WriteTransaction
  ) throws(EmbeddingError) -> Bool {
    guard factor != 1 else { return false }
    var hasChanged = false
    let layout = storage.layout
    var buffer = BlockBuffer(layout: layout)
    var total: UInt64 = 0
    var bytesInMemory = 0
    var readAhead = ReadAhead()
    for number in 0..<layout.blockCount(rows: record.rowCount) {
      buffer.load(try storage.checkedBlock(number, in: transaction, &readAhead))
      let block = buffer.view(number: number)
      let first = number * UInt64(layout.rowsPerBlock)
      var isChanged = false
      for index in 0..<min(layout.rowsPerBlock, Int(record.rowCount - first)) {
        let old = block.frequency(index)
        let new = self(old)
        total &+= new
        guard new != old else { continue }
        isChanged = true
        buffer.setFixed(
          index, key: block.key(index), frequency: new, lastStep: block.lastStep(index),
          generation: recorder.stamp.generation)
      }
      guard isChanged else { continue }
      hasChanged = true
      recorder.content.add(buffer.seal(number: number))
      try transaction.put(number, buffer.bytes, in: storage.blocks)
      try recorder.noteBlock(number, in: transaction)
      bytesInMemory += buffer.bytes.count
      if bytesInMemory >= bytesAhead {
        bytesInMemory = 0
        try transaction.writeAhead(storage.blocks)
      }
    }
    record.totalFrequency = total
    return hasChanged
  }
}
