// swift-tools-version: 6.2
import PackageDescription

let package = Package(
  name: "Benchmarks",
  dependencies: [
    .package(name: "EmbeddingStore", path: ".."),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
  ],
  targets: [
    .executableTarget(
      name: "scale",
      dependencies: [
        .product(name: "Embeddings", package: "EmbeddingStore"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ])
  ]
)
