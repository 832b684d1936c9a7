import StorageBase

/// The first frame of a file: magic, version, description.
struct HeaderFrame: Sendable {
  /// 0x89, "EMBS", carriage return, line feed, control-Z: as with PNG, a transfer as text shows.
  static let magic: UInt64 = 0x1A0A_0D53_424D_4589

  var description: SnapshotDescription
  var rowsPerBlock: Int

  private static let lossyFlag: UInt32 = 1

  /// The frame, and the checksum that seeds those of all others.
  func encoded() -> (bytes: [UInt8], checksum: UInt64) {
    let d = description
    var frame = FrameWriter(.header)
    frame.write(Self.magic)
    frame.write(Limits.version)
    frame.write(d.isLossy ? Self.lossyFlag : 0)
    frame.write(UInt8(d.isDelta ? 2 : 1))
    frame.write(d.idType.rawValue)
    frame.write(d.encoding.rawValue)
    frame.write(UInt8(d.includesSlots ? 1 : 0))
    frame.write(UInt32(d.dimension))
    frame.write(UInt32(d.slotCount))
    frame.write(UInt32(rowsPerBlock))
    frame.write(d.seed)
    frame.write(d.generation)
    frame.write(d.state)
    frame.write(
      d.base
        ?? SnapshotDescription.Base(
          identity: SnapshotIdentity(high: 0, low: 0), point: CommitPoint()))
    frame.write(d.table)
    frame.write(d.initializer)
    frame.write(d.initializerParameters)
    frame.write(d.optimizer)
    frame.write(d.learningRate)
    frame.write(d.hyperparameters)
    return frame.sealed(seed: 0)
  }

  /// Reads the frame that `bytes` are; the second value is its checksum.
  static func decode(
    _ bytes: [UInt8], file: String
  ) throws(EmbeddingError) -> (header: HeaderFrame, checksum: UInt64) {
    try checkVersion(bytes, file: file)
    let place = Place(file, 0, "header")
    var frame = try FrameReader(bytes, .header, seed: 0, at: place)
    _ = try frame.read(UInt64.self)
    _ = try frame.read(UInt32.self)
    let flags = try frame.read(UInt32.self)
    let kind = try frame.read(UInt8.self)
    let idType = IDType(rawValue: try frame.read(UInt8.self))
    let encoding = ValueEncoding(rawValue: try frame.read(UInt8.self))
    let includesSlots = try frame.read(UInt8.self)
    guard let idType, let encoding, (1...2).contains(kind), includesSlots <= 1,
      flags == (encoding.isLossy ? lossyFlag : 0)
    else { throw place.damaged("a field has a value that version 1 does not know") }
    let dimension = Int(try frame.read(UInt32.self))
    let slotCount = Int(try frame.read(UInt32.self))
    let rowsPerBlock = Int(try frame.read(UInt32.self))
    let seed = try frame.read(UInt64.self)
    let generation = try frame.read(UInt64.self)
    let state = try frame.readState()
    let base = try frame.readState()
    let table = try frame.read(String.self)
    let initializer = try frame.read(String.self)
    let initializerParameters = try frame.readParameters(place)
    let optimizer = try frame.read(String.self)
    let learningRate = try frame.read(Float.self)
    let hyperparameters = try frame.readParameters(place)
    try frame.finish()
    let header = HeaderFrame(
      description: SnapshotDescription(
        identity: state.identity, table: table, idType: idType, dimension: dimension,
        slotCount: slotCount, seed: seed, initializer: initializer,
        initializerParameters: initializerParameters, optimizer: optimizer,
        learningRate: learningRate, hyperparameters: hyperparameters, encoding: encoding,
        includesSlots: includesSlots == 1, point: state.point, generation: generation,
        base: kind == 2 ? base : nil),
      rowsPerBlock: rowsPerBlock)
    if let fault = header.fault() { throw place.damaged(fault) }
    return (header, frame.checksum)
  }

