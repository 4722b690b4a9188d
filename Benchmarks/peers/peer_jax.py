"""The meta-step in JAX.

--style user      jax.grad of the loss after a jax.grad step, blocks in a lax.scan, one jit
--style unrolled  the same with blocks in a Python loop: faster, and slow to compile
--style lean      forward over reverse: v = the gradient after the step, then jvp of the inner
                  gradient along v; blocks and chunks of the head rematerialised (jax.checkpoint)
--style factors   lean, and the gradients of a full inner step over the linears kept as the inputs
                  of every linear and the gradients of its outputs
"""

import argparse

import jax
import jax.numpy as jnp
import numpy as np

from problem import LINEARS, NORMS, RESPONSE, SCALE, Model, learning_rate, serve

HEAD_ROWS = 32  # scored rows whose logits the lean styles hold at once


def load(model):
    weights = {name: jnp.asarray(array) for name, array in model.arrays()}
    blocks = {name: weights.pop(name) for name in [*LINEARS, *NORMS]}
    return {**weights, "blocks": blocks}


def stack(model, adapter):
    """By linear: A and B of all blocks."""
    return {
        name: {
            side: jnp.asarray(
                np.stack([adapter[f"layers.{i}.{name}.lora_{side}"] for i in range(model.layers)])
            )
            for side in "AB"
        }
        for name in LINEARS
    }


