import Testing
import StorageBase