  /// Magic and version come before the checksum, so that later versions may change all the rest.
  static func checkVersion(_ bytes: [UInt8], file: String) throws(EmbeddingError) {
    let fields = Frame.fieldsOffset
    guard bytes.count >= fields + 12, hasMagic(bytes) else {
      throw EmbeddingError(
        .unsupportedFormat, "\(file) is not a snapshot, or its beginning is damaged.")
    }
    let version = bytes.word(at: fields + 8)
    guard version == Limits.version else {
      throw EmbeddingError(
        .unsupportedFormat,
        "\(file) is a snapshot of format version \(version); this library reads version "
          + "\(Limits.version). Use a newer one, or check the file for damage.")
    }
  }

  /// Whether a file that begins with `bytes` is a snapshot, of whatever version.
  static func hasMagic(_ bytes: [UInt8]) -> Bool {
    let fields = Frame.fieldsOffset
    return bytes.count >= fields + 8 && bytes.word(at: Frame.magicOffset) == Frame.magic
      && bytes.word(at: fields) == UInt32(truncatingIfNeeded: magic)
      && bytes.word(at: fields + 4) == UInt32(truncatingIfNeeded: magic >> 32)
  }

  /// What is out of its limits, or nil.
  func fault() -> String? {
    let d = description
    guard (1...Limits.dimension).contains(d.dimension) else {
      return "the dimension is \(d.dimension); it must be from 1 to \(Limits.dimension)"
    }
    guard (0...Limits.slotCount).contains(d.slotCount) else {
      return "rows have \(d.slotCount) slots; at most \(Limits.slotCount) are possible"
    }
    let floatBytes = 4 * (d.dimension + d.storedSlotCount)
    guard (1...Limits.rowsPerBlock).contains(rowsPerBlock),
      rowsPerBlock == 1 || rowsPerBlock * floatBytes <= Limits.blockFloatBytes
    else { return "\(rowsPerBlock) rows in a block are not possible" }
    let parameters = d.initializerParameters + d.hyperparameters
    guard d.initializerParameters.count <= Limits.parameters,
      d.hyperparameters.count <= Limits.parameters
    else { return "there are more than \(Limits.parameters) parameters" }
    let names = [d.table, d.initializer, d.optimizer] + parameters.map(\.name)
    if let name = names.first(where: { $0.utf8.count > Limits.nameBytes }) {
      return "the name '\(name.prefix(40))...' has more than \(Limits.nameBytes) bytes"
    }
    return nil
  }
}

extension FrameWriter {
  fileprivate mutating func write(_ state: SnapshotDescription.Base) {
    write(state.identity.high)
    write(state.identity.low)
    write(state.point.step)
    write(state.point.batches)
  }

  fileprivate mutating func write(_ parameters: [Hyperparameter]) {
    write(UInt32(parameters.count))
    for parameter in parameters {
      write(parameter.name)
      write(parameter.value)
    }
  }
}

extension FrameReader {
  fileprivate mutating func readState() throws(EmbeddingError) -> SnapshotDescription.Base {
    let high = try read(UInt64.self)
    let low = try read(UInt64.self)
    let step = try read(Int64.self)
    let batches = try read(UInt64.self)
    return SnapshotDescription.Base(
      identity: SnapshotIdentity(high: high, low: low),
      point: CommitPoint(step: step, batches: batches))
  }

  fileprivate mutating func readParameters(
    _ place: Place
  ) throws(EmbeddingError) -> [Hyperparameter] {
    let count = try read(UInt32.self)
    guard count <= Limits.parameters else { throw place.damaged("there are too many parameters") }
    var parameters: [Hyperparameter] = []
    for _ in 0..<count {
      let name = try read(String.self)
      let value = try read(Float.self)
      parameters.append(Hyperparameter(name: name, value: value))
    }
    return parameters
  }
}
