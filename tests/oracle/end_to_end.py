"""Distribution metrics of 200 pictures by torch-fidelity's own command.

    python end_to_end.py PROGRAM

PROGRAM is a built prismbench. It makes the pictures (`synthetic:77:200` at 64x64, themselves and through
`dct:4`); torch-fidelity reads them as PNG files, and the generated weights (recipe.py) as a .pth. What it says goes to ../golden/networks/end_to_end.json, with a digest of the pictures, so that a
test can tell other pictures from other metrics.
"""

import hashlib
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
from PIL import Image

from reference_networks import inception_state

HERE = pathlib.Path(__file__).parent
TARGET = HERE / "../golden/networks/end_to_end.json"
RUN = ["--data", "synthetic:77:200", "-t", "identity", "-t", "dct:4", "--set", "size=64", "-m", "psnr",
       "--save", "reconstructions", "--progress", "none"]


def pictures(program, folder):
    subprocess.run([program, "run", *RUN, "--out", str(folder / "run")], check=True, capture_output=True)
    arrays = {path.parent.name.rsplit(".", 1)[1]: np.load(path)["arr_0"]
              for path in (folder / "run/arrays").glob("*/reconstructions.npz")}
    for name, array in arrays.items():
        (folder / name).mkdir()
        for number, picture in enumerate(array):
            Image.fromarray(picture).save(folder / name / f"{number:04}.png")
    return arrays


def fidelity(folder, weights):
    output = subprocess.run(
        [str(pathlib.Path(sys.executable).parent / "fidelity"), "--input1", str(folder / "dct-4"),
         "--input2", str(folder / "identity"), "--fid", "--isc", "--kid", "--kid-subset-size", "100", "--prc",
         "--feature-extractor", "inception-v3-compat", "--feature-layer-prc", "2048",
         "--feature-extractor-weights-path", str(weights), "--no-cuda", "--json", "--silent", "--no-cache",
         "--batch-size", "20"],
        check=True, capture_output=True, text=True).stdout
    return json.loads(output[output.index("{"):])


def main():
    torch.set_num_threads(2)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        arrays = pictures(sys.argv[1], folder)
        weights = folder / "inception.pth"
        torch.save(inception_state(), weights)
        found = fidelity(folder, weights)
    digest = hashlib.sha256(arrays["identity"].tobytes() + arrays["dct-4"].tobytes()).hexdigest()
    TARGET.write_text(json.dumps({"pictures": digest, **found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
