"""Images per second of encode and decode on a GPU, here and by PyTorch, as rows of a Markdown table.

    gpu_speed.py PROGRAM [DEVICE [MODEL...]]         cuda:0 and every model unless told; PROGRAM built with --features cuda

Both sides have the same generated weights and 256x256 pictures, in f32 without TF32 and in bf16. prismbench runs its suite
`throughput`, which sweeps batches; PyTorch runs batches of 1, 4, 16 and 64 in both memory layouts, plainly and through
torch.compile, and its best stands for it: the median of its calls, the device synchronised behind each. With `cpu`, which has f32 alone,
the script can be tried where no GPU is.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file

import tokenizer_speed
import vision
from hashed import picture

BATCHES = [1, 4, 16, 64]
SECONDS = 3.0
TYPES = {"f32": torch.float32, "bf16": torch.bfloat16}
# The name that the published file gives a tensor.
NAMES = {
    "sd-vae": lambda key: key,
    "rae-dinov2-b": lambda key: vision.rae_name("dinov2", key),
    "dinov2-reg-b": vision.published,
}


def write(name, model, folder):
    path = folder / f"{name}.safetensors"
    save_file({NAMES[name](key): value.detach().contiguous() for key, value in model.state_dict().items()}, path)
    return path


def ours(program, device, path, element):
    """Rates by pass, and what a reader must know."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [program, "run", "--suite", "throughput", "--tokenizer", f"{path.stem}={path}", "--data", "synthetic:1:16", "--device", device,
             "--set", f"element-type={element}", "-m", "encode-rate", "-m", "decode-rate", "--out", folder + "/run", "--progress", "none"],
            check=True, stdout=subprocess.DEVNULL)
        records = map(json.loads, (Path(folder) / "run/records.jsonl").read_text().splitlines())
        return {record["metric"].split("-rate")[0]: record for record in records if not record["setting"]}


def rate(run, count, device):
    """The median call's, after warm-up; `None` where it does not fit."""
    wait = torch.cuda.synchronize if device.startswith("cuda") else lambda: None
    try:
        for _ in range(3):
            run()
        wait()
        start, calls = time.perf_counter(), []
        while time.perf_counter() - start < SECONDS:
            before = time.perf_counter()
            run()
            wait()
            calls.append(time.perf_counter() - before)
    except torch.cuda.OutOfMemoryError:
        torch.cuda.empty_cache()
        return None
    return count / statistics.median(calls)


@torch.no_grad()
def theirs(make, device, element, compiled):
    """The best rate of each pass with where it was reached."""
    pixels = np.stack([picture(256, 256, seed, 30) for seed in range(max(BATCHES))])
    pictures = torch.from_numpy(pixels).permute(0, 3, 1, 2).to(device, element) / 255
    best = {}
    for layout, memory_format in tokenizer_speed.LAYOUTS.items():
        model, passes = make()
        model.to(device, element, memory_format=memory_format)
        for count in BATCHES:
            images = pictures[:count].contiguous(memory_format=memory_format)
            for kind, run in passes(images).items():
                found = rate(torch.compile(run) if compiled else run, count, device)
                if found and found > best.get(kind, (0, ""))[0]:
                    best[kind] = (found, f"{layout}, {count}")
        torch._dynamo.reset()
    return best


def main():
    program, device = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "cuda:0"
    models = sys.argv[3:] or list(tokenizer_speed.PEERS)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    print("| model | pass | type | prismbench | PyTorch | torch.compile | of PyTorch |\n|---|---|---|---|---|---|---|")
    for name in models:
        make = tokenizer_speed.PEERS[name]
        for label, element in TYPES.items():
            if device == "cpu" and label != "f32":
                continue
            with tempfile.TemporaryDirectory() as folder:
                records = ours(program, device, write(name, make()[0], Path(folder)), label)
            plain, compiled = (theirs(make, device, element, how) for how in (False, True))
            for kind, (rate, where) in plain.items():
                record = records[kind]
                mine = record.get("value")
                shown = f"{mine:.1f}" if mine else record.get("reason", "none")
                other, elsewhere = compiled.get(kind, (0, "none"))
                ratio = f"{mine / rate:.2f}" if mine else ""
                print(f"| {name} | {kind} | {label} | {shown} | {rate:.1f} ({where}) | {other:.1f} ({elsewhere}) | {ratio} |", flush=True)


if __name__ == "__main__":
    main()
