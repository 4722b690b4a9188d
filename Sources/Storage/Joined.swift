extension Array {
  /// Elements of the same `key` together, in the order in which keys are first met.
  package func joined<Key: Hashable>(by key: (Element) -> Key) -> [[Element]] {
    var places: [Key: Int] = [:]
    var result: [Self] = []
    for element in self {
      let place = places[key(element), default: result.count]
      if place == result.count {
        places[key(element)] = place
        result.append([])
      }
      result[place].append(element)
    }
    return result
  }
}
