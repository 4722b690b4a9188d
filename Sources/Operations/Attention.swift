public import Storage

/// The heads of grouped-query attention.
public struct AttentionShape: Sendable {
  /// H: query heads.
  public let heads: Int
  /// K: key and value heads; head h reads group h · K / H.
  public let kvHeads: Int
  /// d.
  public let headDim: Int

  /// H, K and d.
  public init(heads: Int, kvHeads: Int, headDim: Int) {
    precondition(kvHeads > 0 && heads % kvHeads == 0)
    self.heads = heads
    self.kvHeads = kvHeads
    self.headDim = headDim
  }

  func query(_ head: Int) -> Range<Int> { head * headDim..<(head + 1) * headDim }

  func group(_ head: Int) -> Range<Int> {
    let group = head / (heads / kvHeads)
    return group * headDim..<(group + 1) * headDim
  }
}

/// One worker's room for attention scores of a block of queries: four of (block, T).
public struct AttentionScratch<S: Kernel>: Sendable {
  /// Queries that are in work together.
  static var block: Int { 64 }
  private let parts: [Matrix<S>]
  private let arena: Arena

  /// Room for sequences of up to `rows` tokens.
  public init(rows: Int, arena: Arena) {
    self.arena = arena
    parts = (0..<4).map { _ in
      arena.matrix(min(Self.block, max(rows, 1)), max(rows, 1), for: .block)
    }
  }

  func scores(_ index: Int, rows: Int, columns: Int) -> Matrix<S> {
    parts[index].reshaped(rows: rows, columns: columns)
  }
}

/// Causal attention o = softmax(q kᵀ / √d) v of one query head over one sequence.
///
/// Legend: T tokens, H query heads, K key/value heads, d width of a head. q, o and theirs have
/// shape (T, H·d), k, v and theirs (T, K·d); a call reads and writes the columns of `head`.
/// Gradients of keys and values are written per query head, (T, d): the caller adds those of a
/// group. Queries go in blocks, so that scores take block · T numbers. With s = q kᵀ / √d,
/// p = softmax(s), dp = do vᵀ: ds = p ∘ (dp − Σ p dp), and every tangent by the product rule.
public enum Attention {
  private static func blocks(_ rows: Int, _ size: Int) -> [Range<Int>] {
    stride(from: 0, to: rows, by: size).map { $0..<min($0 + size, rows) }
  }

  /// One head's slices and the scale.
  private struct Head<S: Kernel> {
    let scale: S
    let q: Matrix<S>
    let k: Matrix<S>
    let v: Matrix<S>

    init(_ head: Int, _ shape: AttentionShape, _ q: Matrix<S>, _ k: Matrix<S>, _ v: Matrix<S>) {
      precondition(q.columns == shape.heads * shape.headDim && k.rows == v.rows)
      precondition(k.columns == shape.kvHeads * shape.headDim && v.columns == k.columns)
      scale = 1 / S(shape.headDim).squareRoot()
      self.q = q.columns(shape.query(head))
      self.k = k.columns(shape.group(head))
      self.v = v.columns(shape.group(head))
    }

    /// p of the queries `block`, before whose first `past` keys are; shape (block, past + block.upperBound).
    func probabilities(_ block: Range<Int>, past: Int = 0, into p: Matrix<S>) {
      multiply(q.rows(block), k.rows(0..<p.columns), .second, into: p, scale: scale)
      S.softmax(p.rows, past + block.lowerBound, p.columns, p.pointer, p.stride)
    }

    /// ṗ of the queries `block` from p.
    func probabilityTangents(
      _ block: Range<Int>, _ tangent: Head<S>, p: Matrix<S>, into pTangent: Matrix<S>
    ) {
      let seen = 0..<block.upperBound
      multiply(tangent.q.rows(block), k.rows(seen), .second, into: pTangent, scale: scale)
      multiply(q.rows(block), tangent.k.rows(seen), .second, into: pTangent, scale: scale, keep: 1)
      S.softmaxDerivative(
        p.rows, block.lowerBound, p.columns, p.pointer, p.stride, pTangent.pointer,
        pTangent.stride)
    }
  }

