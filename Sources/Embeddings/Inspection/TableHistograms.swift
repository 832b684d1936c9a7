/// How frequencies and vector norms of a table's rows are spread.
public struct TableHistograms: Sendable, Hashable {
  /// The rows whose frequency is within a range.
  public struct FrequencyBin: Sendable, Hashable {
    /// The frequencies counted: 0, 1, 2 to 3, 4 to 7, and so on.
    public var range: ClosedRange<UInt64>
    /// Rows.
    public var count: Int
  }

  /// The rows whose norm is within a range.
  public struct NormBin: Sendable, Hashable {
    /// The least norm counted.
    public var lower: Double
    /// The next bin's least norm; the last bin counts it as well.
    public var upper: Double
    /// Rows.
    public var count: Int
  }

  /// The least, mean and greatest of some values; 0 where there are none.
  public struct Summary: Sendable, Hashable {
    /// The least value.
    public var minimum = 0.0
    /// Their mean.
    public var mean = 0.0
    /// The greatest value.
    public var maximum = 0.0
  }

  /// Rows counted.
  public var rows = 0
  /// Rows by frequency, in bins of powers of two, from the lowest with rows to the highest.
  public var frequencies: [FrequencyBin] = []
  /// The frequencies summed up.
  public var frequency = Summary()
  /// Rows by Euclidean norm of their vectors, in bins of equal width.
  public var norms: [NormBin] = []
  /// The norms summed up.
  public var norm = Summary()
  /// Rows whose vector or norm is not finite; they are in no bin of norms.
  public var nonFiniteRows = 0
}
