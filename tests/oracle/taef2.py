"""Golden values of TAEF2: a PyTorch model written from the architecture's description.

Writes tests/golden/taef2/{generated,picture,kodak}.safetensors, each with `input` (u8, 3xHxW;
the network sees input / 255), `latents` (f32) and `reconstruction` (f32, unclamped):

- generated: weights from an integer hash that the Rust test repeats, 32x32;
- picture:   the real weights, a generated test picture of 64 rows and 96 columns;
- kodak:     the real weights, a 64x64 crop of Kodak picture 23.

Usage: taef2.py SHARED, where SHARED holds weights/taef2 and data/kodak. With --psnr it prints the
PSNR of every Kodak picture instead, and with --save FOLDER it also writes the reconstructions.
"""

import argparse
import pathlib

import numpy as np
import torch
from PIL import Image
from safetensors.numpy import load_file, save_file
from torch import nn

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden" / "taef2"
MASK = (1 << 64) - 1
GAMMA = 0x9E3779B97F4A7C15


class Clamp(nn.Module):
    def forward(self, x):
        return 3 * torch.tanh(x / 3)


class Block(nn.Module):
    """relu(conv-relu-conv-relu-conv (x) + x); with `pooled`, x is first x + pool(x)."""

    def __init__(self, channels, pooled=False):
        super().__init__()
        layers = []
        for _ in range(3):
            layers += [nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU()]
        self.conv = nn.Sequential(*layers[:-1])
        self.pool = None
        if pooled:
            self.pool = nn.Sequential(
                nn.Conv2d(channels, 4 * channels, 1, bias=False),
                nn.GroupNorm(4, 4 * channels),
                nn.ReLU(),
                nn.Conv2d(4 * channels, channels, 1, bias=False),
            )

    def forward(self, x):
        if self.pool is not None:
            x = x + self.pool(x)
        return torch.relu(self.conv(x) + x)


def encoder():
    layers = [nn.Conv2d(3, 64, 3, padding=1), Block(64)]
    for stage in range(3):
        layers.append(nn.Conv2d(64, 64, 3, stride=2, padding=1, bias=False))
        layers += [Block(64, pooled=stage == 2) for _ in range(3)]
    return nn.Sequential(*layers, nn.Conv2d(64, 32, 3, padding=1))


def decoder():
    layers = [Clamp(), nn.Conv2d(32, 64, 3, padding=1), nn.ReLU()]
    for stage in range(3):
        layers += [Block(64, pooled=stage == 0) for _ in range(3)]
        layers += [nn.Upsample(scale_factor=2), nn.Conv2d(64, 64, 3, padding=1, bias=False)]
    return nn.Sequential(*layers, Block(64), nn.Conv2d(64, 3, 3, padding=1))


def mix(z):
    """SplitMix64's finaliser."""
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def stream(purpose, count):
    """The first `count` numbers of the Rust `Stream::new(purpose, 0, 0)`."""
    name = 0xCBF29CE484222325
    for byte in purpose.encode():
        name = ((name ^ byte) * 0x100000001B3) & MASK
    state = mix((mix(name ^ mix(GAMMA)) + mix(GAMMA)) & MASK)
    z = np.uint64(state) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(GAMMA)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def generated_weights(model, half):
    """Ten-bit numbers times a power of two, so that f16 holds them exactly.

    The power keeps the variance through a convolution within a factor of four of one.
    """
    state = {}
    for name, old in model.state_dict().items():
        level = (stream(f"{half}/{name}", old.numel()) >> np.uint64(54)).astype(np.float32) - 512
        fan_in = old[0].numel() if old.dim() == 4 else 0
        scale = {0: 2**-10, 27: 2**-10, 64: 2**-11, 256: 2**-12, 288: 2**-12, 576: 2**-13}[fan_in]
        value = level * np.float32(scale)
        if ".pool.1.weight" in name:
            value = value + np.float32(1)
        state[name] = torch.from_numpy(value.reshape(old.shape))
    return state


def load(folder, half):
    tensors = load_file(folder / f"taef2_{half}.safetensors")
    return {name: torch.from_numpy(value.astype(np.float32)) for name, value in tensors.items()}


def run(encode, decode, picture):
    with torch.no_grad():
        x = torch.from_numpy(picture.astype(np.float32) / np.float32(255))[None]
        latents = encode(x)
        return latents[0].numpy(), decode(latents)[0].numpy()


def write(name, picture, models):
    latents, reconstruction = run(*models, picture)
    tensors = {"input": picture, "latents": latents, "reconstruction": reconstruction}
    tensors = {key: np.ascontiguousarray(value) for key, value in tensors.items()}
    save_file(tensors, GOLDEN / f"{name}.safetensors")
    print(name, "latents within", np.abs(latents).max(), "reconstruction in",
          (reconstruction.min(), reconstruction.max()))


def test_picture(height, width):
    """A gradient, a disc and stripes."""
    y, x = np.mgrid[:height, :width] / np.float64(height)
    red = 0.2 + 0.5 * x / x.max()
    green = np.where((y - 0.5) ** 2 + (x - 0.6) ** 2 < 0.09, 0.8, 0.3)
    blue = 0.5 + 0.4 * np.sin(40 * x + 10 * y * y)
    return np.round(255 * np.stack([red, green, blue])).astype(np.uint8)


def kodak(shared, number):
    return np.asarray(Image.open(shared / "data" / "kodak" / f"{number:02}.png")).transpose(2, 0, 1)


def print_psnr(shared, models, save):
    values = []
    for number in range(1, 25):
        picture = kodak(shared, number)
        levels = np.round(255 * np.clip(run(*models, picture)[1], 0, 1))
        values.append(10 * np.log10(255**2 / np.mean((levels - picture) ** 2)))
        print(f"{number:02} {values[-1]:.4f}")
        if save:
            rgb = levels.astype(np.uint8).transpose(1, 2, 0)
            Image.fromarray(rgb).save(save / f"{number:02}.png")
    print(f"mean {np.mean(values):.4f}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("shared", type=pathlib.Path)
    parser.add_argument("--psnr", action="store_true")
    parser.add_argument("--save", type=pathlib.Path)
    arguments = parser.parse_args()
    models = (encoder(), decoder())
    for model, half in zip(models, ("encoder", "decoder")):
        model.load_state_dict(load(arguments.shared / "weights" / "taef2", half))
        print(half, sum(tensor.numel() for tensor in model.parameters()), "parameters")
    if arguments.psnr:
        print_psnr(arguments.shared, models, arguments.save)
        return
    GOLDEN.mkdir(parents=True, exist_ok=True)
    write("picture", test_picture(64, 96), models)
    write("kodak", kodak(arguments.shared, 23)[:, 130:194, 200:264], models)
    for model, half in zip(models, ("encoder", "decoder")):
        model.load_state_dict(generated_weights(model, half))
    noise = (stream("picture", 3 * 32 * 32) >> np.uint64(56)).astype(np.uint8)
    write("generated", noise.reshape(3, 32, 32), models)


if __name__ == "__main__":
    main()
