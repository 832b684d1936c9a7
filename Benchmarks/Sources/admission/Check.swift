import Embeddings

/// placeholder
struct Check { let path: String; func run() throws {} }
