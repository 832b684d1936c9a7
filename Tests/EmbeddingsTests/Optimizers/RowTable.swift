import Embeddings

/// A few rows in one array, vector and slots side by side, as the store keeps them.
struct RowTable {
  let updater: AnyRowOptimizer
  var floats: [Float] = []

  init(firstVectors: [Float], updater: AnyRowOptimizer) {
    self.updater = updater
    for start in stride(from: 0, to: firstVectors.count, by: updater.dimension) {
      floats += firstVectors[start..<start + updater.dimension]
      var slots = [Float](repeating: .nan, count: updater.slotCount)
      slots.withUnsafeMutableBufferPointer {
        if let start = $0.baseAddress { updater.initializeSlots(start) }
      }
      floats += slots
    }
  }

  private var width: Int { updater.dimension + updater.slotCount }

  mutating func update(_ ids: [Int], _ gradients: [Float], learningRate: Float) {
    let (width, updater) = (width, updater)
    floats.withUnsafeMutableBufferPointer { floats in
      let rows = ids.map { floats.baseAddress! + $0 * width }
      rows.withUnsafeBufferPointer {
        updater.update(rows: $0, contiguous: gradients, learningRate: learningRate)
      }
    }
  }

  var vectors: [Float] {
    stride(from: 0, to: floats.count, by: width).flatMap { floats[$0..<$0 + updater.dimension] }
  }

  var slots: [Float] {
    stride(from: 0, to: floats.count, by: width).flatMap {
      floats[$0 + updater.dimension..<$0 + width]
    }
  }
}
