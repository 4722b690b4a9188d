"""Imprint beside its peers: the same meta-step, round by round, each in a process of its own.

    run.py --folder PREPARED --model smollm2.imprint --bench imprint-bench --out peers
           [--inner lora|full] [--inner-parameters linear|all] [--rank 8] [--context 128] [--rounds 5]

Every process loads, compiles and takes one step that is not counted. Then, in every round, one
after the other takes one step while the others sleep. Times are the steps' own; memory is read from
/proc while they run. The gradients are compared with Imprint's. Results are added to
OUT/peers.json, and OUT/peers.md is written anew from all of them.
"""

import argparse
import datetime
import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time

import numpy as np

import report
from problem import (
    RESPONSE,
    SCALE,
    Model,
    learning_rate,
    read_safetensors,
    write_safetensors,
)

HERE = os.path.dirname(os.path.abspath(__file__))
TOLERANCE = 5e-4  # relative L2 of two f32 gradients; PyTorch is 3e-5 to 7e-5 from float64
SAMPLE = 0.01  # seconds between two looks at a process's memory


class Ended(Exception):
    """A peer that is there no more: most often it took more memory than there is."""


class Peer:
    """A process that takes a step when it is told to."""

    def __init__(self, name, command, environment=None):
        self.name = name
        self.seconds, self.anonymous = [], 0
        start = time.perf_counter()
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environment or {})},
        )
        self.facts = self.answer()
        self.startup = time.perf_counter() - start

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise Ended(f"{self.name}: ended with exit code {self.process.wait()}")
        return json.loads(line)

    def ask(self, line):
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # what it answers says how it ended
        return self.answer()

    def status(self):
        """RssAnon, VmHWM and the like, in bytes."""
        with open(f"/proc/{self.process.pid}/status") as file:
            rows = (line.split() for line in file)
            return {row[0][:-1]: int(row[1]) << 10 for row in rows if row[-1] == "kB"}

    def measured_step(self):
        """One step, its RssAnon watched."""
        done = threading.Event()

        def watch():
            while not done.wait(SAMPLE):
                # A process that has just ended has none.
                self.anonymous = max(self.anonymous, self.status().get("RssAnon", 0))

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            return self.ask("step")["seconds"]
        finally:
            done.set()
            watcher.join()

    def forget_peak(self):
        """Keeps the peak of loading and compiling, and lets the kernel count anew."""
        self.loading = self.status()["VmHWM"]
        with open(f"/proc/{self.process.pid}/clear_refs", "w") as file:
            file.write("5")

    def end(self):
        """The end of its input ends a peer that waits; one that works is stopped."""
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass  # it has ended
        try:
            self.process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def commands(options, files):
    """Name and command of every peer that fits the case."""
    case = ["--inner", options.inner, "--inner-parameters", options.inner_parameters]
    shape = [
        *("--rank", str(options.rank), "--context", str(options.context)),
        *("--query", str(options.query), "--batch", str(options.batch)),
    ]

    def python(script, style):
        return [
            *(sys.executable, os.path.join(HERE, script), "--folder", options.folder),
            *("--style", style, *case, *shape),
        ]

    rate = learning_rate(options.inner, options.inner_parameters)
    imprint = [
        *(options.bench, "gradient-server", "--model", options.model),
        *("--adapter", files["adapter"], "--scale", str(SCALE), "--tasks", files["tasks"]),
        *("--inner-lr", str(rate), *case),
    ]
    result = {
        "imprint": imprint,
        "imprint-lean": [*imprint, "--keep", "0", "--logit-rows", "16"],
        "torch-graph": python("peer_torch.py", "graph"),
        "torch-func": python("peer_torch.py", "func"),
        "jax-user": python("peer_jax.py", "user"),
        "jax-unrolled": python("peer_jax.py", "unrolled"),
        "jax-lean": python("peer_jax.py", "lean"),
    }
    if options.inner == "full" and options.inner_parameters == "linear":
        result["jax-factors"] = python("peer_jax.py", "factors")
    chosen = options.peers.split(",") if options.peers else list(result)
    unknown = [name for name in chosen if name not in result]
    if unknown:
        sys.exit(f"--peers: {', '.join(unknown)}: none of {', '.join(result)} for this case")
    if "imprint" not in chosen:
        sys.exit("--peers: imprint must be among them: the gradients are compared with its own")
    return {name: result[name] for name in chosen}


