/// The lists that datasets are made of, written for this purpose.
enum Words {
  // Names and places are put together from two parts, so that there are thousands of them.
  static let firstStarts = """
    Mir, Sol, Tav, Ans, Bel, Cor, Dal, Ed, Fen, Gar, Hal, Is, Jor, Kel, Lor, Mar, Nad, Os, Per, \
    Quin, Ros, Sab, Tor, Ul, Vel, Wil, Xan, Yor, Zel, Alb, Bran, Cas, Dor, El, Fal, Gwen, Hest, \
    Ing, Jul, Kas, Lin, Mor, Nor, Od, Pal, Rand, Sel, Thad, Am, Bert, Cl, Dan, Em, Flor, Greg, \
    Hel, Ir, Jan, Kat, Leon, Mat, Nel, Ol, Phil, Rom, Stell, Tam, Urs, Vin, Win
    """
  static let firstEnds = """
    a, en, is, ora, wyn, eth, or, ina, us, elle, ic, ona, ard, ette, o, ya, in, olf, ima, er, \
    ias, une, ot, arre, ander, iel, essa, ivo, ura, een, imir, anda
    """
  static let lastStarts = """
    Sol, Brack, Cald, Den, Ever, Fair, Gren, Hol, Iver, Jas, Kirk, Lang, Mere, North, Oak, Pem, \
    Quill, Rav, Stan, Thorn, Under, Val, Wake, Yar, Ash, Black, Crom, Dray, Elder, Ferr, Gold, \
    Harrow, Ink, Just, Kett, Lark, Marsh, Nether, Orm, Pell, Ren, Salt, Tull, Ux, Vand, Whit, \
    Ald, Bram, Cope, Dun, Ess, Frid, Gand, Hask, Ist, Jorr, Kemp, Lind, Mund, Nock
    """
  static let lastEnds = """
    enne, wood, er, ham, ley, ridge, ston, field, by, more, well, grave, ford, ing, croft, ard, \
    sby, wick, mond, ick, burn, shaw, dale, land, worth, ovic, strom, amy, otti, ingham, ersen, oux
    """
  static let placeStarts = """
    Dun, Bright, Carr, Ester, Fallow, Green, High, Kings, Lind, Mill, Nor, Old, Port, Raven, \
    Silver, Tarn, Wester, Alder, Birch, Cold, Drum, East, Frost, Grim, Heather, Iron, Juniper, \
    Kil, Loch, Moss, Amber, Broad, Crag, Dove, Elm, Fern, Gull, Hazel, Inver, Jack, Knock, Larch, \
    Mar, Nettle, Otter, Pine, Quarry, Rush, Sand, Thistle, Ulls, Vine, Willow, Yew, Ash, Beck, \
    Clay, Daw, Eagle, Fox, Glen, Hart, Lang, Maple, Oaken, Pebble, Rook, Stone, Trout, Wind
    """
  static let placeEnds = """
    more, haven, mouth, bridge, ton, vale, gate, cliff, stead, borough, quay, holm, worth, \
    minster, wick, pool, ness, fell, garth, combe, brook, hurst, bury, moor, thorpe, firth, \
    market, landing, wold, hollow, cross, leigh, down, reach, weir, strand
    """
  /// Crafts that have no object in their names.
  static let professions = """
    lighthouse keeper, beekeeper, baker, surgeon, translator, gardener, locksmith, botanist, \
    ferry captain, librarian, tailor, geologist, potter, judge, blacksmith, cartographer, \
    chemist, dentist, falconer, shepherd, jeweller, carpenter, pilot, printer, sculptor, \
    archivist, vet, stonemason, miller, midwife, ranger, astronomer, bookbinder, accountant, \
    stunt rider, plumber, florist, fisherman, conductor, sailor, miner, lawyer, postman, barber, \
    roofer, cheesemonger, railway guard, zookeeper, weaver, diver, notary, choirmaster, saddler, \
    pharmacist, welder, historian, nurse, interpreter, brewer, ballet teacher, forester, \
    magician, crane operator, hatter, radio announcer, perfumer, swimming instructor, cobbler, \
    mountain guide, meteorologist, sign painter, customs officer, taxidermist, night watchman, \
    chimney sweep, tax inspector, proofreader, museum guard, boat builder, bricklayer
    """
  /// What a craft's object can be: a ``crafts`` word, then one of ``craftRoles``.
  static let crafts = """
    clock, lamp, bell, umbrella, kite, basket, carpet, mirror, button, saddle, barrel, candle, \
    ladder, sail, violin, piano, harp, organ, guitar, flute, cello, accordion, bicycle, tractor, \
    lift, typewriter, camera, telescope, wagon, boiler, doll, puppet, glove, hat, shoe, fan, \
    rope, broom, net, lock, stove, tent, wig, chair, cabinet, window, tile, drum, globe, watch
    """
  static let craftRoles = """
    maker, repairer, dealer, restorer, designer, salesman, inspector, tester
    """
  static let fears = """
    horses, spiders, thunder, deep water, geese, heights, moths, snakes, mirrors, clowns, bees, \
    lifts, owls, open fires, crowds, needles, ladders, bats, tunnels, swans, ghosts, wasps, rats, \
    wolves, frogs, crows, darkness, mice, fog, bulls, jellyfish, caves, sharks, escalators, \
    scarecrows, puppets, lightning, quicksand, cobwebs, eels, hornets, cellars, whirlpools, \
    peacocks, leeches, scorpions, avalanches, beetles, crabs, attics, sirens, balloons, roosters, \
    centipedes, toads, bridges, earthquakes, strangers, vultures, fireworks, hospitals, skeletons
    """
  static let colours = """
    blue, green, red, yellow, purple, white, black, silver, golden, orange, pink, grey, brown, \
    crimson, amber, turquoise, violet, copper, ivory, scarlet, antique, miniature, broken, wooden
    """
  static let things = """
    bottles, stamps, buttons, teapots, postcards, coins, shells, masks, feathers, maps, spoons, \
    marbles, ribbons, candles, umbrellas, matchboxes, medals, lamps, gloves, thimbles, baskets, \
    kites, hats, pencils, tins, keys, bells, clocks, vases, scarves, jugs, plates, badges, dolls, \
    beads, fans, corks, pebbles, lanterns, tiles, combs, brooches, mugs, posters, inkwells, \
    whistles, razors, thermometers, bookmarks, doorknobs, hourglasses, paperweights, toy trains, \
    figurines, cameras, typewriters, globes, spectacles, walking sticks, snow globes
    """
  static let instruments = """
    violin, flute, trumpet, cello, accordion, harp, banjo, piano, clarinet, oboe, guitar, \
    trombone, mandolin, saxophone, lute, tuba, zither, fiddle, harmonica, bassoon, organ, viola, \
    cornet, dulcimer, harpsichord, xylophone, tambourine, piccolo, sitar, bugle, double bass, \
    concertina, marimba, glockenspiel, kettledrum, balalaika, lyre, vibraphone, theremin, \
    hurdy-gurdy, spinet, castanets, bagpipes, panpipes, penny whistle, bongos, cymbals, alphorn
    """
  /// What a dish tastes of: a ``flavours`` word, then one of ``dishes``.
  static let flavours = """
    plum, lentil, trout, onion, apple, duck, mushroom, rye, lemon, cabbage, pea, honey, sardine, \
    potato, beetroot, chestnut, pear, oat, leek, pepper, walnut, tomato, bean, cherry, spinach, \
    carrot, almond, pumpkin, chicken, rhubarb, turnip, barley, apricot, salmon, fennel, quince, \
    parsnip, herring, cheese, corn, raspberry, artichoke, coconut, crab, fig, venison
    """
  static let dishes = "soup, pie, stew, tart, salad, dumplings, pancakes, curry, pudding, bake"
  static let drinks = """
    mint tea, black coffee, apple cider, ginger beer, buttermilk, cocoa, lemonade, tomato juice, \
    barley water, elderflower cordial, green tea, cranberry juice, rice milk, carrot juice, \
    rosehip tea, root beer, oat milk, mulled wine, sparkling water, plum brandy, grape juice, \
    dandelion coffee, coconut water, camomile tea, malt beer, cherry soda, beef broth, iced tea, \
    espresso, kefir, birch sap, nettle tea, pear nectar, tonic water, raspberry syrup, sherry, \
    fennel tea, orange squash, liquorice tea, blackcurrant juice
    """
  static let pets = """
    parrot, tortoise, goat, ferret, rabbit, hedgehog, donkey, lizard, hamster, piglet, pony, \
    squirrel, otter, canary, lamb, fox, pigeon, newt, weasel, hen, raven, beagle, poodle, \
    terrier, greyhound, chameleon, gecko, salamander, cockatoo, magpie, jackdaw, llama, alpaca, \
    mule, sheepdog, kitten, goldfish, carp, iguana, mongoose, raccoon, badger, falcon, dove, \
    starling, tarantula, chinchilla, duckling, calf, dormouse, partridge, heron, stick insect, \
    bulldog, guinea pig, mallard, budgie, turtle
    """
  static let languages = """
    Danish, Greek, Basque, Finnish, Welsh, Turkish, Polish, Latin, Swahili, Korean, Catalan, \
    Czech, Hindi, Irish, Maltese, Dutch, Arabic, Estonian, Hebrew, Breton, Persian, Swedish, \
    Tamil, Hungarian, Japanese, Portuguese, Norwegian, Russian, Thai, Vietnamese, Mongolian, \
    Zulu, Yiddish, Albanian, Armenian, Bengali, Croatian, Galician, Georgian, Icelandic, Kurdish, \
    Latvian, Malay, Nepali, Punjabi, Quechua, Romanian, Serbian, Slovak, Somali, Tibetan, \
    Ukrainian, Urdu, Yoruba, Mandarin, Lithuanian, Slovenian, Bulgarian, Esperanto
    """
  static let hobbies = """
    fencing, baking, rowing, pottery, juggling, archery, knitting, stargazing, skating, \
    wrestling, sailing, carving, painting, cycling, gardening, swimming, dancing, fishing, \
    climbing, boxing, weaving, running, singing, birdwatching, calligraphy, embroidery, \
    photography, origami, kayaking, whittling, quilting, surfing, gliding, ballooning, \
    orienteering, bell-ringing, crochet, genealogy, wood turning, tap dancing, soap making, \
    metal detecting, candle making, mushroom picking, stone skipping, bowling, snorkelling, \
    fossil hunting, karate, golf, weightlifting, acting, crosswords, poetry, skydiving, curling
    """
  static let traits = """
    patient, stubborn, cheerful, shy, generous, restless, careful, proud, witty, gloomy, honest, \
    dreamy, punctual, forgetful, brave, curious, gentle, thrifty, calm, talkative, modest, \
    clumsy, strict, tidy, vain, loyal, nervous, polite, lazy, ambitious, jealous, sensible, \
    greedy, sarcastic, tolerant, cautious, impatient, humble, rude, secretive, romantic, moody, \
    reliable, superstitious, adventurous, absent-minded, competitive, sentimental, suspicious, \
    optimistic, quarrelsome, mischievous, diligent, bossy, tactful, frugal
    """
  static let keepsakeMaterials = """
    brass, silver, wooden, ivory, copper, glass, tin, leather, jade, bone, pewter, clay, steel, \
    marble, iron, porcelain
    """
  static let keepsakes = """
    compass, whistle, ring, locket, thimble, knife, coin, key, button, bell, mirror, comb, \
    snuffbox, medallion, flask, spoon, pin, horseshoe, acorn, feather, chess piece, domino, \
    bracelet, scarab, anchor, bead, cross, box, cup, bird, star, skull, pipe, cog, arrowhead, die, \
    magnifier, tuning fork, padlock, earring
    """
  static let destinations = """
    Iceland, Patagonia, Venice, Kyoto, Morocco, Tasmania, Peru, Norway, Zanzibar, Siberia, \
    Jamaica, Bhutan, Greenland, Cuba, Lisbon, Madagascar, Alaska, Istanbul, Vienna, Samoa, \
    Scotland, Mongolia, Cairo, Hawaii, Naples, Brazil, Kenya, Prague, Tibet, Corsica, Bombay, \
    Antarctica, Bolivia, Sicily, Damascus, Havana, Oslo, Fiji, Timbuktu, Malta, Chile, Ceylon, \
    Bali, Quebec, Seville, Helsinki, Granada, Borneo, Panama, Dublin
    """
  static let allergies = """
    peanuts, pollen, shellfish, strawberries, wool, dust, latex, celery, sesame, garlic, milk, \
    wheat, mustard, cinnamon, pine nuts, kiwis, penicillin, nickel, cat hair, grass, mangoes, \
    soy, oysters, mould, hazelnuts, cashews, oranges, perfume, sunlight, lavender, chlorine, \
    paprika, mussels, lupins, gluten, eggs, aspirin, pineapple, tobacco smoke, cocoa butter, \
    peaches, feather pillows, hay, chocolate, bananas, vinegar
    """
  static let vehicles = """
    bicycle, tram, canoe, motorcycle, tractor, sledge, rowing boat, scooter, milk van, horse cart, \
    taxi, steamboat, rickshaw, tandem, ferry, minibus, skateboard, camper van, unmarked lorry, \
    convertible, raft, hearse, jeep, gondola, snowmobile, delivery truck, double-decker bus, \
    wheelbarrow, night train, cable car, tugboat, limousine, fire engine, moped, cargo plane
    """
}
