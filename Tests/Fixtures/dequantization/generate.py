#!/usr/bin/env python3
"""Writes blocks.safetensors: random blocks of every stored type and what they mean in f32.

The reference is the `gguf` package (0.19.0 when the committed file was made):

    python3 -m venv venv && venv/bin/pip install gguf==0.19.0
    venv/bin/python Tests/Fixtures/dequantization/generate.py

For each type T there are `T.blocks` (U8) and `T.values` (F32).
"""
import json
import pathlib
import struct

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as Q
from gguf.quants import dequantize

ELEMENTS = 1024
# Where the f16 scales and minima of a block are, in bytes.
SCALES = {
    Q.Q8_0: [0], Q.Q4_0: [0], Q.Q4_1: [0, 2], Q.Q5_0: [0], Q.Q5_1: [0, 2],
    Q.Q4_K: [0, 2], Q.Q5_K: [0, 2], Q.Q6_K: [208],
}


def main():
    random = np.random.default_rng(20240607)
    tensors = {}
    for kind, places in SCALES.items():
        elements, size = GGML_QUANT_SIZES[kind]
        blocks = random.integers(0, 256, (ELEMENTS // elements, size), dtype=np.uint8)
        for number, block in enumerate(blocks):
            for place in places:
                scale = np.float16(random.normal() * 0.05)
                if number == 0:
                    scale = np.float16(3e-6)  # subnormal
                if number == 1:
                    scale = np.float16(-60000)
                block[place:place + 2] = np.frombuffer(scale.tobytes(), np.uint8)
        values = dequantize(blocks.reshape(1, -1), kind).astype("<f4").reshape(-1)
        assert values.size == ELEMENTS and np.isfinite(values).all()
        tensors[kind.name.lower() + ".blocks"] = blocks.reshape(-1)
        tensors[kind.name.lower() + ".values"] = values
    header, data = {}, b""
    for name, array in tensors.items():
        raw = array.tobytes()
        header[name] = {
            "dtype": "U8" if array.dtype == np.uint8 else "F32",
            "shape": list(array.shape), "data_offsets": [len(data), len(data) + len(raw)],
        }
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path = pathlib.Path(__file__).with_name("blocks.safetensors")
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


main()