def relative(a, b):
    """‖a − b‖ / ‖b‖ over all tensors, in f64."""
    if set(a) != set(b):
        return float("inf")
    square = lambda x: float(np.sum(np.square(x, dtype=np.float64)))
    difference = sum(square(a[name].astype(np.float64) - b[name]) for name in b)
    return (difference / sum(square(b[name].astype(np.float64)) for name in b)) ** 0.5


def inputs(options):
    """Writes the adapter and the tasks for Imprint, as the peers make them."""
    model = Model(options.folder)
    adapter = os.path.join(options.folder, f"adapter-{options.rank}.safetensors")
    write_safetensors(adapter, model.adapter(options.rank))
    tasks = os.path.join(options.folder, "tasks.jsonl")
    with open(tasks, "w") as file:
        for context, query in model.tasks(options.batch, options.context, options.query):
            row = {
                "context_ids": context,
                "query_ids": query[:-RESPONSE],
                "response_ids": query[-RESPONSE:],
                "separator_ids": query[:1],
            }
            file.write(json.dumps(row) + "\n")
    return {"adapter": adapter, "tasks": tasks}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", required=True, help="what prepare.py has made")
    parser.add_argument("--model", required=True, help="the weight file of the same GGUF")
    parser.add_argument("--bench", required=True, help="imprint-bench")
    parser.add_argument("--out", required=True)
    parser.add_argument("--inner", choices=["lora", "full"], default="lora")
    parser.add_argument("--inner-parameters", choices=["linear", "all"], default="linear")
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--context", type=int, default=128)
    parser.add_argument("--query", type=int, default=32)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", help="names with commas between them (default: all)")
    options = parser.parse_args()
    if options.query <= RESPONSE or options.context < 2 or min(options.rank, options.batch, options.rounds) < 1:
        parser.error("sizes must be positive, --context above 1 and --query above 8")
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"load average {load:.1f}: other work disturbs the times", file=sys.stderr)
    # A run that is stopped stops its peers.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    peers, ended = [], []
    gradients = {}

    def leave_out(name, ending):
        """The others go on without a peer that has ended, but not without Imprint."""
        if name.startswith("imprint"):
            raise ending
        print(ending, file=sys.stderr)
        ended.append(str(ending))
        peers[:] = [peer for peer in peers if peer.name != name]

    try:
        for name, command in commands(options, inputs(options)).items():
            path = os.path.join(options.folder, name + ".gradient.safetensors")
            try:
                peers.append(Peer(name, command))
                peers[-1].ask("step")
                peers[-1].ask("save " + path)
            except Ended as ending:
                leave_out(name, ending)
                continue
            gradients[name] = read_safetensors(path)
            os.remove(path)
            peers[-1].forget_peak()
            print(f"{name}: ready after {peers[-1].startup:.1f} s", file=sys.stderr)
        for index in range(options.rounds):
            for peer in list(peers):
                # Threads of the one before may still spin.
                time.sleep(0.3)
                try:
                    peer.seconds.append(peer.measured_step())
                except Ended as ending:
                    leave_out(peer.name, ending)
            times = ", ".join(f"{peer.name} {peer.seconds[-1]:.2f}" for peer in peers)
            print(f"round {index + 1}: {times}", file=sys.stderr)
        rows = []
        for peer in peers:
            status = peer.status()
            rows.append(
                {
                    "name": peer.name,
                    "version": peer.facts.get("version", "imprint"),
                    "seconds": peer.seconds,
                    "median": statistics.median(peer.seconds),
                    "startup": peer.startup,
                    "anonymous": peer.anonymous,
                    "resident_steps": status["VmHWM"],
                    "resident": max(status["VmHWM"], peer.loading),
                    "difference": relative(gradients[peer.name], gradients["imprint"]),
                }
            )
    except Ended as ending:
        sys.exit(str(ending))
    finally:
        for peer in peers:
            peer.end()
    result = {
        "inner": options.inner,
        "inner_parameters": options.inner_parameters if options.inner == "full" else None,
        "rank": options.rank,
        "context": options.context,
        "query": options.query,
        "batch": options.batch,
        "date": datetime.date.today().isoformat(),
        "load": load,
        "processor": report.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "tolerance": TOLERANCE,
        "peers": rows,
        "ended": ended,
    }
    print(report.add(result, options.out))
    worst = max(rows, key=lambda row: row["difference"])
    if not worst["difference"] <= TOLERANCE:
        sys.exit(f"{worst['name']}: gradient differs by {worst['difference']:.1e}, tolerance {TOLERANCE:.0e}")


if __name__ == "__main__":
    main()