class Llama:
    """A Llama whose block is told how to apply a linear."""

    def __init__(self, model, style):
        self.model = model
        self.lean = style in ("lean", "factors")
        self.unrolled = style == "unrolled"

    def normalize(self, x, weight):
        return x * jax.lax.rsqrt(jnp.square(x).mean(-1, keepdims=True) + self.model.epsilon) * weight

    @staticmethod
    def rotate(x, cos, sin):
        first, second = jnp.split(x, 2, -1)
        return jnp.concatenate([first * cos - second * sin, second * cos + first * sin], -1)

    def block(self, x, norms, linear):
        """linear(name, x) → y."""
        m, rows = self.model, x.shape[0]
        cos, sin = m.rotation(rows)
        heads = lambda y, count: y.reshape(rows, count, m.head_dim).swapaxes(0, 1)
        h = self.normalize(x, norms["input_layernorm"])
        q = self.rotate(heads(linear("self_attn.q_proj", h), m.heads), cos, sin)
        k = self.rotate(heads(linear("self_attn.k_proj", h), m.groups), cos, sin)
        v = heads(linear("self_attn.v_proj", h), m.groups)
        q = q.reshape(m.groups, m.heads // m.groups, rows, m.head_dim)
        scores = jnp.einsum("ghqd,gkd->ghqk", q, k) * m.head_dim**-0.5
        scores = jnp.where(np.tri(rows, dtype=bool), scores, -jnp.inf)
        attended = jnp.einsum("ghqk,gkd->ghqd", jax.nn.softmax(scores), v)
        attended = attended.reshape(m.heads, rows, m.head_dim).swapaxes(0, 1).reshape(rows, -1)
        x = x + linear("self_attn.o_proj", attended)
        h = self.normalize(x, norms["post_attention_layernorm"])
        gated = jax.nn.silu(linear("mlp.gate_proj", h)) * linear("mlp.up_proj", h)
        return x + linear("mlp.down_proj", gated)

    def blocks(self, x, body, per_block):
        """x through body(x, one block's share of per_block) → x, output of every block; the outputs stacked."""
        if self.unrolled:
            outputs = []
            for i in range(self.model.layers):
                x, output = body(x, jax.tree.map(lambda a: a[i], per_block))
                outputs.append(output)
            return x, None if outputs[0] is None else jax.tree.map(lambda *o: jnp.stack(o), *outputs)
        return jax.lax.scan(jax.checkpoint(body) if self.lean else body, x, per_block)

    def head(self, x, targets, weights):
        """Mean NLL of `targets` at the rows of x."""
        matrix = weights["embed"] if self.model.tied else weights["head"]

        def nll(x, targets):
            logits = self.normalize(x, weights["norm"]) @ matrix.T
            chosen = jnp.take_along_axis(logits, targets[:, None], 1)[:, 0]
            return jax.nn.logsumexp(logits, 1) - chosen

        rows = len(targets)
        if not self.lean or rows <= HEAD_ROWS:
            return nll(x, targets).mean()
        extra = -rows % HEAD_ROWS
        counted = np.arange(rows + extra) < rows
        chunks = jax.tree.map(
            lambda a: a.reshape(-1, HEAD_ROWS, *a.shape[1:]),
            (jnp.pad(x, ((0, extra), (0, 0))), jnp.pad(targets, (0, extra)), counted),
        )
        one = jax.checkpoint(lambda x, targets, counted: (nll(x, targets) * counted).sum())
        return jax.lax.scan(lambda sum, chunk: (sum + one(*chunk), None), 0.0, chunks)[0] / rows

    def loss(self, weights, adapter, ids, scored):
        """Mean NLL of the last `scored` ids; adapter None for none."""

        def body(x, share):
            block, pair = share

            def linear(name, h):
                y = h @ block[name].T
                if pair is not None:
                    y = y + SCALE * ((h @ pair[name]["A"].T) @ pair[name]["B"].T)
                return y

            return self.block(x, block, linear), None

        x, _ = self.blocks(weights["embed"][ids[:-1]], body, (weights["blocks"], adapter))
        return self.head(x[-scored:], ids[-scored:], weights)

    def moved(self, weights, adapter, ids, scored, factors=None, probe=None):
        """loss() with W + Σ Dᵀ X for the pairs (X, D) of `factors`, and `probe` added to every
        linear's output; also the linears' inputs."""

        def body(x, share):
            block, pair, extra, nudge = share
            inputs = {}

            def linear(name, h):
                inputs[name] = h
                y = h @ block[name].T + SCALE * ((h @ pair[name]["A"].T) @ pair[name]["B"].T)
                if extra is not None:
                    y = y + (h @ extra[name][0].T) @ extra[name][1]
                return y if nudge is None else y + nudge[name]

            return self.block(x, block, linear), inputs

        x, inputs = self.blocks(
            weights["embed"][ids[:-1]], body, (weights["blocks"], adapter, factors, probe)
        )
        return self.head(x[-scored:], ids[-scored:], weights), inputs


def meta_gradient(llama, options, eta):
    """(adapter, weights, context, query) → gradient, in the style asked for."""
    count = options.context - 1
    step = lambda start, slopes: jax.tree.map(lambda p, g: p - eta * g, start, slopes)

    def dense(weights, adapter):
        """What a full inner step moves."""
        merged = {
            name: weights["blocks"][name]
            + SCALE * jnp.einsum("lor,lri->loi", adapter[name]["B"], adapter[name]["A"])
            for name in LINEARS
        }
        if options.inner_parameters == "linear":
            return merged
        return {**weights, "blocks": {**weights["blocks"], **merged}}

    def with_dense(weights, moved):
        if options.inner_parameters == "all":
            return moved
        return {**weights, "blocks": {**weights["blocks"], **moved}}

    def lora_losses(weights, context, query):
        return (
            lambda p: llama.loss(weights, p, context, count),
            lambda p: llama.loss(weights, p, query, RESPONSE),
        )

    def full_losses(weights, context, query):
        return (
            lambda p: llama.loss(with_dense(weights, p), None, context, count),
            lambda p: llama.loss(with_dense(weights, p), None, query, RESPONSE),
        )

    losses = lora_losses if options.inner == "lora" else full_losses

    def user(adapter, weights, context, query):
        inner, outer = losses(weights, context, query)

        def after(adapter):
            start = adapter if options.inner == "lora" else dense(weights, adapter)
            return outer(step(start, jax.grad(inner)(start)))

        return jax.grad(after)(adapter)

    def lean_lora(adapter, weights, context, query):
        inner, outer = losses(weights, context, query)
        slope = jax.grad(inner)
        v = jax.grad(outer)(step(adapter, slope(adapter)))
        return step(v, jax.jvp(slope, (adapter,), (v,))[1])

    def through_adapter(adapter, v, product):
        """The adapter's share of v − η H v: s Bᵀ M and s M Aᵀ, the part of H v given already."""
        return {
            name: {
                "A": SCALE * jnp.einsum("lor,loi->lri", adapter[name]["B"], v[name])
                - eta * product[name]["A"],
                "B": SCALE * jnp.einsum("loi,lri->lor", v[name], adapter[name]["A"])
                - eta * product[name]["B"],
            }
            for name in LINEARS
        }

    def lean_full(adapter, weights, context, query):
        inner, outer = losses(weights, context, query)
        start = dense(weights, adapter)
        v = jax.grad(outer)(step(start, jax.grad(inner)(start)))
        # The adapter's gradient moves with the dense weights: no dense H v.
        base = {n: weights["blocks"][n] for n in LINEARS}
        base = base if options.inner_parameters == "linear" else weights
        slope = lambda moved: jax.grad(
            lambda p: llama.loss(with_dense(weights, moved), p, context, count)
        )(adapter)
        product = jax.jvp(slope, (base,), (v,))[1]
        return through_adapter(
            adapter, v if options.inner_parameters == "linear" else v["blocks"], product
        )

    def factors(adapter, weights, context, query):
        m = llama.model

        def pair(ids, scored, moved):
            zero = {n: jnp.zeros((m.layers, len(ids) - 1, m.shapes[n][1])) for n in LINEARS}
            slopes, inputs = jax.grad(
                lambda probe: llama.moved(weights, adapter, ids, scored, moved, probe), has_aux=True
            )(zero)
            return {n: (inputs[n], slopes[n]) for n in LINEARS}

        inner = pair(context, count, None)
        v = pair(query, RESPONSE, {n: (x, -eta * d) for n, (x, d) in inner.items()})

        def slope(t):
            along = {n: (x, t * d) for n, (x, d) in v.items()}
            return jax.grad(lambda p: llama.moved(weights, p, context, count, along)[0])(adapter)

        product = jax.jvp(slope, (0.0,), (1.0,))[1]
        return {
            n: {
                "A": SCALE * jnp.einsum("lto,lor,lti->lri", d, adapter[n]["B"], x)
                - eta * product[n]["A"],
                "B": SCALE * jnp.einsum("lto,lti,lri->lor", d, x, adapter[n]["A"])
                - eta * product[n]["B"],
            }
            for n, (x, d) in v.items()
        }

    if options.style == "factors":
        return factors
    if options.style == "lean":
        return lean_lora if options.inner == "lora" else lean_full
    return user


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", required=True)
    parser.add_argument("--style", choices=["user", "unrolled", "lean", "factors"], required=True)
    parser.add_argument("--inner", choices=["lora", "full"], required=True)
    parser.add_argument("--inner-parameters", choices=["linear", "all"], default="linear")
    parser.add_argument("--rank", type=int, required=True)
    parser.add_argument("--context", type=int, required=True)
    parser.add_argument("--query", type=int, required=True)
    parser.add_argument("--batch", type=int, default=1)
    options = parser.parse_args()
    if options.style == "factors" and (options.inner, options.inner_parameters) != ("full", "linear"):
        parser.error("--style factors is for a full inner step over the linears")
    model = Model(options.folder)
    weights = load(model)
    adapter = stack(model, model.adapter(options.rank))
    tasks = model.tasks(options.batch, options.context, options.query)
    contexts, queries = (jnp.array(ids) for ids in zip(*tasks))
    one = meta_gradient(
        Llama(model, options.style), options, learning_rate(options.inner, options.inner_parameters)
    )

    def mean(adapter, weights, contexts, queries):
        if len(tasks) == 1:
            return one(adapter, weights, contexts[0], queries[0])

        def add(sum, task):
            return jax.tree.map(lambda s, g: s + g / len(tasks), sum, one(adapter, weights, *task)), None

        zero = jax.tree.map(jnp.zeros_like, adapter)
        return jax.lax.scan(add, zero, (contexts, queries))[0]

    compiled = jax.jit(mean).lower(adapter, weights, contexts, queries).compile()
    result = {}

    def step():
        result.clear()
        result.update(jax.block_until_ready(compiled(adapter, weights, contexts, queries)))

    def gradient():
        return {
            f"layers.{i}.{name}.lora_{side}": np.asarray(result[name][side][i])
            for i in range(model.layers)
            for name in LINEARS
            for side in "AB"
        }

    serve(step, gradient, version="jax " + jax.__version__)


if __name__ == "__main__":
    main()
