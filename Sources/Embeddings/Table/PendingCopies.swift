import CKernels

/// Vectors on their way from cached rows to a caller's buffer, a few at a time.
///
/// Unsafe: addresses of rows, which must be copied before their shard lets go of them or takes in
/// others.
struct PendingCopies {
  static let capacity = 16

  private let rows: UnsafeMutablePointer<UnsafePointer<Float>>
  private let outputs: UnsafeMutablePointer<UnsafeMutablePointer<Float>>
  private let dimension: Int
  private var count = 0

  private init(
    rows: UnsafeMutablePointer<UnsafePointer<Float>>,
    outputs: UnsafeMutablePointer<UnsafeMutablePointer<Float>>, dimension: Int
  ) {
    self.rows = rows
    self.outputs = outputs
    self.dimension = dimension
  }

  /// Lends `body` an empty list of copies of `dimension` floats each, and carries them out at its end.
  @inline(__always)
  static func with(dimension: Int, _ body: (inout PendingCopies) -> Void) {
    withUnsafeTemporaryAllocation(of: UnsafePointer<Float>.self, capacity: capacity) { rows in
      withUnsafeTemporaryAllocation(
        of: UnsafeMutablePointer<Float>.self, capacity: capacity
      ) { outputs in
        var copies = PendingCopies(
          rows: rows.baseAddress.unsafelyUnwrapped,
          outputs: outputs.baseAddress.unsafelyUnwrapped, dimension: dimension)
        body(&copies)
        copies.finish()
      }
    }
  }

  /// Adds a copy.
  @inline(__always)
  mutating func add(_ row: UnsafePointer<Float>, to output: UnsafeMutablePointer<Float>) {
    rows[count] = row
    outputs[count] = output
    count &+= 1
    if count == Self.capacity { finish() }
  }

  /// Carries the copies out.
  mutating func finish() {
    ck_copy_rows(rows, outputs, count, dimension)
    count = 0
  }
}
