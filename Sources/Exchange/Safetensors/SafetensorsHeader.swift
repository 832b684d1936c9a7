import StorageBase

/// The header of a safetensors file: a little-endian UInt64 length, and that many bytes of JSON.
struct SafetensorsHeader {
  struct Tensor {
    var name: String
    var dtype = ""
    var shape: [Int] = []
    /// Where the data stands in the file.
    var range = 0..<0

    /// The element type, if vectors or ids may be of it.
    var elements: ElementType? {
      switch dtype {
      case "F16": .float16
      case "BF16": .bfloat16
      case "F32": .float32
      case "F64": .float64
      case "I8": .int8
      case "I16": .int16
      case "I32": .int32
      case "I64": .int64
      case "U8": .uint8
      case "U16": .uint16
      case "U32": .uint32
      case "U64": .uint64
      default: nil
      }
    }
  }

  private(set) var tensors: [Tensor] = []

  init(_ file: RandomAccessFile) throws(EmbeddingError) {
    let source = ByteSource(file, range: 0..<file.size)
    let length = try source.next(8) { bytes in
      (0..<8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64(bytes[$1]) }
    }
    guard let length else {
      throw source.malformed(at: 0, "the length of the header is cut short.")
    }
    guard length <= UInt64(Limits.safetensorsHeader), length <= UInt64(file.size - 8) else {
      throw source.malformed(
        at: 0,
        "the header claims \(length) bytes, and \(file.size - 8) follow; at most "
          + "\(Limits.safetensorsHeader) are read.")
    }
    let dataStart = 8 + Int(length)
    var tensors: [Tensor] = []
    _ = try source.next(Int(length)) { (bytes) throws(EmbeddingError) in
      var scanner = JSONScanner(bytes)
      do throws(JSONScanner.Failure) {
        tensors = try Self.parse(&scanner)
      } catch {
        throw source.malformed(
          at: 8 + scanner.position, "the header is not that of safetensors: \(error.what).")
      }
    }
    self.tensors = try Self.place(tensors, from: dataStart, file)
  }

  private static func parse(
    _ scanner: inout JSONScanner
  ) throws(JSONScanner.Failure) -> [Tensor] {
    var tensors: [Tensor] = []
    var names: Set<String> = []
    try scanner.object { (name, scanner) throws(JSONScanner.Failure) in
      guard names.insert(name).inserted else {
        throw JSONScanner.Failure(what: "the name '\(name)' stands twice")
      }
      if name == "__metadata__" {
        try scanner.skipValue()
      } else {
        tensors.append(try parse(name, &scanner))
      }
    }
    try scanner.end()
    return tensors
  }

  private static func parse(
    _ name: String, _ scanner: inout JSONScanner
  ) throws(JSONScanner.Failure) -> Tensor {
    var tensor = Tensor(name: name)
    var offsets: [Int] = []
    var keys: Set<String> = []
    try scanner.object { (key, scanner) throws(JSONScanner.Failure) in
      guard keys.insert(key).inserted else {
        throw JSONScanner.Failure(what: "the key '\(key)' stands twice")
      }
      switch key {
      case "dtype": tensor.dtype = try scanner.string()
      case "shape": tensor.shape = try sizes(&scanner, atMost: 32)
      case "data_offsets": offsets = try sizes(&scanner, atMost: 2)
      default: try scanner.skipValue()
      }
    }
    guard keys.isSuperset(of: ["dtype", "shape", "data_offsets"]), offsets.count == 2,
      offsets[0] <= offsets[1]
    else {
      throw JSONScanner.Failure(
        what: "tensor '\(name)' lacks its dtype, shape or two rising data_offsets")
    }
    tensor.range = offsets[0]..<offsets[1]
    return tensor
  }

  private static func sizes(
    _ scanner: inout JSONScanner, atMost limit: Int
  ) throws(JSONScanner.Failure) -> [Int] {
    var sizes: [Int] = []
    try scanner.array { (scanner) throws(JSONScanner.Failure) in
      guard sizes.count < limit else {
        throw JSONScanner.Failure(what: "more than \(limit) sizes in a list")
      }
      sizes.append(try scanner.size())
    }
    return sizes
  }

  /// Moves the ranges to their place in the file, after checking that they fill the data without
  /// holes or overlaps, as the reference implementation does, and have the size that the shape asks
  /// for.
  private static func place(
    _ tensors: [Tensor], from start: Int, _ file: RandomAccessFile
  ) throws(EmbeddingError) -> [Tensor] {
    func malformed(_ what: String) -> EmbeddingError {
      EmbeddingError(.malformedInput, "\(file.path), byte 8: \(what)")
    }
    let size = file.size - start
    var end = 0
    for tensor in tensors.sorted(by: {
      ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound)
    }) {
      guard tensor.range.lowerBound == end, tensor.range.upperBound <= size else {
        throw malformed(
          "the data_offsets \(tensor.range.lowerBound) to \(tensor.range.upperBound) of tensor "
            + "'\(tensor.name)' overlap others, leave a hole, or lie beyond the \(size) bytes "
            + "of data."
        )
      }
      end = tensor.range.upperBound
      guard let elements = tensor.elements else { continue }
      var bytes = elements.size
      for extent in tensor.shape {
        let (product, overflow) = bytes.multipliedReportingOverflow(by: extent)
        guard !overflow else {
          throw malformed("tensor '\(tensor.name)' is larger than any file.")
        }
        bytes = product
      }
      guard bytes == tensor.range.count else {
        throw malformed(
          "tensor '\(tensor.name)' of shape \(tensor.shape) and dtype \(tensor.dtype) needs "
            + "\(bytes) bytes, and has \(tensor.range.count).")
      }
    }
    guard end == size else {
      throw malformed("\(size - end) bytes of data belong to no tensor; the file is damaged.")
    }
    return tensors.map {
      var tensor = $0
      tensor.range = (start + $0.range.lowerBound)..<(start + $0.range.upperBound)
      return tensor
    }
  }
}
