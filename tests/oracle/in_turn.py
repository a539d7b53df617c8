"""What the scripts of speed share: benches of this project run in turn with their peers, on the same machine.

A bench prints figures in place of criterion's analysis where PRISMBENCH_RECORD_SECONDS is set (record.rs).
"""

import os
import pathlib
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
RECORD = "PRISMBENCH_RECORD_SECONDS"


def bench(name):
    """The command that runs a bench."""
    return ["cargo", "bench", "--quiet", "--workspace", "--bench", name]


def build(name):
    """Builds a bench before anything is timed."""
    subprocess.run([*bench(name), "--no-run"], cwd=HERE, check=True)


def printed(command, **variables):
    """The lines that a command prints under more environment variables; what is empty is left out."""
    environment = {**os.environ, **variables}
    output = subprocess.run(command, cwd=HERE, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    return [line for line in output.splitlines() if line]


def rate(count, run, seconds):
    """How many a second, where a run counts for `count`: in the fastest run, because a busy machine slows single ones."""
    run()
    start, fastest = time.perf_counter(), float("inf")
    while time.perf_counter() - start < seconds:
        before = time.perf_counter()
        run()
        fastest = min(fastest, time.perf_counter() - before)
    return count / fastest


def compare_rates(name, peers, peer_of=lambda case: case):
    """Prints rates and ratios of a bench to its peers, [ROUNDS [SECONDS]] of the command line.

    `peers(seconds)` gives rates by case and memory layout, `peer_of` the case of the peer to one of the bench; the ratio is to the
    faster layout. Cases without a peer are left out of it.
    """
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 4.0
    build(name)
    ratios = {}
    for number in range(1, rounds + 1):
        ours = {case: float(value) for case, value in map(str.split, printed(bench(name), **{RECORD: str(seconds)}))}
        theirs = peers(seconds)
        print(f"round {number}: " + ", ".join(f"{case} {value:.3f}/s" for case, value in ours.items()))
        print("  peers: " + ", ".join(f"{case} {layout} {value:.3f}/s" for (case, layout), value in theirs.items()), flush=True)
        for case, value in ours.items():
            layouts = [rate for (peer, _), rate in theirs.items() if peer == peer_of(case)]
            if layouts:
                ratios.setdefault(case, []).append(value / max(layouts))
    for case, values in ratios.items():
        median = statistics.median(values)
        print(f"{case}: median {median:.2f} of the peer's best layout ({min(values):.2f} to {max(values):.2f})")
