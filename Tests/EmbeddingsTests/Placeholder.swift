import Testing
import Embeddings
