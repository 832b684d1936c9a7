import StorageBase

/// The header of an npy file (numpy.lib.format, versions 1 to 3): a Python dictionary with exactly
/// the keys `descr`, `fortran_order` and `shape`.
struct NpyHeader {
  static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)

  let elements: ElementType
  let shape: [Int]
  /// The bytes that the data must have.
  let dataSize: Int

  /// Reads the header, which leaves `source` at the data.
  init(_ source: ByteSource) throws(EmbeddingError) {
    let prefix = try source.next(8) { (bytes) throws(EmbeddingError) -> UInt8 in
      guard bytes.starts(with: Self.magic) else {
        throw source.malformed(at: 0, "the magic string of npy is missing.")
      }
      return bytes[6]
    }
    guard let version = prefix else { throw source.malformed("the npy header is cut short.") }
    guard (1...3).contains(version) else {
      throw EmbeddingError(
        .unsupportedFormat, "\(source.name) is npy version \(version); save it as version 1.")
    }
    let lengthSize = version == 1 ? 2 : 4
    let length = try source.next(lengthSize) { bytes in
      (0..<lengthSize).reversed().reduce(0) { $0 << 8 | Int(bytes[$1]) }
    }
    guard let length else { throw source.malformed("the npy header is cut short.") }
    guard length <= Limits.npyHeader else {
      throw source.malformed(
        at: 8, "the npy header claims \(length) bytes; at most \(Limits.npyHeader) are read.")
    }
    let start = source.offset
    let parsed = try source.next(length) { (bytes) throws(EmbeddingError) -> NpyDictionary in
      var parser = NpyDictionaryParser(bytes, source: source, start: start)
      return try parser.parse()
    }
    guard let parsed else {
      throw source.malformed("the npy header claims \(length) bytes, and the file ends before.")
    }
    elements = try Self.elements(parsed.descr, source)
    guard !parsed.fortranOrder || parsed.shape.count < 2 else {
      throw EmbeddingError(
        .unsupportedFormat,
        "\(source.name) is in Fortran order; save it row by row: "
          + "numpy.save(path, numpy.ascontiguousarray(array))")
    }
    shape = parsed.shape
    var size = elements.size
    for extent in shape {
      let (product, overflow) = size.multipliedReportingOverflow(by: extent)
      guard !overflow else {
        throw source.malformed(at: start, "the shape \(shape) is larger than any file.")
      }
      size = product
    }
    dataSize = size
  }

  /// Checks the size of the data against the file's, where that is known.
  func checkSize(_ source: ByteSource) throws(EmbeddingError) {
    guard let size = source.contentSize else { return }
    guard size - source.offset == dataSize else {
      throw source.malformed(
        "shape \(shape) needs \(dataSize) bytes of data, and the file has \(size - source.offset).")
    }
  }

  private static func elements(
    _ descr: String, _ source: ByteSource
  ) throws(EmbeddingError) -> ElementType {
    switch descr {
    case "<f2": return .float16
    case "<f4": return .float32
    case "<f8": return .float64
    case "|i1", "<i1": return .int8
    case "<i2": return .int16
    case "<i4": return .int32
    case "<i8": return .int64
    case "|u1", "<u1": return .uint8
    case "<u2": return .uint16
    case "<u4": return .uint32
    case "<u8": return .uint64
    default: break
    }
    let reason =
      descr.utf8.first == UInt8(ascii: ">")
      ? "is big-endian; save it little-endian: array.astype('<f4')"
      : descr.utf8.contains(UInt8(ascii: "O"))
        ? "holds pickled objects, which could run any code; save the numbers: array.astype('<f4')"
        : "is not of numbers read here; save float32 vectors, and ids as int64"
    throw EmbeddingError(
      .unsupportedFormat, "The array in \(source.name), of dtype '\(descr)', \(reason).")
  }
}

/// Opens an npy of vectors, `[n, dimension]`.
func openNpy(
  _ source: ByteSource, options: ReaderOptions, vocabulary: Vocabulary?
) throws(EmbeddingError) -> any RowReader {
  let header = try NpyHeader(source)
  guard header.elements.isFloat else {
    throw EmbeddingError(
      .unsupportedFormat,
      "\(source.name) is an array of \(header.elements); vectors are floats: array.astype('<f4')")
  }
  guard header.shape.count == 2 else {
    throw source.malformed(
      at: 0, "the array has shape \(header.shape); vectors are of shape [rows, dimension].")
  }
  let (count, dimension) = (header.shape[0], header.shape[1])
  guard (1...Limits.dimension).contains(dimension) else {
    throw source.malformed(
      at: 0, "the dimension \(dimension) is not within 1...\(Limits.dimension).")
  }
  try header.checkSize(source)
  let ids: any IDSource =
    if let path = options.idsPath {
      try openIDs(path: path, rows: count, options: options)
    } else {
      RowNumbers()
    }
  return try MatrixReader(
    source, format: .npy, elements: header.elements, count: count, dimension: dimension, ids: ids,
    options: options, vocabulary: vocabulary)
}
