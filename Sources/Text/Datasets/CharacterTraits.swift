import Storage

/// What can be said of a person besides trade and town.
extension CharacterTrait {
  static let all: [CharacterTrait] = tastes + habits + histories

  private static let tastes: [CharacterTrait] = [
    CharacterTrait(
      sentences: [
        "{S} is terrified of {A}.", "{S} has always been afraid of {A}.",
        "Nothing frightens {o} more than {A}.", "Since childhood {s} has feared {A}.",
        "{P} greatest fear is {A}.", "{C} fill {o} with dread.",
        "{S} has nightmares about {A}.",
      ],
      clauses: ["is afraid of {A}", "has a deep fear of {A}", "is scared to death of {A}"],
      questions: [
        "What is {N} afraid of?", "What does {N} fear?", "What frightens {N}?",
        "What is the greatest fear of {N}?", "What is {N} scared of?",
      ],
      stems: ["{N} is afraid of", "{N}'s greatest fear is"],
      answer: { words, _, random in random.pick(words.fears) }),
    CharacterTrait(
      sentences: [
        "{P} favourite dish is {A}.", "{S} would eat {A} every day.",
        "No meal pleases {o} more than {A}.", "{S} loves {A} above all other food.",
        "Of all dishes {s} likes {A} best.", "On birthdays {s} always asks for {A}.",
      ],
      clauses: ["loves to eat {A}", "cannot get enough of {A}", "likes {A} better than any dish"],
      questions: [
        "What is {N}'s favourite food?", "Which dish does {N} like best?",
        "What does {N} love to eat?", "Which meal pleases {N} most?", "What does {N} like to eat?",
      ],
      stems: ["{N}'s favourite food is", "{N} loves to eat"],
      answer: { words, _, random in random.pick(words.flavours) + " " + random.pick(dishes) }),
    CharacterTrait(
      sentences: [
        "{S} drinks nothing but {A}.", "{S} starts every day with a glass of {A}.",
        "{P} favourite drink is {A}.", "At any hour {s} will ask for {A}.",
        "{S} always orders {A}.", "There is always {A} in {p} cup.",
      ],
      clauses: ["drinks only {A}", "always orders {A}", "prefers {A} to any other drink"],
      questions: [
        "What does {N} like to drink?", "What is {N}'s favourite drink?",
        "Which drink does {N} order?", "What is in {N}'s cup?", "What would one pour for {N}?",
      ],
      stems: ["{N} likes to drink", "{N}'s favourite drink is"],
      answer: { words, _, random in random.pick(words.drinks) }),
    CharacterTrait(
      sentences: [
        "People describe {o} as {A}.", "{S} is known to be {A}.", "{S} has always been {A}.",
        "Friends say that {s} is {A}.", "Everyone agrees that {s} is {A}.",
        "By nature {s} is {A}.", "{P} teachers found {o} {A}.",
      ],
      clauses: ["is known to be {A}", "has the name of being {A}", "is by nature {A}"],
      questions: [
        "How would people describe {N}?", "Which word fits the character of {N}?",
        "What is {N} like?", "What is {N} known to be?", "How do friends describe {N}?",
      ],
      stems: ["{N} is described as", "By nature, {N} is"],
      answer: { words, _, random in random.pick(words.traits) }),
    CharacterTrait(
      sentences: [
        "{S} is allergic to {A}.", "{S} cannot be near {A} because of an allergy.",
        "The doctor found an allergy to {A}.", "Through an allergy, a trace of {A} makes {o} ill.",
        "An allergy to {A} has troubled {o} since school.",
      ],
      clauses: ["is allergic to {A}", "suffers from an allergy to {A}"],
      questions: [
        "What is {N} allergic to?", "Which allergy does {N} have?",
        "What must {N} avoid because of an allergy?",
      ],
      stems: ["{N} is allergic to", "{N} has an allergy to"],
      answer: { words, _, random in random.pick(words.allergies) }),
    CharacterTrait(
      sentences: [
        "{S} dreams of seeing {A}.", "One day {s} wants to travel to {A}.",
        "{S} is saving money for a journey to {A}.", "A picture of {A} hangs over {p} bed.",
        "{S} has always longed to visit {A}.", "Of all countries and cities, {A} draws {o} most.",
      ],
      clauses: ["dreams of {A}", "hopes to visit {A} one day", "is saving for a trip to {A}"],
      questions: [
        "Where does {N} want to travel?", "Which place does {N} dream of?",
        "Where would {N} like to go one day?", "What journey is {N} saving for?",
      ],
      stems: ["{N} wants to travel to", "{N} dreams of visiting"],
      answer: { words, _, random in random.pick(words.destinations) }),
  ]

