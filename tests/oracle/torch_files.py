"""Weights as PyTorch saves them, in both of its formats, and files that ask for more than tensors.

Writes tests/golden/weights/: files to read, `expected.json` with their values in f32, and files to refuse.
"""

import argparse
import collections
import json
import os
from pathlib import Path

import torch

GOLDEN = Path(__file__).parent.parent / "golden" / "weights"


def ramp(*shape, dtype=torch.float32):
    count = int(torch.tensor(shape).prod())
    return ((torch.arange(count) * 37 % 101 - 50) / 16).reshape(shape).to(dtype)


def plain():
    state = collections.OrderedDict()
    state["f32"] = ramp(2, 3)
    state["f16"] = ramp(5, dtype=torch.float16)
    state["bf16"] = ramp(4, dtype=torch.bfloat16)
    state["f64"] = ramp(3, dtype=torch.float64)
    state["scalar"] = torch.tensor(1.25)
    state["bn.num_batches_tracked"] = torch.tensor(7)
    return state


def views():
    """One storage for all: transposed, cut out of the middle, channels last, and one of every second element."""
    base = ramp(4, 6)
    return {
        "base": base,
        "transposed": base.t(),
        "middle": base[1:3],
        "every_second": base[:, ::2],
        "parameter": torch.nn.Parameter(ramp(2)),
        "channels_last": ramp(2, 3, 2, 2).to(memory_format=torch.channels_last),
    }


def module():
    """A state dictionary as a network gives it, with its `_metadata`."""
    return torch.nn.Sequential(torch.nn.Conv2d(1, 2, 1), torch.nn.BatchNorm2d(2)).state_dict()


class Reaches:
    def __reduce__(self):
        return os.system, ("true",)


def main():
    GOLDEN.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    readable = {
        "plain": plain(),
        "views": views(),
        "module": module(),
        "nested": {"epoch": 3, "best": 0.5, "model": {"f32": ramp(2, 3)}},
    }
    expected = {}
    for name, state in readable.items():
        for suffix, new in [("zip", True), ("legacy", False)]:
            torch.save(state, GOLDEN / f"{name}-{suffix}.pth", _use_new_zipfile_serialization=new)
        tensors = state.get("model", state)
        expected[name] = {
            key: dict(shape=list(value.shape), values=value.detach().float().flatten().tolist())
            for key, value in tensors.items()
            if "num_batches" not in key
        }
    (GOLDEN / "expected.json").write_text(json.dumps(expected, indent=0) + "\n")
    refused = {
        "bad-call": {"f32": ramp(2), "x": Reaches()},
        "bad-namespace": {"model": {"f32": ramp(2)}, "args": argparse.Namespace(lr=1)},
        "bad-two-networks": {"model": {"f32": ramp(2)}, "ema": {"weight": ramp(2)}},
        "bad-number": {"f32": ramp(2), "epoch": 3},
        "bad-broadcast": {"f32": ramp(1).expand(1 << 40)},
        "bad-list": [ramp(2)],
        "bad-overlap": {"f32": ramp(4).as_strided((2, 2), (1, 1))},
    }
    for name, state in refused.items():
        torch.save(state, GOLDEN / f"{name}.pth")


if __name__ == "__main__":
    main()
