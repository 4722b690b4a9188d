/// The words that datasets are made of, each list cut into a part for training and one for testing.
///
/// Every fourth entry of a list is for testing: names, places and answers of test tasks never
/// appear in training tasks.
struct Vocabulary {
  /// Which part.
  let forTest: Bool

  private func part(_ words: String) -> [String] {
    words.split(separator: ",").map { $0.trimmingPrefix(" ") }.enumerated()
      .filter { ($0.offset % 4 == 3) == forTest }.map { String($0.element) }
  }

  // Names are put together from parts, so that there are tens of thousands of them.
  var firstStarts: [String] {
    part(
      "Mir, Sol, Tav, Ans, Bel, Cor, Dal, Ed, Fen, Gar, Hal, Is, Jor, Kel, Lor, Mar, Nad, Os, Per, Quin, Ros, Sab, Tor, Ul, Vel, Wil, Xan, Yor, Zel, Alb, Bran, Cas, Dor, El, Fal, Gwen, Hest, Ing, Jul, Kas, Lin, Mor, Nor, Od, Pal, Rand, Sel, Thad"
    )
  }
  var firstEnds: [String] {
    part(
      "a, en, is, ora, wyn, eth, or, ina, us, elle, ic, ona, ard, ette, o, ya, in, olf, ima, er, ias, une, ot, arre"
    )
  }
  var lastStarts: [String] {
    part(
      "Sol, Brack, Cald, Den, Ever, Fair, Gren, Hol, Iver, Jas, Kirk, Lang, Mere, North, Oak, Pem, Quill, Rav, Stan, Thorn, Under, Val, Wake, Yar, Ash, Black, Crom, Dray, Elder, Ferr, Gold, Harrow, Ink, Just, Kett, Lark, Marsh, Nether, Orm, Pell"
    )
  }
  var lastEnds: [String] {
    part(
      "enne, wood, er, ham, ley, ridge, ston, field, by, more, well, grave, ford, ing, croft, ard, sby, wick, mond, ick, burn, shaw, dale, land"
    )
  }
  var placeStarts: [String] {
    part(
      "Dun, Bright, Carr, Ester, Fallow, Green, High, Kings, Lind, Mill, Nor, Old, Port, Raven, Silver, Tarn, Wester, Alder, Birch, Cold, Drum, East, Frost, Grim, Heather, Iron, Juniper, Kil, Loch, Moss"
    )
  }
  var placeEnds: [String] {
    part(
      "more, haven, mouth, bridge, ton, vale, gate, cliff, stead, borough, quay, holm, worth, minster, wick, pool, ness, fell, garth, combe"
    )
  }
  var professions: [String] {
    part(
      "lighthouse keeper, clockmaker, beekeeper, baker, surgeon, violin teacher, translator, bridge engineer, gardener, locksmith, botanist, ferry captain, librarian, tailor, puppeteer, geologist, potter, judge, blacksmith, cartographer, chemist, dentist, falconer, glassblower, shepherd, jeweller, carpenter, pilot, printer, sculptor, archivist, vet, stonemason, watch repairer, miller, midwife, ranger, astronomer, bookbinder, accountant"
    )
  }
  var fears: [String] {
    part(
      "horses, spiders, thunder, deep water, geese, heights, moths, snakes, dogs, mirrors, clowns, bees, elevators, owls, fire, crowds, needles, cats, ladders, bats, tunnels, bridges, swans, ghosts, wasps, rats, ships, wolves, frogs, crows, darkness, mice, fog, bulls, trains, jellyfish, goats, storms, caves, sharks"
    )
  }
  var colours: [String] {
    part(
      "blue, green, red, yellow, purple, white, black, silver, golden, orange, pink, grey, brown, crimson, amber, turquoise, violet, copper, ivory, scarlet"
    )
  }
  var collectedThings: [String] {
    part(
      "bottles, stamps, keys, buttons, teapots, postcards, coins, shells, masks, feathers, maps, spoons, bells, marbles, clocks, ribbons, stones, candles, umbrellas, matchboxes, medals, lamps, ticket stubs, gloves, thimbles, baskets, kites, hats, pencils, tins"
    )
  }
  var instruments: [String] {
    part(
      "violin, flute, trumpet, cello, accordion, harp, banjo, piano, clarinet, drums, oboe, guitar, organ, trombone, mandolin, bagpipes, saxophone, lute, tuba, zither, fiddle, harmonica, bassoon, ukulele"
    )
  }
  var foods: [String] {
    part(
      "plum cake, lentil soup, smoked trout, pickled onions, apple pie, goat cheese, roast duck, mushroom stew, rye bread, lemon tart, fried eggs, cabbage rolls, pea soup, honey cake, grilled sardines, rice pudding, potato pancakes, beetroot salad, ginger biscuits, chestnut soup, pear jam, oat porridge, leek pie, stuffed peppers, walnut bread, tomato soup, baked beans, fish stew"
    )
  }
  var pets: [String] {
    part(
      "parrot, tortoise, goat, ferret, rabbit, hedgehog, raven, donkey, lizard, goose, hamster, piglet, owl, pony, squirrel, otter, canary, toad, lamb, fox, pigeon, hen, newt, weasel"
    )
  }
  var languages: [String] {
    part(
      "Danish, Greek, Basque, Finnish, Welsh, Turkish, Polish, Latin, Swahili, Korean, Catalan, Czech, Hindi, Irish, Maltese, Dutch, Arabic, Estonian, Hebrew, Breton, Persian, Swedish, Tamil, Hungarian"
    )
  }
  var hobbies: [String] {
    part(
      "fencing, baking, chess, rowing, pottery, juggling, archery, knitting, stargazing, skating, wrestling, sailing, carving, painting, cycling, gardening, swimming, dancing, fishing, climbing, boxing, weaving, running, singing"
    )
  }
  var traits: [String] {
    part(
      "patient, stubborn, cheerful, shy, generous, restless, careful, proud, witty, gloomy, honest, dreamy, punctual, forgetful, brave, curious, gentle, thrifty, calm, talkative, modest, clumsy, strict, tidy"
    )
  }
}
