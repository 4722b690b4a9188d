#if canImport(Glibc)
  private import Glibc
#endif

/// What a buffer is for, as the memory plan counts it.
public enum MemoryComponent: String, CaseIterable, Sendable {
  /// Adapter parameters.
  case adapter
  /// Gradient that the optimiser reads.
  case gradient
  /// Moments of the optimiser.
  case optimizer
  /// Adapted parameters, inner gradients and directions of the tasks in flight.
  case innerStep = "inner step"
  /// Activations and their derivatives that are kept between sweeps.
  case kept = "kept activations"
  /// Buffers of the block that is being computed.
  case block = "block buffers"
  /// Logits of one chunk of positions.
  case logits = "logits chunk"
  /// Decoded tiles and partial sums of the workers.
  case scratch = "decode scratch"
  /// Dense parameters that are trained.
  case parameters
}

/// An owner of buffers that are planned before they are allocated.
///
/// Every buffer is asked for with its component and is entered in the ledger. An arena that only
/// plans enters the same buffers and allocates nothing; its views must not be read or written.
/// Memory comes from the system in whole pages, zeroed, and is returned when the arena ends.
/// Several threads may ask at once.
public final class Arena: Sendable {
  /// Whether nothing is allocated.
  public let plansOnly: Bool
  private let books = Locked(Books())

  private struct Books: Sendable {
    var regions: [(address: UInt, bytes: Int)] = []
    var ledger: [MemoryComponent: Int] = [:]
  }

  /// Bytes per component, whole pages.
  public var ledger: [MemoryComponent: Int] { books.withLock { $0.ledger } }

  /// An empty arena.
  public init(plansOnly: Bool = false) {
    self.plansOnly = plansOnly
  }

  deinit {
    books.withLock { books in
      for region in books.regions {
        munmap(UnsafeMutableRawPointer(bitPattern: region.address), region.bytes)
      }
    }
  }

  /// The sum of the ledger in bytes.
  public var bytes: Int { ledger.values.reduce(0, +) }

  /// A zeroed matrix of shape (rows, columns).
  public func matrix<S: Scalar>(
    _ rows: Int, _ columns: Int, of type: S.Type = S.self, for component: MemoryComponent
  ) -> Matrix<S> {
    let base = region(bytes: rows * columns * MemoryLayout<S>.stride, for: component)
    return Matrix(base.assumingMemoryBound(to: S.self), rows: rows, columns: columns)
  }

  /// A zeroed buffer of `count` bytes.
  public func bytes(
    _ count: Int, for component: MemoryComponent
  ) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(start: region(bytes: count, for: component), count: count)
  }

  private func region(
    bytes: Int, for component: MemoryComponent
  ) -> UnsafeMutableRawPointer {
    let page = 4096
    let size = max(page, (bytes + page - 1) / page * page)
    books.withLock { $0.ledger[component, default: 0] += size }
    guard !plansOnly else { return UnsafeMutableRawPointer(bitPattern: page).unsafelyUnwrapped }
    guard let base = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
      base != MAP_FAILED
    else {
      // The plan was announced and checked before; the system refused it all the same.
      let line = "imprint: the system has no \(size) bytes for \(component.rawValue)\n"
      _ = line.withCString { write(2, $0, strlen($0)) }
      exit(1)
    }
    books.withLock { $0.regions.append((UInt(bitPattern: base), size)) }
    return base
  }
}
