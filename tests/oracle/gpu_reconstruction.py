"""A whole reconstruction run on a GPU, here and by torch-fidelity, torchmetrics and lpips together, in turn: pictures per second.

    gpu_reconstruction.py PROGRAM [COUNT [DEVICE [ROUNDS]]]         2,000 pictures, cuda:0 and 2 rounds unless told

PNG files of 256x256 go through sd-vae with generated weights in f32, without TF32; PSNR, SSIM, LPIPS (vgg), rFID, IS and KID are taken.
The peers read with eight workers, decode in batches, and judge while the pictures are in memory. Fails where the means of PSNR
are more than 0.01 dB apart: rounding of pictures to bytes differs at ties. `cpu` is for trying the script.
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
from PIL import Image
from safetensors.torch import save_file
from torch.utils.data import DataLoader, Dataset
from torch_fidelity import calculate_metrics
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure

import autoencoder_kl
from hashed import picture
from reference_networks import inception_state, lpips_network, lpips_state

BATCH = 16


class Pictures(Dataset):
    """PNG files, or pictures in memory, as torch-fidelity takes them: u8 [3, H, W]."""

    def __init__(self, items):
        self.items = items

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        item = self.items[index]
        return item if torch.is_tensor(item) else torch.from_numpy(np.array(Image.open(item))).permute(2, 0, 1)


def ours(program, folder, device):
    out = folder / "run"
    command = [
        program, "run", "--data", str(folder / "pictures"), "--tokenizer", f"sd-vae={folder}/sd-vae.safetensors", "--device", device,
        "--batch", str(BATCH), "--no-cache", "--force", "--out", str(out), "--progress", "none", "--set", "kid-subset=100", "--set",
        "lpips=vgg", "--set", "ssim=torchmetrics", "--weights", f"inception={folder}/inception.safetensors",
        "--weights", f"lpips-vgg={folder}/vgg.safetensors",
    ]
    for metric in ["psnr", "ssim", "lpips", "rfid", "is", "kid"]:
        command += ["-m", metric]
    before = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - before
    records = map(json.loads, (out / "records.jsonl").read_text().splitlines())
    return seconds, {record["metric"].split("@")[0]: record.get("value") for record in records if not record["setting"]}


@torch.no_grad()
def theirs(folder, device):
    before = time.perf_counter()
    model = autoencoder_kl.build(autoencoder_kl.FULL, autoencoder_kl.FOUR)
    autoencoder_kl.fill(model)
    model.to(device, memory_format=torch.channels_last)
    network = lpips_network("vgg", lpips_state("vgg")).to(device)
    files = sorted((folder / "pictures").iterdir())
    originals, made, found = [], [], {"psnr": [], "ssim": [], "lpips": []}
    for batch in DataLoader(Pictures(files), batch_size=BATCH, num_workers=8, pin_memory=device.startswith("cuda")):
        x = batch.to(device, non_blocking=True).float() / 255
        decoded = (model.decode(model.encode(2 * x - 1).latent_dist.mode()).sample + 1) / 2
        levels = (decoded.clamp(0, 1) * 255).to(torch.uint8)
        y = levels.float() / 255
        found["psnr"].append(peak_signal_noise_ratio(y, x, data_range=1.0, dim=(1, 2, 3), reduction="none").flatten())
        found["ssim"].append(structural_similarity_index_measure(y, x, data_range=1.0, reduction="none").flatten())
        found["lpips"].append(network(2 * y - 1, 2 * x - 1).flatten())
        originals.extend(batch)
        made.extend(levels.cpu())
    values = {name: torch.cat(parts).mean().item() for name, parts in found.items()}
    values |= calculate_metrics(
        input1=Pictures(made), input2=Pictures(originals), fid=True, isc=True, kid=True, kid_subset_size=min(100, len(made)),
        feature_extractor="inception-v3-compat", feature_extractor_weights_path=str(folder / "inception.pth"),
        cuda=device.startswith("cuda"), batch_size=64, verbose=False, cache=False)
    return time.perf_counter() - before, values


def main():
    program, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    device = sys.argv[3] if len(sys.argv) > 3 else "cuda:0"
    rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 2
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "pictures").mkdir()
        for number in range(count):
            Image.fromarray(picture(256, 256, number, 30)).save(folder / "pictures" / f"{number:05}.png")
        model = autoencoder_kl.build(autoencoder_kl.FULL, autoencoder_kl.FOUR)
        save_file(autoencoder_kl.fill(model), folder / "sd-vae.safetensors")
        save_file(lpips_state("vgg"), folder / "vgg.safetensors")
        state = inception_state()
        torch.save(state, folder / "inception.pth")
        save_file({key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}, folder / "inception.safetensors")
        ratios = []
        for number in range(1, rounds + 1):
            (here, mine), (there, other) = ours(program, folder, device), theirs(folder, device)
            other["rfid"] = other["frechet_inception_distance"]
            shown = ", ".join(f"{key} {mine[key]:.5g} and {other[key]:.5g}" for key in ["psnr", "ssim", "lpips", "rfid"])
            if abs(mine["psnr"] - other["psnr"]) > 0.01:
                sys.exit(f"other pictures: {shown}")
            ratios.append(there / here)
            print(f"round {number}: {count / here:.1f} pictures/s, the peers {count / there:.1f}, ratio {ratios[-1]:.2f}; {shown}", flush=True)
    print(f"median ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