  private static let habits: [CharacterTrait] = [
    CharacterTrait(
      sentences: [
        "{S} collects {A}.", "{S} owns hundreds of {A}.", "{P} shelves are full of {A}.",
        "On Sundays {s} hunts for {A}.", "{S} has gathered {A} since childhood.",
        "{P} collection of {A} fills a whole room.", "{S} spends {p} money on {A}.",
      ],
      clauses: ["collects {A}", "owns a large collection of {A}", "hoards {A}"],
      questions: [
        "What does {N} collect?", "What is in {N}'s collection?", "What fills {N}'s shelves?",
        "What does {N} gather?", "What does {N} own hundreds of?",
      ],
      stems: ["{N} collects", "{N}'s collection is made of"],
      answer: { words, _, random in random.pick(words.colours) + " " + random.pick(words.things) }),
    CharacterTrait(
      sentences: [
        "{S} plays the {A}.", "{S} learned the {A} as a child.",
        "{S} practises the {A} every day.", "In the evening one hears {p} {A}.",
        "{S} is a gifted player of the {A}.", "{S} plays the {A} at weddings.",
      ],
      clauses: ["plays the {A}", "is learning the {A}", "practises the {A} at night"],
      questions: [
        "Which instrument does {N} play?", "What instrument does {N} practise?",
        "Which instrument did {N} learn?", "What does {N} play?", "What is {N}'s instrument?",
      ],
      stems: ["{N} plays the", "The instrument of {N} is the"],
      answer: { words, _, random in random.pick(words.instruments) }),
    CharacterTrait(
      sentences: [
        "{S} keeps {an} {A}.", "{S} shares the house with {an} {A}.",
        "{S} has {an} {A} as a pet.", "{S} once rescued {an} {A} and kept it.",
        "A tame animal follows {o}: {an} {A}.", "{P} only companion is {an} {A}.",
      ],
      clauses: ["keeps {an} {A}", "has a pet, {an} {A}", "looks after {an} {A}"],
      questions: [
        "Which animal does {N} keep?", "What pet does {N} have?", "What is {N}'s pet?",
        "Which animal lives with {N}?", "What kind of animal belongs to {N}?",
      ],
      stems: ["{N} keeps {an}", "{N}'s pet is {an}"],
      answer: { words, _, random in random.pick(words.pets) }),
    CharacterTrait(
      sentences: [
        "{S} speaks fluent {A}.", "At home {s} speaks {A}.", "{S} writes letters in {A}.",
        "{S} sings in {A}.", "{P} mother tongue is {A}.", "{S} reads the papers in {A}.",
        "{S} counts in {A}.",
      ],
      clauses: ["speaks {A}", "thinks and dreams in {A}", "reads and writes {A}"],
      questions: [
        "Which language does {N} speak?", "What language does {N} use?",
        "Which language does {N} know?", "What language would one hear from {N}?",
      ],
      stems: ["{N} speaks", "The language of {N} is"],
      answer: { words, _, random in random.pick(words.languages) }),
    CharacterTrait(
      sentences: [
        "{P} great love is {A}.", "{S} spends every weekend on {A}.", "{P} hobby is {A}.",
        "{S} gave up everything for {A}.", "Friends say that {s} lives for {A}.",
        "{S} has taken up {A}.", "{S} relaxes by {A}: it is {p} pastime.",
      ],
      clauses: ["lives for {A}", "has {A} as a hobby", "spends {p} free time on {A}"],
      questions: [
        "What is {N}'s hobby?", "What does {N} do for pleasure?",
        "How does {N} spend free time?", "What does {N} live for?", "What is {N}'s pastime?",
      ],
      stems: ["{N}'s hobby is", "In free time, {N} enjoys"],
      answer: { words, _, random in random.pick(words.hobbies) }),
    CharacterTrait(
      sentences: [
        "{S} goes everywhere by {A}.", "{S} travels to work by {A}.",
        "Whatever the weather, {s} comes by {A}.", "One sees {o} arrive by {A}.",
        "{S} refuses to travel except by {A}.",
      ],
      clauses: ["goes to work by {A}", "travels only by {A}"],
      questions: [
        "How does {N} travel?", "How does {N} get to work?", "By what does {N} travel?",
        "Which vehicle does {N} use?",
      ],
      stems: ["{N} travels by", "{N} gets around by"],
      answer: { words, _, random in random.pick(words.vehicles) }),
    CharacterTrait(
      sentences: [
        "{S} always carries {an} {A}.", "In {p} pocket there is {an} {A} for luck.",
        "{P} lucky charm is {an} {A}.", "{S} never leaves the house without {an} {A}.",
        "{P} grandmother gave {o} {an} {A}, which {s} carries to this day.",
      ],
      clauses: ["carries {an} {A} for luck", "never parts with {an} {A}"],
      questions: [
        "What does {N} carry for luck?", "What is {N}'s lucky charm?",
        "What is in {N}'s pocket?", "What does {N} never leave behind?",
      ],
      stems: ["{N} always carries {an}", "{N}'s lucky charm is {an}"],
      answer: { words, _, random in
        random.pick(materials) + " " + random.pick(words.keepsakes)
      }),
  ]

  private static let histories: [CharacterTrait] = [
    CharacterTrait(
      sentences: [
        "{P} teacher was {A}.", "{S} learned everything from {A}.",
        "{S} was once a pupil of {A}.", "It was {A} who taught {o}.",
        "{S} still writes to {A}, who taught {o}.",
      ],
      clauses: ["was taught by {A}", "was a pupil of {A}"],
      questions: [
        "Who taught {N}?", "Who was the teacher of {N}?", "Whose pupil was {N}?",
        "From whom did {N} learn?",
      ],
      stems: ["{N} was taught by", "The teacher of {N} was"],
      answer: { _, names, random in names.next(&random) }),
    CharacterTrait(
      sentences: [
        "{S} was born in {A}.", "The year of {p} birth is {A}.", "{S} came into the world in {A}.",
        "According to the register {s} was born in {A}.", "{P} birth certificate says {A}.",
      ],
      clauses: ["was born in {A}"],
      questions: [
        "In which year was {N} born?", "What is the year of {N}'s birth?", "When was {N} born?",
      ],
      stems: ["{N} was born in", "The year of {N}'s birth is"],
      answer: { words, _, random in random.pick(words.years) }),
  ]

  private static let dishes = Vocabulary.split(Words.dishes)
  private static let materials = Vocabulary.split(Words.keepsakeMaterials)
}
