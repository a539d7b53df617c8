"""Numbers of 1,000 samples against 1,000 real pictures by the packages that generation is judged with.

    python generation.py PROGRAM

PROGRAM is a built prismbench. It makes the pictures at 64x64: real ones are `synthetic:91:1000`, samples are
`synthetic:92:1000` through `dct:16`. torch-fidelity's network with generated weights (recipe.py) gives the features, once;
torch-fidelity, pytorch-fid, torchmetrics, prdc and a numpy re-statement of ADM's evaluator (feature_metrics.py) take it
from there. What they say goes to ../golden/generation/generation.json, with a digest of the pictures.
"""

import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import pytorch_fid.fid_score
import torch
import torchmetrics.image.fid

import feature_metrics
from networks import TAPS
from reference_networks import inception, inception_state

HERE = pathlib.Path(__file__).parent
TARGET = HERE / "../golden/generation/generation.json"
COUNT, BATCH = 1000, 20
SETS = {"real": ("synthetic:91:1000", "identity"), "samples": ("synthetic:92:1000", "dct:16")}


def pictures(program, folder):
    arrays = {}
    for name, (data, tokenizer) in SETS.items():
        subprocess.run([program, "run", "--data", data, "-t", tokenizer, "--set", "size=64", "-m", "psnr", "--save",
                        "reconstructions", "--progress", "none", "--out", str(folder / name)], check=True, capture_output=True)
        arrays[name] = np.load(next((folder / name / "arrays").glob("*/reconstructions.npz")))["arr_0"]
    return arrays


@torch.no_grad()
def features(network, array):
    """Pooled features, sFID's (the first seven channels of Mixed_6d, channels last), logits without bias."""
    rows = {"2048": [], "spatial": [], "logits_unbiased": []}
    spatial = []
    hook = network.Mixed_6d.register_forward_hook(lambda module, x, y: spatial.append(y[:, :7].permute(0, 2, 3, 1)))
    for at in range(0, len(array), BATCH):
        batch = torch.from_numpy(array[at : at + BATCH]).permute(0, 3, 1, 2).contiguous()
        taps = dict(zip(TAPS, network(batch)))
        taps["spatial"] = spatial.pop().flatten(1)
        for name, found in rows.items():
            found.append(taps[name].numpy())
        print(at, flush=True)
    hook.remove()
    return {name: np.concatenate(found) for name, found in rows.items()}


def torchmetrics_fid(x, y):
    """From moments in double precision, as the metric keeps them."""
    stats = []
    for z in (x, y):
        z = torch.from_numpy(z).double()
        centred = z - z.mean(0)
        stats.append((z.mean(0), centred.T @ centred / (len(z) - 1)))
    (m1, s1), (m2, s2) = stats
    return float(torchmetrics.image.fid._compute_fid(m1, s1, m2, s2))


def main():
    torch.set_num_threads(2)
    with tempfile.TemporaryDirectory() as name:
        arrays = pictures(sys.argv[1], pathlib.Path(name))
    network = inception(inception_state())
    real, made = (features(network, arrays[name]) for name in ("real", "samples"))
    wide = {name: (real[name].astype(np.float64), made[name].astype(np.float64)) for name in real}
    pooled = wide["2048"]
    moments = [(z.mean(0), np.cov(z, rowvar=False)) for z in pooled]
    (m1, s1), (m2, s2) = moments
    found = {
        "pictures": hashlib.sha256(arrays["real"].tobytes() + arrays["samples"].tobytes()).hexdigest(),
        "fid": feature_metrics.frechet(*pooled),
        "sfid": feature_metrics.frechet(*wide["spatial"]),
        "is": feature_metrics.inception(wide["logits_unbiased"][1]),
        "kid": feature_metrics.kernel(made["2048"], real["2048"], 100, 200),
        "neighbours": feature_metrics.neighbours(real["2048"].astype(np.float64), made["2048"].astype(np.float64)),
    }
    found["fid"]["pytorch-fid"] = float(pytorch_fid.fid_score.calculate_frechet_distance(m1, s1, m2, s2))
    found["fid"]["torchmetrics"] = torchmetrics_fid(made["2048"], real["2048"])
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