  /// Writes the columns of `head` of o. Where there are more keys than queries, these are the last tokens of
  /// a sequence whose first ones have been computed before: k and v (n, K·d), n ≥ T.
  public static func forward<S: Kernel>(
    head: Int, shape: AttentionShape, q: Matrix<S>, k: Matrix<S>, v: Matrix<S>, o: Matrix<S>,
    scratch: AttentionScratch<S>
  ) {
    let h = Head(head, shape, q, k, v)
    let o = o.columns(shape.query(head))
    let past = k.rows - q.rows
    for block in blocks(q.rows, AttentionScratch<S>.block) {
      let seen = past + block.upperBound
      let p = scratch.scores(0, rows: block.count, columns: seen)
      h.probabilities(block, past: past, into: p)
      multiply(p, h.v.rows(0..<seen), into: o.rows(block))
    }
  }

  /// Writes the columns of `head` of dq, and dk and dv of this head, (T, d).
  public static func backward<S: Kernel>(
    head: Int, shape: AttentionShape, q: Matrix<S>, k: Matrix<S>, v: Matrix<S>, do: Matrix<S>,
    dq: Matrix<S>, dkHead: Matrix<S>, dvHead: Matrix<S>, scratch: AttentionScratch<S>
  ) {
    let h = Head(head, shape, q, k, v)
    let dOut = `do`.columns(shape.query(head))
    let dq = dq.columns(shape.query(head))
    dkHead.fill(0)
    dvHead.fill(0)
    for block in blocks(q.rows, AttentionScratch<S>.block) {
      let seen = 0..<block.upperBound
      let p = scratch.scores(0, rows: block.count, columns: block.upperBound)
      let ds = scratch.scores(1, rows: block.count, columns: block.upperBound)
      h.probabilities(block, into: p)
      multiply(dOut.rows(block), h.v.rows(seen), .second, into: ds)
      multiply(p, dOut.rows(block), .first, into: dvHead.rows(seen), keep: 1)
      S.softmaxDerivative(
        p.rows, block.lowerBound, p.columns, p.pointer, p.stride, ds.pointer, ds.stride)
      multiply(ds, h.k.rows(seen), into: dq.rows(block), scale: h.scale)
      multiply(ds, h.q.rows(block), .first, into: dkHead.rows(seen), scale: h.scale, keep: 1)
    }
  }

  /// Writes the columns of `head` of ȯ.
  public static func forwardTangent<S: Kernel>(
    head: Int, shape: AttentionShape, q: Matrix<S>, k: Matrix<S>, v: Matrix<S>,
    qTangent: Matrix<S>, kTangent: Matrix<S>, vTangent: Matrix<S>, oTangent: Matrix<S>,
    scratch: AttentionScratch<S>
  ) {
    let h = Head(head, shape, q, k, v)
    let t = Head(head, shape, qTangent, kTangent, vTangent)
    let oTangent = oTangent.columns(shape.query(head))
    for block in blocks(q.rows, AttentionScratch<S>.block) {
      let seen = 0..<block.upperBound
      let p = scratch.scores(0, rows: block.count, columns: block.upperBound)
      let pTangent = scratch.scores(1, rows: block.count, columns: block.upperBound)
      h.probabilities(block, into: p)
      h.probabilityTangents(block, t, p: p, into: pTangent)
      multiply(pTangent, h.v.rows(seen), into: oTangent.rows(block))
      multiply(p, t.v.rows(seen), into: oTangent.rows(block), keep: 1)
    }
  }

  /// Writes the tangents of what ``backward(head:shape:q:k:v:do:dq:dkHead:dvHead:scratch:)``
  /// writes.
  public static func backwardTangent<S: Kernel>(
    head: Int, shape: AttentionShape, q: Matrix<S>, k: Matrix<S>, v: Matrix<S>,
    qTangent: Matrix<S>, kTangent: Matrix<S>, vTangent: Matrix<S>, do: Matrix<S>,
    doTangent: Matrix<S>, dqTangent: Matrix<S>, dkHeadTangent: Matrix<S>,
    dvHeadTangent: Matrix<S>, scratch: AttentionScratch<S>
  ) {
    backwardTangent(
      Head(head, shape, q, k, v), Head(head, shape, qTangent, kTangent, vTangent),
      dOut: `do`.columns(shape.query(head)), dOutTangent: doTangent.columns(shape.query(head)),
      gradients: nil,
      tangents: Gradients(
        dq: dqTangent.columns(shape.query(head)), dk: dkHeadTangent, dv: dvHeadTangent),
      scratch: scratch)
  }

