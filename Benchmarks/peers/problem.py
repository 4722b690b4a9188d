"""The problem that all peers solve: weights, adapter, tokens, and how a peer is talked to.

A prepared folder holds

    model.json          sizes of the model and the list of arrays
    NAME.f32            one array, raw little-endian f32; a block's arrays are stacked over blocks
    tokens.json         one long list of token ids of real text
"""

import json
import os
import sys
import time

import numpy as np

LINEARS = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
NORMS = {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"}
RESPONSE = 8  # tokens that the outer loss scores
SCALE = 2.0  # alpha / rank


class Model:
    """Sizes of a Llama model, and its arrays in f32."""

    def __init__(self, folder):
        with open(os.path.join(folder, "model.json")) as file:
            description = json.load(file)
        self.folder = folder
        self.shapes = description.pop("arrays")
        self.__dict__.update(description)
        # layers, hidden, heads, groups, head_dim, vocabulary, epsilon, theta, tied

    def arrays(self):
        """Name and array, one at a time: embed, norm, head where it is untied, and stacks of blocks."""
        for name, shape in self.shapes.items():
            path = os.path.join(self.folder, name + ".f32")
            yield name, np.fromfile(path, np.float32).reshape(shape)

    def rotation(self, count):
        """Cosines and sines of the rotary angles, (count, head_dim / 2) each."""
        powers = np.arange(0, self.head_dim, 2) / self.head_dim
        angles = np.outer(np.arange(count), self.theta**-powers)
        return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)

    def adapter(self, rank, seed=0):
        """The adapter before the step, as short names: A of variance 1 / in, B of deviation 0.02."""
        random = np.random.default_rng(seed)
        tensors = {}
        for layer in range(self.layers):
            for name in LINEARS:
                _, out, width = self.shapes[name]
                a = random.standard_normal((rank, width)) / np.sqrt(width)
                b = random.standard_normal((out, rank)) * 0.02
                tensors[f"layers.{layer}.{name}.lora_A"] = a.astype(np.float32)
                tensors[f"layers.{layer}.{name}.lora_B"] = b.astype(np.float32)
        return tensors

    def tasks(self, batch, context, query):
        """Token ids of `batch` tasks: the context, and query with response."""
        with open(os.path.join(self.folder, "tokens.json")) as file:
            tokens = json.load(file)
        need = batch * (context + query)
        tokens = tokens * -(-need // len(tokens))
        rows = [tokens[i * (context + query) :][: context + query] for i in range(batch)]
        return [(row[:context], row[context:]) for row in rows]


def learning_rate(inner, parameters):
    """Of the inner step: small enough for every variant to stay in its linear range."""
    return {"lora": 0.1, "linear": 0.05, "all": 0.01}[inner if inner == "lora" else parameters]


def write_safetensors(path, tensors):
    """Writes f32 arrays; the format is a length, a JSON header and the bytes."""
    header, offset = {}, 0
    for name, value in tensors.items():
        header[name] = {
            "dtype": "F32",
            "shape": list(value.shape),
            "data_offsets": [offset, offset + value.nbytes],
        }
        offset += value.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path + ".partial", "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for value in tensors.values():
            file.write(np.ascontiguousarray(value, np.float32).tobytes())
    os.replace(path + ".partial", path)


def read_safetensors(path):
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        header.pop("__metadata__", None)
        data = file.read()
    tensors = {}
    for name, entry in header.items():
        start, end = entry["data_offsets"]
        assert entry["dtype"] == "F32", (path, name)
        tensors[name] = np.frombuffer(data[start:end], np.float32).reshape(entry["shape"])
    return tensors


def serve(step, gradient, **facts):
    """Answers every line of standard input with a line of JSON, as `imprint-bench` does it too.

    step() computes the gradient and returns when it is there, with the two losses where they are
    known; gradient() gives it as arrays under short names.
    """
    print(json.dumps({"ready": True, **facts}), flush=True)
    for line in sys.stdin:
        command, _, path = line.strip().partition(" ")
        if command == "step":
            start = time.perf_counter()
            step()
            print(json.dumps({"seconds": time.perf_counter() - start}), flush=True)
        else:
            write_safetensors(path, gradient())
            print(json.dumps({"saved": True}), flush=True)
