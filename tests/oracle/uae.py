"""UAE of both generations with generated weights: `transformers`' encoders, and own code from the papers and their repositories for
all else (frequency masks, modulator of bands, decoder), since no package has it.

    uae.py [CASE...]        makes ../golden/uae/CASE.json, all cases without arguments

Weights are those of recipe.py by the names of UAE's checkpoints, rounded to f16; the decoder's positions too, so that positions
that are computed instead of read would show. `noise` is how far PyTorch in f32 is from itself in f64, in units of the standard deviation.
"""

import json
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection, SiglipVisionConfig, SiglipVisionModel
from transformers import Dinov2WithRegistersConfig, Dinov2WithRegistersModel

from checksum import checksum
from vision import CLIP, HALF, IMAGENET, RAE_DECODERS, fill, generate, pixels, published, seen

GOLDEN = Path(__file__).parent.parent / "golden" / "uae"
GRID = 16
CASES = {
    "uae-dinov2-b": dict(depth=(12, 28), decoder="xl"),
    "uae-siglip2-b": dict(depth=(2, 1), decoder="b"),
    "uae-clip-l": dict(depth=(2, 1), decoder="l"),
    "uae-v1-dinov2-b": dict(depth=(1, 1), decoder="b"),
}
# Not 36, as UAE is trained with: whole diagonals do not tell the order from its transpose.
KEPT = 40


def encode(name, depth, image):
    """Tokens as a grid [1, C, 16, 16]. The last norm has neither weight nor bias."""
    dtype = image.dtype
    if "dinov2" in name:
        config = Dinov2WithRegistersConfig(
            hidden_size=768, num_attention_heads=12, num_hidden_layers=depth, image_size=518, patch_size=14
        )
        model = Dinov2WithRegistersModel(config)
        fill(model, lambda key: "encoder.encoder." + published(key), ("layernorm.weight", "layernorm.bias"))
        tokens = model.to(dtype)(seen(image, (224, 224), IMAGENET)).last_hidden_state[:, 5:]
    elif "siglip2" in name:
        model = SiglipVisionModel(SiglipVisionConfig(num_hidden_layers=depth, image_size=256, patch_size=16))
        plain = ("post_layernorm.weight", "post_layernorm.bias")
        fill(model, lambda key: "encoder.model." + key, plain)
        tokens = model.to(dtype)(seen(image, (256, 256), HALF)).last_hidden_state
    else:
        config = CLIPVisionConfig(
            hidden_size=1024, intermediate_size=4096, num_attention_heads=16, patch_size=14, num_hidden_layers=depth
        )
        model = fill(CLIPVisionModelWithProjection(config), lambda key: "encoder.model." + key)
        tokens = model.to(dtype)(seen(image, (224, 224), CLIP)).last_hidden_state[:, 1:]
    return tokens.transpose(1, 2).reshape(1, -1, GRID, GRID)


def zigzag(rows, columns):
    """(row, column) of each coefficient: diagonals in turn down to the left and up to the right."""
    order = []
    for diagonal in range(rows + columns - 1):
        places = [(y, diagonal - y) for y in range(rows) if 0 <= diagonal - y < columns]
        order += places if diagonal % 2 == 0 else places[::-1]
    return order


def low_pass(z, kept):
    """The first `kept` coefficients of the orthonormal DCT-II of each channel."""
    basis = dct_basis().to(z.dtype)
    mask = torch.zeros(GRID, GRID, dtype=z.dtype)
    for y, x in zigzag(GRID, GRID)[:kept]:
        mask[y, x] = 1
    return basis.T @ ((basis @ z @ basis.T) * mask) @ basis


def dct_basis():
    """M[k, i] = c_k cos(pi k (i + 1/2) / n)."""
    n = torch.arange(GRID, dtype=torch.float64)
    basis = torch.cos(torch.pi / GRID * torch.outer(n, n + 0.5)) * (2 / GRID) ** 0.5
    basis[0] /= 2**0.5
    return basis


