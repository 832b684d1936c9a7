import StorageBase

/// Whether `path` names one file of a TFRA pair.
func isTFRAPath(_ path: String) -> Bool { hasSuffix(path, "-keys") || hasSuffix(path, "-values") }

/// The two files of the pair that `path` names, by their common prefix or by either of them.
private func tfraPair(_ path: String) -> (keys: String, values: String) {
  var prefix = path
  for suffix in ["-keys", "-values"] where hasSuffix(path, suffix) {
    prefix = String(path.dropLast(suffix.count))
  }
  return (prefix + "-keys", prefix + "-values")
}

/// Opens a raw pair of int64 keys and float32 values. Without a header the dimension follows from
/// the two sizes, so both must be plain files.
func openTFRA(path: String, options: ReaderOptions, vocabulary: Vocabulary?) throws(EmbeddingError)
  -> any RowReader
{
  let pair = tfraPair(path)
  let keys = try RandomAccessFile(path: pair.keys)
  let values = try RandomAccessFile(path: pair.values)
  guard keys.size % 8 == 0 else {
    throw EmbeddingError(
      .malformedInput,
      "\(pair.keys), byte \(keys.size): \(keys.size) bytes are no whole number of int64 keys.")
  }
  let count = keys.size / 8
  guard count > 0, values.size > 0, values.size % (4 * count) == 0,
    values.size / (4 * count) <= Limits.dimension
  else {
    throw EmbeddingError(
      .malformedInput,
      "\(pair.values), byte \(values.size): \(values.size) bytes are no float32 vectors of one "
        + "dimension for \(count) keys.")
  }
  let dimension = values.size / (4 * count)
  if let wanted = options.dimension, wanted != dimension {
    throw EmbeddingError(
      .malformedInput, "\(pair.values), byte 0: the dimension is \(dimension), not \(wanted).")
  }
  return try MatrixReader(
    ByteSource(values, range: 0..<values.size), format: .tfra, elements: .float32, count: count,
    dimension: dimension,
    ids: IntegerIDs(ByteSource(keys, range: 0..<keys.size), elements: .int64), options: options,
    vocabulary: vocabulary)
}

/// Writes a raw pair of int64 keys and float32 values.
final class TFRAWriter: RowWriter {
  private var keys: AtomicFile
  private var values: AtomicFile
  private var tally: RowTally

  init(path: String, tally: RowTally) throws(EmbeddingError) {
    guard path != "-", tally.idType == .int64 else {
      throw EmbeddingError(
        .invalidArgument,
        "TFRA's format is a pair of files with Int64 keys; byte-string ids or standard output need "
          + "another format.")
    }
    self.tally = tally
    let pair = tfraPair(path)
    keys = try AtomicFile(path: pair.keys)
    values = try AtomicFile(path: pair.values)
  }

  func write(_ batch: borrowing RowBatch) throws(EmbeddingError) {
    try tally.add(batch)
    try keys.write(batch.ids.int64s.span.bytes)
    try values.write(batch.vectors.span.bytes)
  }

  func finish() throws(EmbeddingError) {
    try tally.finish()
    try keys.commit()
    try values.commit()
  }
}
