import StorageBase

/// The names of the tensors with the ids, beside that of the vectors.
enum SafetensorsNames {
  /// Int64 ids, `[n]`.
  static let ids = "ids"
  /// Byte-string ids in Arrow's layout: the bytes of all, and `[n + 1]` offsets into them.
  static let idBytes = "id_bytes"
  static let idOffsets = "id_offsets"
}

/// Opens the tensor of vectors in a safetensors file, `[n, dimension]`, and its ids: those of the
/// file that the options name, else of the tensor `ids`, else of the pair `id_bytes` and
/// `id_offsets`, else the row numbers.
///
/// F32 is read as it is, F16 and BF16 are widened exactly, and F64 is rounded to the nearest
/// float32.
func openSafetensors(path: String, options: ReaderOptions, vocabulary: Vocabulary?)
  throws(EmbeddingError) -> any RowReader
{
  let file = try RandomAccessFile(path: path)
  let header = try SafetensorsHeader(file)
  let tensor = try vectors(of: header, path, options.tensorName)
  guard let elements = tensor.elements, elements.isFloat else {
    throw EmbeddingError(
      .unsupportedFormat,
      "Tensor '\(tensor.name)' of \(path) has dtype \(tensor.dtype). Vectors are read as F32, F16, "
        + "BF16 or F64: integers are quantized, and mean nothing without their scale; save the "
        + "dequantized floats.")
  }
  let (count, dimension) = (tensor.shape[0], tensor.shape[1])
  guard (1...Limits.dimension).contains(dimension) else {
    throw EmbeddingError(
      .malformedInput,
      "\(path), byte 8: the dimension \(dimension) is not within 1...\(Limits.dimension).")
  }
  return try MatrixReader(
    ByteSource(file, range: tensor.range), format: .safetensors, elements: elements, count: count,
    dimension: dimension, ids: ids(of: header, file, rows: count, options), options: options,
    vocabulary: vocabulary)
}

private func vectors(
  of header: SafetensorsHeader, _ path: String, _ name: String?
) throws(EmbeddingError) -> SafetensorsHeader.Tensor {
  let names = header.tensors.prefix(20).map { "'\($0.name)' \($0.dtype) \($0.shape)" }
    .joined(separator: ", ")
  if let name {
    guard let tensor = header.tensors.first(where: { $0.name == name }) else {
      throw EmbeddingError(.notFound, "\(path) has no tensor '\(name)'; it has \(names).")
    }
    guard tensor.shape.count == 2 else {
      throw EmbeddingError(
        .malformedInput,
        "\(path), byte 8: tensor '\(name)' has shape \(tensor.shape); vectors are of shape "
          + "[rows, dimension].")
    }
    return tensor
  }
  let matrices = header.tensors.filter { $0.shape.count == 2 }
  guard matrices.count == 1 else {
    throw EmbeddingError(
      .invalidArgument,
      "\(path) has \(matrices.count) two-dimensional tensors, so the one with the vectors must be "
        + "named; it has \(names).")
  }
  return matrices[0]
}

private func ids(
  of header: SafetensorsHeader, _ file: RandomAccessFile, rows: Int, _ options: ReaderOptions
) throws(EmbeddingError) -> any IDSource {
  if let path = options.idsPath { return try openIDs(path: path, rows: rows, options: options) }
  func column(_ name: String, _ count: Int?) throws(EmbeddingError) -> SafetensorsHeader.Tensor? {
    guard let tensor = header.tensors.first(where: { $0.name == name }) else { return nil }
    guard tensor.shape.count == 1, count == nil || tensor.shape[0] == count,
      let elements = tensor.elements, !elements.isFloat
    else {
      throw EmbeddingError(
        .malformedInput,
        "\(file.path), byte 8: tensor '\(name)' has dtype \(tensor.dtype) and shape "
          + "\(tensor.shape); integers of shape [\(count.map(String.init) ?? "bytes")] are needed. "
          + "To leave it aside, name a file of ids.")
    }
    return tensor
  }
  if let tensor = try column(SafetensorsNames.ids, rows), let elements = tensor.elements {
    return IntegerIDs(ByteSource(file, range: tensor.range), elements: elements)
  }
  if let bytes = try column(SafetensorsNames.idBytes, nil), bytes.elements == .uint8,
    let offsets = try column(SafetensorsNames.idOffsets, rows + 1), let elements = offsets.elements
  {
    return try ArrowIDs(
      offsets: ByteSource(file, range: offsets.range), elements: elements,
      bytes: ByteSource(file, range: bytes.range), byteCount: bytes.range.count, options: options)
  }
  return RowNumbers()
}
