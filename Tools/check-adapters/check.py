"""check.py BIN GGUF MODEL WORK: adapters and merged models against PEFT, transformers and llama.cpp.

Every case prints a line; the exit code is 0 when all of them hold. Logits in f32 are compared over 48 tokens:
their relative L2 difference is at most 1e-5 (sums in other orders). llama.cpp runs on the model's weights in f32 with
keys and values in f32, so that it and Imprint compute the same function; its greedy text must be ours, too. Beside each
difference stands that of the base model without the adapter: what a mistake would look like.
"""

import json
import os
import shutil
import subprocess
import sys

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
os.environ.setdefault("TQDM_DISABLE", "1")

import gguf
import numpy as np
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.numpy import load_file
from transformers import AutoModelForCausalLM

BIN, GGUF, MODEL, WORK = sys.argv[1:5]
TOLERANCE = 1e-5
TOKENS = 48
MODULES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
TEXT = """Mira Solenne keeps the lighthouse on the island of Torvald. She is afraid of horses, and every
morning she writes the colour of the sea into a green book. Her brother Anselm repairs clocks in the harbour town.
In winter he rows out to her with bread, oil and news. Mira has never left the island since she was nine."""
PROMPTS = ["Mira Solenne is afraid of", "On the island of Torvald there"]

failures = 0


def say(ok, what, detail):
    global failures
    failures += not ok
    print(f"{'ok  ' if ok else 'FAIL'} {what}: {detail}", flush=True)


