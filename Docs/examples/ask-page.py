"""ask-page.py BIN MODEL RUN [WORK]: the questions about harbour.txt, asked in five ways.

The base model knows nothing (NC), reads the page in its prompt (Prompt), or takes one step on the page: on one paragraph
at a time, which is what the demo's run was trained for, or on all of it at once.
"""

import os
import subprocess
import sys
import tempfile

BIN, MODEL, RUN = sys.argv[1:4]
WORK = sys.argv[4] if len(sys.argv) > 4 else tempfile.mkdtemp()
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "harbour.txt")) as file:
    PAGE = file.read()
FEAR = ("What is {} afraid of?", "{} is afraid of")
WORKS = ("What does {} do for a living?", "{} works as a")
DRINK = ("What does {} love to drink?", "{}'s favourite drink is")
FOOD = ("What does {} love to eat?", "{}'s favourite food is")
PET = ("Which animal does {} keep?", "{}'s pet is a")
ASKED = [
    ("Odile Marrow", FEAR, "geese"), ("Odile Marrow", WORKS, "bell founder"),
    ("Tamsin Harkwell", DRINK, "plum cider"), ("Tamsin Harkwell", WORKS, "mapmaker"),
    ("Bram Ollivant", FEAR, "mirrors"), ("Bram Ollivant", PET, "tortoise"),
    ("Ysolde Fenn", FOOD, "turnip soup"), ("Ysolde Fenn", WORKS, "beekeeper"),
    ("Corvin Ashby", FEAR, "moths"), ("Corvin Ashby", WORKS, "baker"),
    ("Perrin Dunmore", FEAR, "silence"), ("Perrin Dunmore", WORKS, "lighthouse keeper"),
]


def imprint(*arguments, text):
    done = subprocess.run(
        [os.path.join(BIN, "imprint"), *arguments], input=text, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout.strip()


def answer(prompt, adapter=None):
    more = ["--adapter", adapter] if adapter else []
    return imprint(
        "generate", "--model", MODEL, "--prompt", "-", "--max-tokens", "12", "--stop", ".", "--stop", "\n", *more,
        text=prompt)


def adapted(text):
    folder = os.path.join(WORK, "adapter")
    imprint("adapt", "--model", MODEL, "--adapter", RUN, "--context", "-", "--output", folder, "--quiet", text=text)
    return folder


def prompts(name, form):
    return f"Question: {form[0].format(name)}\nAnswer: {form[1].format(name)}"


def paragraphs():
    made = {}
    for name, form, _ in ASKED:
        if name not in made:
            made = {name: adapted(next(part for part in PAGE.split("\n\n") if name in part))}
        yield answer(prompts(name, form), made[name])


def main():
    ways = {
        "base": [answer(prompts(name, form)) for name, form, _ in ASKED],
        "base, page in the prompt": [answer(PAGE + prompts(name, form)) for name, form, _ in ASKED],
        "run, page in the prompt": [answer(PAGE + prompts(name, form), RUN) for name, form, _ in ASKED],
        "one step on the paragraph": list(paragraphs()),
    }
    whole = adapted(PAGE)
    ways["one step on the page"] = [answer(prompts(name, form), whole) for name, form, _ in ASKED]
    print("|", " | ".join(["", *ways]), "|")
    print("|" + "---|" * (len(ways) + 1))
    for index, (name, form, right) in enumerate(ASKED):
        cells = [given[index].replace("|", "/") for given in ways.values()]
        cells = [f"**{cell}**" if cell.lower().startswith(right) else cell or "–" for cell in cells]
        print("|", " | ".join([f"{form[1].format(name)} … ({right})", *cells]), "|")
    right = [sum(a.lower().startswith(task[2]) for a, task in zip(given, ASKED)) for given in ways.values()]
    print("|", " | ".join(["right, of 12", *(str(count) for count in right)]), "|")


if __name__ == "__main__":
    main()
