"""Judges the same samples here and by torch-fidelity's command, in turn, and prints pictures per second, memory and ratios.

    generation_speed.py PROGRAM [COUNT [ROUNDS]]     2,000 pictures in all and 2 rounds unless told

Half of the pictures are samples, half the reference, PNG files of 256x256. Both sides have two threads and the same generated weights,
compute FID, IS, KID and precision and recall on Inception's pooled features, and keep nothing between rounds. Fails where
the FIDs are more than 1e-4 apart, relatively.
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from PIL import Image
from safetensors.torch import save_file

from hashed import picture
from reference_networks import inception_state


def run(command, **variables):
    """Seconds, peak memory in MB, standard output."""
    before = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env={**os.environ, **variables})
    output = child.stdout.read().decode()
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        sys.exit(f"{command[0]} ended with {status}")
    return time.perf_counter() - before, usage.ru_maxrss // 1024, output


def ours(program, folder):
    out = folder / "run"
    seconds, memory, _ = run([
        program, "run", "--samples", str(folder / "samples"), "--data", str(folder / "real"), "--threads", "2", "--no-cache", "--force",
        "--out", str(out), "--progress", "none", "--weights", f"inception={folder}/inception.safetensors", "--set", "kid-subset=100",
        "-m", "gfid", "-m", "is", "-m", "kid", "-m", "precision", "-m", "recall",
    ])
    records = map(json.loads, (out / "records.jsonl").read_text().splitlines())
    return seconds, memory, next(record["value"] for record in records if record["metric"] == "gfid@1")


def theirs(folder):
    seconds, memory, output = run([
        str(pathlib.Path(sys.executable).parent / "fidelity"), "--input1", str(folder / "samples"), "--input2", str(folder / "real"),
        "--fid", "--isc", "--kid", "--kid-subset-size", "100", "--prc", "--feature-extractor", "inception-v3-compat",
        "--feature-layer-prc", "2048", "--feature-extractor-weights-path", str(folder / "inception.pth"), "--no-cuda", "--json",
        "--silent", "--no-cache", "--batch-size", "16",
    ], OMP_NUM_THREADS="2", MKL_NUM_THREADS="2")
    return seconds, memory, json.loads(output[output.index("{"):])["frechet_inception_distance"]


def main():
    program = sys.argv[1]
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 2
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for number in range(count):
            target = folder / ("samples" if number % 2 else "real") / f"{number:05}.png"
            target.parent.mkdir(exist_ok=True)
            Image.fromarray(picture(256, 256, number, 20 + number % 2 * 20)).save(target)
        state = inception_state()
        torch.save(state, folder / "inception.pth")
        wanted = {key: value.contiguous() for key, value in state.items() if not key.endswith("num_batches_tracked")}
        save_file(wanted, folder / "inception.safetensors")
        ratios = []
        for number in range(1, rounds + 1):
            here, there = ours(program, folder), theirs(folder)
            if abs(here[2] - there[2]) > 1e-4 * there[2]:
                sys.exit(f"FID {here[2]} here, {there[2]} there")
            ratios.append(there[0] / here[0])
            print(f"round {number}: {count / here[0]:.1f} pictures/s and {here[1]} MB, torch-fidelity {count / there[0]:.1f} and "
                  f"{there[1]} MB, ratio {ratios[-1]:.2f}", flush=True)
    print(f"median ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