  /// Writes what ``backward(head:shape:q:k:v:do:dq:dkHead:dvHead:scratch:)`` writes and its
  /// tangents; probabilities and the derivatives of the scores are computed once for both.
  public static func backwardBoth<S: Kernel>(
    head: Int, shape: AttentionShape, q: Matrix<S>, k: Matrix<S>, v: Matrix<S>,
    qTangent: Matrix<S>, kTangent: Matrix<S>, vTangent: Matrix<S>, do: Matrix<S>,
    doTangent: Matrix<S>, dq: Matrix<S>, dkHead: Matrix<S>, dvHead: Matrix<S>,
    dqTangent: Matrix<S>, dkHeadTangent: Matrix<S>, dvHeadTangent: Matrix<S>,
    scratch: AttentionScratch<S>
  ) {
    backwardTangent(
      Head(head, shape, q, k, v), Head(head, shape, qTangent, kTangent, vTangent),
      dOut: `do`.columns(shape.query(head)), dOutTangent: doTangent.columns(shape.query(head)),
      gradients: Gradients(dq: dq.columns(shape.query(head)), dk: dkHead, dv: dvHead),
      tangents: Gradients(
        dq: dqTangent.columns(shape.query(head)), dk: dkHeadTangent, dv: dvHeadTangent),
      scratch: scratch)
  }

  /// What a backward pass of one head writes, each of shape (T, d).
  private struct Gradients<S: Kernel> {
    let dq: Matrix<S>
    let dk: Matrix<S>
    let dv: Matrix<S>
  }

  private static func backwardTangent<S: Kernel>(
    _ h: Head<S>, _ t: Head<S>, dOut: Matrix<S>, dOutTangent: Matrix<S>,
    gradients: Gradients<S>?, tangents: Gradients<S>, scratch: AttentionScratch<S>
  ) {
    let scale = h.scale
    for written in [gradients, tangents].compactMap({ $0 }) {
      written.dk.fill(0)
      written.dv.fill(0)
    }
    for block in blocks(h.q.rows, AttentionScratch<S>.block) {
      let seen = 0..<block.upperBound
      let (q, qTangent) = (h.q.rows(block), t.q.rows(block))
      let (k, kTangent) = (h.k.rows(seen), t.k.rows(seen))
      let (dO, dOTangent) = (dOut.rows(block), dOutTangent.rows(block))
      let p = scratch.scores(0, rows: block.count, columns: block.upperBound)
      let pTangent = scratch.scores(1, rows: block.count, columns: block.upperBound)
      let ds = scratch.scores(2, rows: block.count, columns: block.upperBound)
      let dsTangent = scratch.scores(3, rows: block.count, columns: block.upperBound)
      h.probabilities(block, into: p)
      h.probabilityTangents(block, t, p: p, into: pTangent)
      multiply(pTangent, dO, .first, into: tangents.dv.rows(seen), keep: 1)
      multiply(p, dOTangent, .first, into: tangents.dv.rows(seen), keep: 1)
      multiply(dO, h.v.rows(seen), .second, into: ds)
      multiply(dOTangent, h.v.rows(seen), .second, into: dsTangent)
      multiply(dO, t.v.rows(seen), .second, into: dsTangent, keep: 1)
      S.softmaxBackwardTangent(
        p.rows, block.lowerBound, p.columns, p.pointer, p.stride, pTangent.pointer,
        pTangent.stride, ds.pointer, ds.stride, dsTangent.pointer, dsTangent.stride)
      multiply(dsTangent, k, into: tangents.dq.rows(block), scale: scale)
      multiply(ds, kTangent, into: tangents.dq.rows(block), scale: scale, keep: 1)
      multiply(dsTangent, q, .first, into: tangents.dk.rows(seen), scale: scale, keep: 1)
      multiply(ds, qTangent, .first, into: tangents.dk.rows(seen), scale: scale, keep: 1)
      guard let gradients else { continue }
      multiply(p, dO, .first, into: gradients.dv.rows(seen), keep: 1)
      multiply(ds, k, into: gradients.dq.rows(block), scale: scale)
      multiply(ds, q, .first, into: gradients.dk.rows(seen), scale: scale, keep: 1)
    }
  }
}
