public import StorageBase

/// A row close to a query.
public struct Neighbor: Sendable, Hashable {
  /// The row's id.
  public var id: EmbeddingID
  /// How close it is, by the metric of the search: for ``SimilarityMetric/euclidean`` less is
  /// closer, else more.
  public var score: Float
  /// The row's number in the commit searched; nil for stores whose rows have no numbers.
  public var row: Int?

  /// Names a neighbor.
  public init(id: EmbeddingID, score: Float, row: Int? = nil) {
    self.id = id
    self.score = score
    self.row = row
  }
}

/// What closeness of two vectors means.
public enum SimilarityMetric: String, Sendable, Hashable, CaseIterable {
  /// The cosine of the angle between them, -1 to 1; 0 where one of them is zero. Norms of rows are
  /// computed in Float: below about 1e-19 they count as zero, above about 1e19 the row is passed
  /// over.
  case cosine
  /// Their dot product.
  case dot
  /// Their Euclidean distance; less is closer.
  case euclidean
}
