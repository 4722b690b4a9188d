"""The meta-step in PyTorch, as its users write it.

--style graph   torch.autograd.grad(…, create_graph=True) for the inner step, then backward
--style func    torch.func.grad of a loss that takes its inner step by torch.func.grad
"""

import argparse

import torch
import torch.nn.functional as F

from problem import LINEARS, RESPONSE, SCALE, Model, learning_rate, serve


class Llama:
    """A plain Llama on dictionaries of tensors."""

    def __init__(self, model):
        self.model = model
        self.base = {}
        for name, array in model.arrays():
            tensor = torch.from_numpy(array)
            if name in ("embed", "norm", "head"):
                self.base[name] = tensor
            else:
                self.base.update({f"layers.{i}.{name}": tensor[i] for i in range(model.layers)})

    def linear(self, x, name, weights, adapter):
        y = F.linear(x, weights[name])
        if adapter is None:
            return y
        return y + SCALE * F.linear(
            F.linear(x, adapter[name + ".lora_A"]), adapter[name + ".lora_B"]
        )

    def normalize(self, x, weight):
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.model.epsilon) * weight

    @staticmethod
    def rotate(x, cos, sin):
        first, second = x.chunk(2, -1)
        return torch.cat([first * cos - second * sin, second * cos + first * sin], -1)

    def block(self, x, prefix, weights, adapter, cos, sin, mask):
        m, rows = self.model, x.shape[0]

        def heads(name, count):
            y = self.linear(h, prefix + name, weights, adapter)
            return y.view(rows, count, m.head_dim).transpose(0, 1)

        h = self.normalize(x, weights[prefix + "input_layernorm"])
        q = self.rotate(heads("self_attn.q_proj", m.heads), cos, sin)
        k = self.rotate(heads("self_attn.k_proj", m.groups), cos, sin)
        v = heads("self_attn.v_proj", m.groups)
        share = m.heads // m.groups
        k, v = k.repeat_interleave(share, 0), v.repeat_interleave(share, 0)
        scores = (q @ k.transpose(1, 2)) * m.head_dim**-0.5
        attended = torch.softmax(scores.masked_fill(mask, float("-inf")), -1) @ v
        attended = attended.transpose(0, 1).reshape(rows, m.heads * m.head_dim)
        x = x + self.linear(attended, prefix + "self_attn.o_proj", weights, adapter)
        h = self.normalize(x, weights[prefix + "post_attention_layernorm"])
        gate = F.silu(self.linear(h, prefix + "mlp.gate_proj", weights, adapter))
        up = self.linear(h, prefix + "mlp.up_proj", weights, adapter)
        return x + self.linear(gate * up, prefix + "mlp.down_proj", weights, adapter)

    def loss(self, ids, scored, weights, adapter):
        """Mean NLL of the last `scored` ids."""
        x = F.embedding(ids[:-1], weights["embed"])
        cos, sin = map(torch.from_numpy, self.model.rotation(len(x)))
        mask = torch.ones(len(x), len(x), dtype=torch.bool).triu(1)
        for layer in range(self.model.layers):
            x = self.block(x, f"layers.{layer}.", weights, adapter, cos, sin, mask)
        x = self.normalize(x[-scored:], weights["norm"])
        head = weights["embed"] if self.model.tied else weights["head"]
        return F.cross_entropy(F.linear(x, head), ids[-scored:])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", required=True)
    parser.add_argument("--style", choices=["graph", "func"], required=True)
    parser.add_argument("--inner", choices=["lora", "full"], required=True)
    parser.add_argument("--inner-parameters", choices=["linear", "all"], default="linear")
    parser.add_argument("--rank", type=int, required=True)
    parser.add_argument("--context", type=int, required=True)
    parser.add_argument("--query", type=int, required=True)
    parser.add_argument("--batch", type=int, default=1)
    options = parser.parse_args()
    llama = Llama(Model(options.folder))
    model, base = llama.model, llama.base
    eta = learning_rate(options.inner, options.inner_parameters)
    tasks = model.tasks(options.batch, options.context, options.query)
    tasks = [tuple(map(torch.tensor, task)) for task in tasks]
    adapter = {name: torch.from_numpy(a) for name, a in model.adapter(options.rank).items()}
    linears = [f"layers.{i}.{name}" for i in range(model.layers) for name in LINEARS]

    def parameters(adapter):
        """What the inner step moves."""
        if options.inner == "lora":
            return adapter
        dense = {
            name: base[name] + SCALE * adapter[name + ".lora_B"] @ adapter[name + ".lora_A"]
            for name in linears
        }
        if options.inner_parameters == "all":
            dense.update({name: w.clone() for name, w in base.items() if name not in dense})
        return dense

    def loss(moved, ids, scored):
        if options.inner == "lora":
            return llama.loss(ids, scored, base, moved)
        return llama.loss(ids, scored, {**base, **moved}, None)

    def graph(context, query):
        start = parameters(adapter)
        start = {n: p if p.requires_grad else p.requires_grad_() for n, p in start.items()}
        inner = loss(start, context, len(context) - 1)
        slopes = torch.autograd.grad(inner, list(start.values()), create_graph=True)
        moved = {n: p - eta * g for (n, p), g in zip(start.items(), slopes)}
        (loss(moved, query, RESPONSE) / len(tasks)).backward()

    def after(adapter, context, query):
        start = parameters(adapter)
        slopes = torch.func.grad(loss)(start, context, len(context) - 1)
        return loss({n: p - eta * slopes[n] for n, p in start.items()}, query, RESPONSE)

    result = {}

    def step():
        result.clear()
        if options.style == "graph":
            for p in adapter.values():
                p.requires_grad_().grad = None
            for context, query in tasks:
                graph(context, query)
            result.update({name: p.grad for name, p in adapter.items()})
            return
        for context, query in tasks:
            for name, g in torch.func.grad(after)(adapter, context, query).items():
                result[name] = result.get(name, 0) + g / len(tasks)

    serve(
        step,
        lambda: {name: g.numpy() for name, g in result.items()},
        version="torch " + torch.__version__,
        threads=torch.get_num_threads(),
    )


if __name__ == "__main__":
    main()