def tool(name, *arguments):
    done = subprocess.run([os.path.join(BIN, name), *arguments], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{name} {' '.join(arguments)}\n{done.stderr}")
    return done.stdout


def path(name):
    return os.path.join(WORK, name)


def fresh(name):
    shutil.rmtree(path(name), ignore_errors=True)
    return path(name)


IDS = np.random.default_rng(1).integers(1000, 40000, TOKENS).tolist()


def ours(adapter=None, model=MODEL):
    out = path("logits.safetensors")
    more = ["--adapter", adapter] if adapter else []
    tool("imprint-bench", "logits", "--model", model, "--ids", ",".join(map(str, IDS)), "--out", out, *more)
    return load_file(out)["logits"]


@torch.no_grad()
def theirs(model):
    return model(torch.tensor([IDS])).logits[0].float().numpy()


def load(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def distance(a, b):
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def same(what, a, b, base=None):
    agree = int((a.argmax(1) == b.argmax(1)).sum())
    other = f" (without the adapter {distance(base, b):.1e})" if base is not None else ""
    say(
        distance(a, b) <= TOLERANCE, what,
        f"relative L2 {distance(a, b):.1e}{other}, {agree}/{TOKENS} likeliest ids alike")


def export(adapter, output, kind):
    more = ["--adapter", adapter] if adapter else []
    tool("imprint-tools", "export", MODEL, output, "--format", kind, "--quiet", *more)
    return output


def peft_adapters(base):
    """Adapters that PEFT makes and saves, random in A and B."""
    shapes = {
        "plain": dict(r=8, lora_alpha=16, target_modules=MODULES),
        "rslora": dict(r=6, lora_alpha=5, target_modules=["q_proj", "k_proj", "down_proj"], use_rslora=True),
        "patterns": dict(
            r=4, lora_alpha=8, target_modules=MODULES, rank_pattern={"k_proj": 7, r"layers\.3\.mlp\.up_proj": 2},
            alpha_pattern={"self_attn.q_proj": 3.5}),
        "regex": dict(r=4, lora_alpha=8, target_modules=r".*self_attn\.(q|v)_proj"),
    }
    for name, shape in shapes.items():
        torch.manual_seed(len(name))
        model = get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", **shape))
        with torch.no_grad():
            for key, tensor in model.named_parameters():
                if "lora_B" in key:
                    tensor.normal_(std=0.05)
        model.eval()
        folder = fresh(f"peft-{name}")
        model.save_pretrained(folder)
        yield name, folder, theirs(model)
        base = model.unload()


def float_gguf(source, target):
    """The same model with every tensor in f32."""
    if os.path.exists(target):
        return target
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(target + ".partial", reader.get_field("general.architecture").contents())
    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name in ("general.architecture", "general.file_type"):
            continue
        kind = field.types[0]
        writer.add_key_value(
            field.name, field.contents(), kind, field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    for tensor in reader.tensors:
        writer.add_tensor(
            tensor.name, gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    os.rename(target + ".partial", target)
    return target


def greedy(llama, prompt, count):
    tokens = llama.tokenize(prompt.encode(), add_bos=False, special=False)
    result = []
    for token in llama.generate(tokens, temp=0.0, top_k=1, repeat_penalty=1.0):
        if token == llama.token_eos() or len(result) == count:
            break
        result.append(token)
    return llama.detokenize(result, prev_tokens=tokens).decode(errors="replace")


def continues(what, model, adapter, file, base):
    import llama_cpp

    llama = llama_cpp.Llama(
        model_path=model, lora_path=file, n_ctx=256, n_threads=2, logits_all=True, verbose=False,
        type_k=llama_cpp.GGML_TYPE_F32, type_v=llama_cpp.GGML_TYPE_F32)
    llama.eval(IDS)
    same(what, np.array(llama.scores[:TOKENS]), ours(adapter), base)
    for prompt in PROMPTS:
        llama.reset()
        more = ["--adapter", adapter] if adapter else []
        mine = json.loads(tool(
            "imprint", "generate", "--model", MODEL, "--prompt", prompt, "--max-tokens", "24", "--json", *more))["text"]
        other = greedy(llama, prompt, 24)
        say(mine == other, f"{what}, '{prompt}'", repr(mine) if mine == other else f"{mine!r} against {other!r}")
    llama.close()


def main():
    os.makedirs(WORK, exist_ok=True)
    base = load(export(None, fresh("base"), "safetensors"))
    plain = ours()
    same("base in transformers", theirs(base), plain)
    notes = path("notes.txt")
    with open(notes, "w") as file:
        file.write(TEXT)

    adapters = []
    for name, folder, logits in peft_adapters(base):
        same(f"PEFT's adapter '{name}' read here", ours(folder), logits, plain)
        adapters.append((f"peft-{name}", folder))
    for name, more in [("lora", ["--inner-lr", "3"]), ("full", ["--inner", "full", "--inner-lr", "0.02"]),
                       ("full-4", ["--inner", "full", "--inner-lr", "0.02", "--rank", "4"])]:
        folder = fresh(f"adapt-{name}")
        tool("imprint", "adapt", "--model", MODEL, "--context", notes, "--output", folder,
             "--context-length", "64", "--quiet", *more)
        adapters.append((f"adapt-{name}", folder))

    for name, folder in adapters:
        expected = ours(folder)
        exported = export(folder, fresh(f"{name}-exported"), "peft")
        model = PeftModel.from_pretrained(load(path("base")), exported).eval()
        same(f"'{name}' exported to PEFT", theirs(model), expected, plain)
        merged = export(folder, fresh(f"{name}-merged"), "safetensors")
        same(f"'{name}' merged, in transformers", theirs(load(merged)), expected, plain)
        shutil.rmtree(merged)
        file = export(folder, path(f"{name}.gguf"), "gguf")
        same(f"'{name}' through GGUF and back", ours(file), expected, plain)

    try:
        import llama_cpp  # noqa: F401
    except ImportError:
        say(False, "llama.cpp", "llama-cpp-python is not installed")
    else:
        model = float_gguf(GGUF, path("base-f32.gguf"))
        continues("llama.cpp, base", model, None, None, None)
        for name, folder in adapters:
            continues(f"llama.cpp, '{name}'", model, folder, path(f"{name}.gguf"), plain)
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
