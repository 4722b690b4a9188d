#!/usr/bin/env python3
"""Writes flags.json, canonical.json and sentencepiece.json, and their rows in expected.json.

The references are `tokenizers` (0.23.3 when the committed files were made) and `sentencepiece`
(0.2.3):

    python3 -m venv venv && venv/bin/pip install tokenizers==0.23.3 sentencepiece==0.2.3
    venv/bin/python Tests/Fixtures/tokenizers/generate.py [tinystories/tokenizer.json]

flags.json is qwen2.json with added tokens of every flag. canonical.json is fallback.json with tokens
that are equal but for normalisation, and merges as strings. Every text here is our own. With the
tokenizer.json of TinyStories-656K its ids are written too; the tokenizer itself is not copied.
"""
import json
import pathlib
import random
import sys
import tempfile

import sentencepiece
from tokenizers import AddedToken, Tokenizer

HERE = pathlib.Path(__file__).parent

# Contents and flags: s special, n normalised, l and r strip left and right, w single word.
ADDED = [
    ("<l>", "sl"), ("<r>", "sr"), ("<lr>", "slr"), ("<w>", "w"), ("abc", "nw"), ("abcd", "n"),
    ("\u1ea1!", "n"), ("\n\n", ""), ("  ", ""), ("ab", "nlr"), ("3 4", "n"), ("<wide w>", "nlrw"),
]
FLAGS = [content for content, _ in ADDED] + [
    " ", "  ", "\u00a0", "\u3000", "\u0085", "\n", "x", "_", "é", "e\u0301", "\u0338", "\u0301",
    "²", "\u200d", "1", "٣", "-", "<|im_end|>", "qux", "foo_bar", "ab", "cd", "\u212b", "a\u0323!",
]
CANONICAL = [
    "é", "e\u0301", "\u0301", "\u212b", "Å", "A\u030a", "\u030a", "\u2126", "Ω", " ", "ก\u0e33",
    "ก", " \u0301", "e", "A", "</s>", "<s>", "river",
]
STORIES = [
    "Once upon a time", "Lily", " ", "  ", "\n", "the", "\u3000", "é", "e\u0301", "<unk>",
    "<|end_story|>", " <|end_story|>", "<|start_story|>", "!", "?!", "42", "1", "👩‍👩‍👧", "中文",
    "▁", "'s", "It isn't", '"Yes", she said.', "\t", "\u0085", "\u0378", "aaaaaaa", "<0x41>", "…",
]
SENTENCES = [
    "A ferry crosses the river every quarter of an hour.",
    "The tide turned, and the boats turned with it.",
    "She counted: one, two, three, and the lamp went out.",
    "Bread, salt and a little oil were all that they had.",
    "Where does the road go when nobody walks on it?",
    "He wrote the letter twice; the second was shorter.",
    "Über den Dächern lag Schnee, und der Fluß war still.",
    "L'été dernier, le café était fermé à midi.",
    "mamma mia, banana, papaya, aaaa, hahaha",
    "It isn't far; they've said that we'll be there by 9:45.",
    "x = (a + b) * 12; y[3] = f(x)",
    "Две лодки и три сестры на берегу.",
    "川の向こうに町がある。",
]


def save(value, name):
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    (HERE / name).write_text(text, encoding="utf-8")


def write_flags():
    tokenizer = Tokenizer.from_file(str(HERE / "qwen2.json"))
    for content, flags in ADDED:
        token = AddedToken(
            content, single_word="w" in flags, lstrip="l" in flags, rstrip="r" in flags,
            normalized="n" in flags, special="s" in flags)
        add = tokenizer.add_special_tokens if "s" in flags else tokenizer.add_tokens
        add([token])
    save(json.loads(tokenizer.to_str()), "flags.json")


def write_canonical():
    file = json.loads((HERE / "fallback.json").read_text(encoding="utf-8"))
    vocabulary = file["model"]["vocab"]
    spellings = [
        "é", "\u0301", "e\u0301", "\u212b", "Å", "A\u030a", "\u030a", "\u2126", "Ω", "A",
        "▁\u0301", "\u0e33", "ก", "ก\u0e33",
    ]
    for spelling in spellings:
        vocabulary.setdefault(spelling, max(vocabulary.values()) + 1)
    merges = [["e", "\u0301"], ["A", "\u030a"], ["▁", "\u0301"], ["ก", "\u0e33"]]
    file["model"]["merges"] = [" ".join(pair) for pair in file["model"]["merges"] + merges]
    for token in file["added_tokens"]:
        token["normalized"] = token["content"] == "</s>"
    save(file, "canonical.json")


