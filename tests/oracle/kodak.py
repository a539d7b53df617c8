"""What PyTorch and torchmetrics say of taef2 on the first six Kodak pictures under the default protocol.

    python kodak.py SHARED

SHARED holds data/kodak and weights/taef2. Writes tests/golden/taef2/kodak.json. Run it under Pillow 12 or 13: no Kodak
picture is tall enough for the difference.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio
from torchmetrics.functional.image import structural_similarity_index_measure

from resample import adm
from taef2 import decoder, encoder, load

GOLDEN = Path(__file__).parent.parent / "golden" / "taef2" / "kodak.json"


def main():
    shared = Path(sys.argv[1])
    models = (encoder(), decoder())
    for model, half in zip(models, ("encoder", "decoder")):
        model.load_state_dict(load(shared / "weights" / "taef2", half))
    psnr, ssim = [], []
    for path in sorted((shared / "data" / "kodak").glob("*.png"))[:6]:
        crop = np.asarray(adm(Image.open(path).convert("RGB"), 256))
        batch = torch.from_numpy(crop.copy()).permute(2, 0, 1)[None].float() / 255
        with torch.no_grad():
            made = models[1](models[0](batch)).clamp(0, 1).mul(255).round()
        psnr.append(peak_signal_noise_ratio(crop, made[0].permute(1, 2, 0).numpy().astype(np.uint8)))
        ssim.append(structural_similarity_index_measure(made.double() / 255, batch.double(), data_range=1.0).item())
        print(path.name, psnr[-1], ssim[-1])
    GOLDEN.write_text(json.dumps({"psnr@1": float(np.mean(psnr)), "ssim@1": float(np.mean(ssim))}, indent=1) + "\n")


if __name__ == "__main__":
    main()