def bands(z):
    """The mean, and the rest within the radius of 8, each from what is left of the one before."""
    axis = torch.arange(-GRID // 2, GRID // 2, dtype=z.dtype)
    radius = (axis[:, None] ** 2 + axis[None] ** 2).sqrt()
    largest = 16.0
    radii = [0.0] + [value / largest * (GRID // 2) for value in (0.32, 16.0)]
    rest, found = z, []
    for inner, outer in zip(radii, radii[1:]):
        ring = ((radius >= inner) & (radius <= outer)).to(z.dtype)
        spectrum = torch.fft.fftshift(torch.fft.fft2(rest), dim=(-2, -1)) * ring
        band = torch.fft.ifft2(torch.fft.ifftshift(spectrum, dim=(-2, -1))).real
        rest = rest - band
        found.append(band)
    return found


def modulate(z, kept):
    """The first generation's transform, with all bands from `kept` on set to 0."""
    take = lambda name, *shape: generate(f"freq_modulator.{name}", shape).to(z.dtype)
    channels = z.shape[1]
    parts = [band if index < kept else torch.zeros_like(band) for index, band in enumerate(bands(z))]
    for layer in range(2):
        mix = take(f"band_transform.layers.{layer}.weight", 2, 2)
        parts = [sum(mix[i, j] * parts[j] for j in range(2)) for i in range(2)]
    x = torch.cat(parts, dim=1)
    hidden = max(2 * channels, 512)
    first = take("denoiser.0.weight", hidden, 2 * channels, 3, 3), take("denoiser.0.bias", hidden)
    second = take("denoiser.2.weight", channels, hidden, 3, 3), take("denoiser.2.bias", channels)
    x = F.conv2d(F.silu(F.conv2d(x, *first, padding=1)), *second, padding=1)
    return x + sum(parts)


def decode(z, size, depth, normal):
    """RAE's decoder, layer by layer: weights are made when they are needed."""
    width, hidden, heads = RAE_DECODERS[size]
    dtype, channels = z.dtype, z.shape[1]

    def take(name, *shape):
        return generate(f"decoder.{name}", shape).to(dtype)

    def linear(x, name, outputs):
        return F.linear(x, take(f"{name}.weight", outputs, x.shape[-1]), take(f"{name}.bias", outputs))

    def norm(x, name):
        return F.layer_norm(x, (width,), take(f"{name}.weight", width), take(f"{name}.bias", width), 1e-12)

    tokens = z.reshape(1, channels, -1).transpose(1, 2)
    x = torch.cat([take("trainable_cls_token", 1, 1, width), linear(tokens, "decoder_embed", width)], dim=1)
    x = x + take("decoder_pos_embed", 1, GRID * GRID + 1, width)
    for layer in range(depth):
        at = f"decoder_layers.{layer}"
        y = norm(x, f"{at}.layernorm_before")
        split = lambda part: linear(y, f"{at}.attention.attention.{part}", width).view(1, -1, heads, width // heads).transpose(1, 2)
        query, key, value = split("query"), split("key"), split("value")
        weights = torch.softmax(query @ key.transpose(2, 3) / (width // heads) ** 0.5, dim=-1)
        x = x + linear((weights @ value).transpose(1, 2).reshape(1, -1, width), f"{at}.attention.output.dense", width)
        y = F.gelu(linear(norm(x, f"{at}.layernorm_after"), f"{at}.intermediate.dense", hidden))
        x = x + linear(y, f"{at}.output.dense", width)
    x = linear(norm(x, "decoder_norm"), "decoder_pred", 16 * 16 * 3)[:, 1:]
    x = x.view(1, GRID, GRID, 16, 16, 3).permute(0, 5, 1, 3, 2, 4).reshape(1, 3, 16 * GRID, 16 * GRID)
    mean, std = (torch.tensor(values, dtype=dtype).view(1, 3, 1, 1) for values in normal)
    return x * std + mean


def run(name, depth, decoder, image):
    z = encode(name, depth[0], image)
    normal = CLIP if "clip" in name else HALF if "siglip2" in name else IMAGENET
    if "v1" in name:
        latents, masked = modulate(z, 2), modulate(z, 1)
    else:
        latents, masked = z, low_pass(z, KEPT)
    found = dict(latents=latents, masked=masked, reconstruction=decode(latents, decoder, depth[1], normal))
    if name == "uae-siglip2-b":
        count = latents.numel()
        mean = generate("_latents_mean", [count]).view_as(latents).to(image.dtype)
        std = 1 + generate("_latents_std", [count]).view_as(latents).to(image.dtype)
        found["normalised"] = (latents - mean) / std
    return found


@torch.no_grad()
def main():
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for name, case in CASES.items():
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        image = pixels(256, 256)
        single, double = run(name, image=image, **case), run(name, image=image.double(), **case)
        tensors = {}
        for key, value in single.items():
            error = (value.double() - double[key]).abs().max() / double[key].std()
            tensors[key] = checksum(double[key]) | dict(noise=float(f"{error:.2g}"))
            print(f"{name} {key} {tuple(value.shape)} std {tensors[key]['std']:.4g}, f32 within {error:.2g} of it", flush=True)
        (GOLDEN / f"{name}.json").write_text(json.dumps(case | dict(tensors=tensors)) + "\n")


if __name__ == "__main__":
    main()