def texts(rng, parts, length):
    joined = ["".join(rng.choice(parts) for _ in range(rng.randrange(2, length))) for _ in range(40)]
    return list(dict.fromkeys(parts + joined))


def long_texts():
    rng = random.Random(3)
    syllables = "the riv er an d in g s t a aa é o le re on boat x".split()
    return [
        "a" * 301,
        "".join(rng.choice(syllables) for _ in range(90)),
        "".join(rng.choice("etaoinshr") for _ in range(200)),
        " " * 150 + "x" + "!?" * 70,
    ]


def rows(path, strings):
    tokenizer = Tokenizer.from_file(str(path))
    result = []
    for text in strings:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        result.append({
            "text": text, "ids": ids, "special": tokenizer.encode(text).ids,
            "decoded": tokenizer.decode(ids, skip_special_tokens=False),
        })
    return result


def write_expected(stories):
    expected = json.loads((HERE / "expected.json").read_text(encoding="utf-8"))
    rng = random.Random(11)
    flags = ["<|im_end|>\u0338"] + texts(rng, FLAGS, 7)
    expected["flags"] = rows(HERE / "flags.json", flags)
    expected["canonical"] = rows(HERE / "canonical.json", texts(rng, CANONICAL, 8))
    if stories:
        expected["tinystories"] = rows(stories, texts(rng, STORIES, 7))
    for name in ("gpt2", "digits", "llama3", "qwen2", "fallback", "flags", "canonical"):
        known = {row["text"] for row in expected[name]}
        new = [text for text in long_texts() if text not in known]
        expected[name] += rows(HERE / f"{name}.json", new)
    save(expected, "expected.json")


def write_sentencepiece():
    rng = random.Random(1)
    corpus = "\n".join(" ".join(rng.choice(SENTENCES) for _ in range(4)) for _ in range(300))
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "corpus.txt").write_text(corpus, encoding="utf-8")
        sentencepiece.SentencePieceTrainer.train(
            input=f"{folder}/corpus.txt", model_prefix=f"{folder}/model", vocab_size=600,
            model_type="bpe", byte_fallback=True, normalization_rule_name="identity",
            remove_extra_whitespaces=False, character_coverage=0.9995, split_digits=True,
            max_sentence_length=100_000, allow_whitespace_only_pieces=True, minloglevel=2)
        model = sentencepiece.SentencePieceProcessor(model_file=f"{folder}/model.model")
    count = range(model.get_piece_size())

    def kind(piece):
        if model.is_unknown(piece):
            return 2
        if model.is_control(piece):
            return 3
        return 6 if model.is_byte(piece) else 5 if model.is_unused(piece) else 1

    rng = random.Random(5)
    parts = [
        "the ", " ", "  ", "   ", "a", "aa", "aaa", "aaaa", "é", "e\u0301", "中", "👩‍👩‍👧", "\n",
        "\t", "\r\n", "123", "▁", "<0x41>", "'s", "...", "\u0085", "\u2028", "ü", "ß", "İ",
        "\u0378", "x\u00a0y",
    ]
    words = corpus.split()
    strings = ["a", " ", "  a", " a ", "\n", "aaaaaaaaaaaaaaa", "a▁b"]
    while len(strings) < 70:
        strings.append("".join(
            rng.choice(parts) if rng.random() < 0.5 else rng.choice(words) + rng.choice(["", "", " "])
            for _ in range(rng.randrange(2, 9))))
    save({
        "tokens": [model.id_to_piece(piece) for piece in count],
        "scores": [model.get_score(piece) for piece in count],
        "types": [kind(piece) for piece in count],
        "rows": [{"text": text, "ids": model.encode(text)} for text in strings],
    }, "sentencepiece.json")


if __name__ == "__main__":
    write_flags()
    write_canonical()
    write_expected(sys.argv[1] if len(sys.argv) > 1 else None)
    write_sentencepiece()
