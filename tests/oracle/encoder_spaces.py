"""FD-DINOv2 in its three published resizes, CMMD and FD in an encoder's own space, by PyTorch with generated weights of one block.

    python encoder_spaces.py        makes ../golden/encoder_spaces/encoder_spaces.json

DINOv2 is `transformers`' network with positions as its own repository interpolates them (`scale_factor`, offset 0.1), resized as
dgm-eval (8 bits and mode F of Pillow) and torch-fidelity (its own function) do it; CLIP is `transformers`' ViT-L/14 at 336 behind
cmmd-pytorch's crop and resizes. The encoder's own space is that of the same DINOv2 as it is probed: `transformers`' positions, and the
picture resized by PyTorch's bicubic so that patches of 14 pixels are 16 of the picture's. Weights are those of recipe.py by the names of the published files, in f32; the networks run in
f64 on inputs that were made in f32. Distances are numpy's.
"""

import json
import pathlib

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x
from torchvision import transforms
from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

import feature_metrics
import recipe
import vision
from hashed import picture

TARGET = pathlib.Path(__file__).parent / "../golden/encoder_spaces/encoder_spaces.json"
COUNT, BATCH, KEPT = 24, 8, 24
SETS = {"real": (100, 20), "made": (200, 60)}
# Sizes of the pictures whose inputs are kept: smaller than the network's, larger, and no squares.
SIZES = [(64, 64), (90, 70), (400, 300), (331, 250)]


def generate(name, shape):
    return torch.from_numpy(recipe.tensor(name, list(shape)))


def positions(table, rows, columns):
    """DINOv2's interpolate_pos_encoding."""
    side = int((table.shape[1] - 1) ** 0.5)
    grid = table[:, 1:].reshape(1, side, side, -1).permute(0, 3, 1, 2)
    scales = (float((rows + 0.1) / side), float((columns + 0.1) / side))
    grid = F.interpolate(grid.float(), scale_factor=scales, mode="bicubic").to(table.dtype)
    assert grid.shape[2:] == (rows, columns)
    return torch.cat((table[:, :1], grid.permute(0, 2, 3, 1).reshape(1, rows * columns, -1)), 1)


def dinov2_of_transformers():
    vision.generate = generate
    return vision.dinov2("l", 0, 1).double()


def dinov2():
    model = dinov2_of_transformers()
    of = model.embeddings
    of.interpolate_pos_encoding = lambda tokens, height, width: positions(of.position_embeddings, height // 14, width // 14)
    return model


def clip():
    vision.generate = generate
    config = CLIPVisionConfig(
        hidden_size=1024, intermediate_size=4096, num_attention_heads=16, num_hidden_layers=1, image_size=336,
        patch_size=14, projection_dim=768,
    )
    return vision.fill(CLIPVisionModelWithProjection(config), lambda key: key).double()


def dgm(array):
    resize = transforms.Resize((224, 224), transforms.InterpolationMode.BICUBIC)
    return transforms.ToTensor()(resize(Image.fromarray(array)))


def dgm_clean(array):
    planes = [Image.fromarray(array[:, :, channel].astype(np.float32)) for channel in range(3)]
    planes = [np.asarray(plane.resize((224, 224), Image.BICUBIC)).clip(0, 255) for plane in planes]
    return torch.from_numpy(np.stack(planes)) / 255


def tfid(array):
    levels = torch.from_numpy(array).permute(2, 0, 1)[None].float()
    return interpolate_bilinear_2d_like_tensorflow1x(levels, size=(224, 224), align_corners=False)[0] / 255


def cmmd(array):
    height, width = array.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    image = Image.fromarray(array).crop((left, top, left + side, top + side)).resize((336, 336), Image.BICUBIC)
    shares = torch.from_numpy(np.asarray(image).astype(np.float32) / 255.0).permute(2, 0, 1)[None]
    again = F.interpolate(shares, size=(336, 336), mode="bicubic")
    assert torch.equal(again, shares)
    return again[0]


def as_it_is(array):
    shares = torch.from_numpy(array).permute(2, 0, 1)[None].float() / 255
    size = tuple(side // 16 * 14 for side in shares.shape[2:])
    return F.interpolate(shares, size=size, mode="bicubic", align_corners=False)[0]


RULES = {"dgm": dgm, "dgm-clean": dgm_clean, "tfid": tfid, "cmmd": cmmd}


def some(values):
    """A few numbers, evenly spread, and the mean of all."""
    flat = values.double().flatten()
    at = np.linspace(0, len(flat) - 1, KEPT).astype(int)
    return dict(mean=float(flat.mean()), at=at.tolist(), values=[float(flat[place]) for place in at])


@torch.no_grad()
def features(network, rule, arrays):
    normal = vision.CLIP if rule == "cmmd" else vision.IMAGENET
    rows = []
    for at in range(0, len(arrays), BATCH):
        rule_of = RULES.get(rule, as_it_is)
        inputs = torch.stack([rule_of(array) for array in arrays[at : at + BATCH]]).double()
        mean, std = (torch.tensor(values, dtype=torch.float64).view(1, 3, 1, 1) for values in normal)
        output = network((inputs - mean) / std)
        rows.append(output.image_embeds if rule == "cmmd" else output.last_hidden_state[:, 0])
    return torch.cat(rows).numpy()


def mmd(x, y):
    """cmmd-pytorch's distance.py, in f64."""
    x, y = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (x, y))
    kernel = lambda a, b: np.exp(-((a[:, None] - b[None]) ** 2).sum(-1) / (2 * 10**2)).mean()
    return float(1000 * (kernel(x, x) + kernel(y, y) - 2 * kernel(x, y)))


def main():
    torch.set_num_threads(2)
    found = {"inputs": [], "spaces": {}}
    for width, height in SIZES:
        array = picture(width, height, 7, 60)
        inputs = {name: some(rule(array)) for name, rule in RULES.items()}
        found["inputs"].append(dict(width=width, height=height, rules=inputs))
    networks = {"dgm": (network := dinov2()), "dgm-clean": network, "tfid": network, "cmmd": clip()}
    networks["dinov2-l"] = dinov2_of_transformers()
    for rule, network in networks.items():
        arrays = {
            name: [picture(64, 64, seed + index, amplitude) for index in range(COUNT)]
            for name, (seed, amplitude) in SETS.items()
        }
        real, made = (features(network, rule, arrays[name]) for name in SETS)
        # As the program hands them on: in f32.
        real, made = (z.astype(np.float32).astype(np.float64) for z in (real, made))
        distance = mmd(real, made) if rule == "cmmd" else feature_metrics.frechet(real, made)["singular-values"]
        found["spaces"][rule] = dict(distance=distance, first=some(torch.from_numpy(made[0])))
        print(rule, distance, flush=True)
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
