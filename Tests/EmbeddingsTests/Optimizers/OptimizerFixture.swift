import CKernels
import Embeddings

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#elseif canImport(Darwin)
  import Darwin
#endif

/// One file of `Fixtures/optimizers`: the rows that another framework had after some of its steps.
/// `Tests/Scripts/make_optimizer_fixtures.py` writes the files and describes them.
struct OptimizerFixture {
  struct Snapshot {
    let stepsDone: Int
    let vectors: [Float]
    let slots: [Float]
  }

  let dimension, rows, batch, slotCount: Int
  /// Whether each batch begins with every row, as where a framework keeps one count of steps.
  let everyRow: Bool
  let learningRates: [Float]
  let snapshots: [Snapshot]

  init(_ name: String) {
    var bytes = Self.read(name)[...]
    precondition(Array(bytes.prefix(4)) == Array("OPTF".utf8), "\(name).bin is not a fixture")
    bytes = bytes.dropFirst(4)
    func word() -> UInt32 {
      defer { bytes = bytes.dropFirst(4) }
      return bytes.prefix(4).reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }
    func floats(_ count: Int) -> [Float] { (0..<count).map { _ in Float(bitPattern: word()) } }
    let header = (0..<7).map { _ in Int(word()) }
    let (dimension, rows, slotCount) = (header[0], header[1], header[4])
    (self.dimension, self.rows, self.slotCount, batch) = (dimension, rows, slotCount, header[3])
    everyRow = header[5] != 0
    learningRates = floats(header[2])
    snapshots = (0..<header[6]).map { _ in
      Snapshot(
        stepsDone: Int(word()), vectors: floats(rows * dimension), slots: floats(rows * slotCount))
    }
    precondition(bytes.isEmpty, "\(name).bin has bytes left over")
  }

  private static func read(_ name: String) -> [UInt8] {
    let here = String(#filePath)
    let folder = here[..<here.range(ofLast: "/Optimizers/")]
    let path = folder + "/Fixtures/optimizers/\(name).bin"
    guard let file = fopen(String(path), "rb") else { preconditionFailure("no file \(path)") }
    defer { fclose(file) }
    return [UInt8](unsafeUninitializedCapacity: 1 << 16) { buffer, count in
      count = fread(buffer.baseAddress, 1, buffer.count, file)
    }
  }

  // The rule that the script shares.

  private static func random(_ stream: UInt64, _ i: Int) -> UInt64 {
    mix64(mix64(stream) &+ (UInt64(i) &+ 1) &* golden)
  }

  private static func signed(_ stream: UInt64, _ i: Int) -> Float {
    Float(Int32(truncatingIfNeeded: random(stream, i))) * 0x1p-31
  }

  /// The rows' first vectors, row-major.
  var firstVectors: [Float] { (0..<rows * dimension).map { Self.signed(3, $0) * 0.05 } }

  /// The ids of a batch, duplicates included.
  func ids(step: Int) -> [Int] {
    let draws = (step * batch..<(step + 1) * batch).map { k in
      Int(
        min(Self.random(1, 2 * k) % UInt64(rows), Self.random(1, 2 * k + 1) % UInt64(rows)))
    }
    return everyRow ? Array(0..<rows) + draws : draws
  }

  /// The batch's distinct ids in order of first occurrence, and their summed gradients.
  func summedGradients(step: Int) -> (ids: [Int], gradients: [Float]) {
    let ids = ids(step: step)
    var order: [Int] = []
    var sums: [Float] = []
    for (j, id) in ids.enumerated() {
      let gradient = (0..<dimension).map {
        Self.signed(2, (step * ids.count + j) * dimension + $0) * 0.25
      }
      if let known = order.firstIndex(of: id) {
        sums.withUnsafeMutableBufferPointer {
          ck_add($0.baseAddress! + known * dimension, gradient, dimension)
        }
      } else {
        order.append(id)
        sums += gradient
      }
    }
    return (order, sums)
  }

  /// Trains with `optimizer` and hands over vectors and slots at each snapshot.
  func replay(
    _ optimizer: any Optimizer, _ body: (Snapshot, _ vectors: [Float], _ slots: [Float]) -> Void
  ) throws {
    let updater = try AnyRowOptimizer(optimizer, dimension: dimension)
    precondition(updater.slotCount == slotCount, "the fixture has \(slotCount) slots")
    var table = RowTable(firstVectors: firstVectors, updater: updater)
    for (step, learningRate) in learningRates.enumerated() {
      let (ids, gradients) = summedGradients(step: step)
      table.update(ids, gradients, learningRate: learningRate)
      if let snapshot = snapshots.first(where: { $0.stepsDone == step + 1 }) {
        body(snapshot, table.vectors, table.slots)
      }
    }
  }
}

extension String {
  fileprivate func range(ofLast part: String) -> Index {
    var found = startIndex
    for i in indices where self[i...].hasPrefix(part) { found = i }
    return found
  }
}
