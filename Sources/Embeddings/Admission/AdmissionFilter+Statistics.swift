extension AdmissionFilter {
  struct Statistics: Equatable, Sendable {
    /// Distinct ids counted: exact for the counter; for Bloom filters those that were new to it,
    /// fewer than there were by the rate of false positives.
    var distinctIDs = 0
    /// Ids whose count reached the threshold; nil where the filter cannot know.
    var idsAtThreshold: Int?
    /// The share of cells that are not 0, or of places that are taken.
    var fill = 0.0
    /// The probability that an id never seen has a count; 0 for the exact counter.
    var falsePositiveRate = 0.0
    /// Layers of a Bloom filter; 1 for the exact counter.
    var layers = 1
    /// Bytes of memory.
    var bytes = 0
  }

  /// The state as a whole. Nobody may be at work.
  var statistics: Statistics {
    var all = FilterCounts()
    var cells = 0
    var statistics = Statistics()
    if isExact {
      for i in 0..<FilterStripe.count {
        all += stripe(i).pointee.counts
        cells += stripe(i).pointee.table!.places
      }
    } else {
      statistics.layers = layerCount
      var notPositive = 1.0
      for number in 0..<layerCount {
        let layer = layer(number)
        var counts = FilterCounts()
        for i in 0..<FilterStripe.count { counts += layer.counts(i).pointee }
        all += counts
        cells += layer.shape.blocks * layer.shape.blockCells * FilterStripe.count
        notPositive *= 1 - layer.shape.rate(ids: counts.distinctIDs)
      }
      statistics.falsePositiveRate = 1 - notPositive
    }
    statistics.distinctIDs = all.distinctIDs
    statistics.idsAtThreshold = maximum == threshold ? all.idsAtThreshold : nil
    statistics.fill = cells == 0 ? 0 : Double(all.nonzeroCells) / Double(cells)
    statistics.bytes = bytes
    return statistics
  }

  /// Bytes of memory, without the journal. Nobody may be at work.
  var bytes: Int {
    var bytes = tableBytes()
    for number in 0..<layerCount { bytes += layer(number).bytes }
    return bytes
  }

  /// Bytes of the exact counts of some stripes, which grow as ids are counted; 0 in a Bloom filter.
  /// Under their locks.
  func tableBytes(ofStripes stripes: Range<Int> = 0..<FilterStripe.count) -> Int {
    guard isExact else { return 0 }
    return stripes.reduce(0) { $0 + stripe($1).pointee.table!.bytes }
  }
}
