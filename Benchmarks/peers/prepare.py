"""prepare.py GGUF TEXT TOKENIZE FOLDER: what the peers compute with, from the GGUF that Imprint converts.

TOKENIZE is the command that turns {"text": …} lines into {"ids": …} lines.
"""

import json
import os
import shlex
import subprocess
import sys

import gguf
import numpy as np

from problem import LINEARS, NORMS


def half_split(rows, heads):
    """Rows of q or k from the order of interleaved rotary pairs to that of half-split ones."""
    out, width = rows.shape
    return rows.reshape(heads, out // heads // 2, 2, width).transpose(0, 2, 1, 3).reshape(out, width)


def main(source, text, tokenize, folder):
    reader = gguf.GGUFReader(source)
    tensors = {tensor.name: tensor for tensor in reader.tensors}

    def value(key):
        return reader.fields["llama." + key].contents()

    def dense(name, heads=None):
        tensor = tensors[name]
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        values = values.astype(np.float32).reshape([int(n) for n in tensor.shape][::-1])
        return half_split(values, heads) if heads else values

    layers, hidden = value("block_count"), value("embedding_length")
    heads, groups = value("attention.head_count"), value("attention.head_count_kv")
    arrays = {"embed": lambda: dense("token_embd.weight"), "norm": lambda: dense("output_norm.weight")}
    if "output.weight" in tensors:
        arrays["head"] = lambda: dense("output.weight")
    permuted = {"attn_q": heads, "attn_k": groups}
    for ours, theirs in (LINEARS | NORMS).items():
        arrays[ours] = lambda theirs=theirs: np.stack(
            [dense(f"blk.{i}.{theirs}.weight", permuted.get(theirs)) for i in range(layers)]
        )
    os.makedirs(folder, exist_ok=True)
    shapes = {}
    for name, make in arrays.items():
        array = make()
        array.tofile(os.path.join(folder, name + ".f32"))
        shapes[name] = list(array.shape)
    with open(text) as file:
        line = json.dumps({"text": file.read()}) + "\n"
    answer = subprocess.run(
        shlex.split(tokenize), input=line, text=True, check=True, stdout=subprocess.PIPE
    )
    with open(os.path.join(folder, "tokens.json"), "w") as file:
        json.dump(json.loads(answer.stdout)["ids"], file)
    # Last: a folder with model.json is whole.
    with open(os.path.join(folder, "model.json"), "w") as file:
        json.dump(
            {
                "layers": layers,
                "hidden": hidden,
                "heads": heads,
                "groups": groups,
                "head_dim": hidden // heads,
                "vocabulary": shapes["embed"][0],
                "epsilon": float(value("attention.layer_norm_rms_epsilon")),
                "theta": float(value("rope.freq_base")),
                "tied": "output.weight" not in tensors,
                "arrays": shapes,
            },
            file,
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
