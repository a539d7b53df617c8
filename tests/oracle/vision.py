"""Vision towers and RAE with generated weights: `transformers`' classes and diffusers' AutoencoderRAE.

    vision.py [CASE...]        makes ../golden/vision/CASE.json, all cases without arguments

A case is an id, the number of blocks, the size of the picture, and which tensors are kept. Weights are those of recipe.py
by the names of the published files, rounded to f16 as a file half as large holds them. `noise` is how far PyTorch in f32 is from
itself in f64, in units of the standard deviation.
"""

import json
import re
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderRAE
from transformers import (
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    Dinov2Config,
    Dinov2Model,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    SiglipVisionConfig,
    SiglipVisionModel,
    ViTMAEConfig,
    ViTMAEModel,
)

import recipe
from checksum import checksum
from hashed import picture

# diffusers 0.42 asks SiglipVisionModel for a part that it no longer has in version 5: itself.
SiglipVisionModel.vision_model = property(lambda self: self)

GOLDEN = Path(__file__).parent.parent / "golden" / "vision"
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
HALF = ((0.5,) * 3, (0.5,) * 3)

WIDTHS = {"s": (384, 6), "b": (768, 12), "l": (1024, 16)}


def published(name):
    """A name as files have it, from the one that version 5 of transformers has in memory."""
    for new, old in (("query", "q_proj"), ("key", "k_proj"), ("value", "v_proj")):
        name = name.replace(f".attention.{old}.", f".attention.attention.{new}.")
    return name.replace(".attention.o_proj.", ".attention.output.dense.")


def published_mae(name):
    name = re.sub(r"^layers\.", "encoder.layer.", published(name))
    return name.replace(".mlp.fc1.", ".intermediate.dense.").replace(".mlp.fc2.", ".output.dense.")


# What embeddings are multiplied by in the cases that are called faint: the first norm then shows its epsilon, which is lost in
# the rounding where tokens are as large as 1.
FAINT = 2.0**-10
scale_of_embeddings = 1.0


def generate(name, shape):
    values = torch.from_numpy(recipe.tensor(name, list(shape)))
    return (values * scale_of_embeddings if "embeddings." in name else values).half().float()


def fill(module, rename, skip=()):
    state = {key: generate(rename(key), value.shape) for key, value in module.state_dict().items() if key not in skip}
    missing, unexpected = module.load_state_dict(state, strict=False, assign=True)
    assert not unexpected and set(missing) <= set(skip), (missing, unexpected)
    return module.eval()


def pixels(width, height):
    """[1, 3, height, width] in [0, 1]."""
    return torch.from_numpy(picture(width, height, 5, 40)).permute(2, 0, 1)[None].float() / 255


def seen(image, size, normal):
    if tuple(image.shape[2:]) != size:
        image = F.interpolate(image, size=size, mode="bicubic", align_corners=False)
    mean, std = (torch.tensor(values, dtype=image.dtype).view(1, 3, 1, 1) for values in normal)
    return (image - mean) / std


def hidden(run, blocks):
    """What `run` returns, and what comes out of each of `blocks`."""
    states = []
    take = lambda module, inputs, output: states.append(output[0] if isinstance(output, tuple) else output)
    hooks = [block.register_forward_hook(take) for block in blocks]
    output = run()
    for hook in hooks:
        hook.remove()
    return output, states


def dinov2(size, registers, depth):
    width, heads = WIDTHS[size]
    config, model = (
        (Dinov2WithRegistersConfig, Dinov2WithRegistersModel) if registers else (Dinov2Config, Dinov2Model)
    )
    config = config(
        hidden_size=width, num_attention_heads=heads, num_hidden_layers=depth, image_size=518, patch_size=14
    )
    return fill(model(config), published)


def encoder(name, depth, image):
    """Tensors of an encoder by name."""
    family, _, size = name.rpartition("-")
    if family in ("dinov2", "dinov2-reg"):
        registers = family == "dinov2-reg"
        model = dinov2(size, registers, depth).to(image.dtype)
        small = tuple(side // 16 * 14 for side in image.shape[2:])
        output, states = hidden(lambda: model(seen(image, small, IMAGENET)), model.encoder.layer)
        first = 5 if registers else 1
        last = output.last_hidden_state
        return dict(patches=last[:, first:], class_token=last[:, 0], block=states[0][:, first:])
    if family == "clip":
        sizes = dict(hidden_size=1024, intermediate_size=4096, num_attention_heads=16, patch_size=14, projection_dim=768)
        config = CLIPVisionConfig(num_hidden_layers=depth, **(sizes if size == "l" else {}))
        model = fill(CLIPVisionModelWithProjection(config), lambda key: key).to(image.dtype)
        output, states = hidden(lambda: model(seen(image, (224, 224), CLIP)), model.vision_model.encoder.layers)
        last, normed = output.last_hidden_state, model.vision_model.post_layernorm(output.last_hidden_state[:, 0])
        return dict(patches=last[:, 1:], class_token=normed, pooled=output.image_embeds, block=states[0][:, 1:])
    if family == "siglip2":
        config = SiglipVisionConfig(num_hidden_layers=depth, image_size=256, patch_size=16)
        model = fill(SiglipVisionModel(config), lambda key: f"vision_model.{key}").to(image.dtype)
        output, states = hidden(lambda: model(seen(image, (256, 256), HALF)), model.encoder.layers)
        return dict(patches=output.last_hidden_state, pooled=output.pooler_output, block=states[0])
    assert name == "mae-b"
    model = ViTMAEModel(ViTMAEConfig(num_hidden_layers=depth, mask_ratio=0.0))
    model = fill(model, lambda key: f"vit.{published_mae(key)}").to(image.dtype)
    noise = torch.arange(196).to(image.dtype)[None]
    output, states = hidden(lambda: model(seen(image, (224, 224), IMAGENET), noise), model.layers)
    last = output.last_hidden_state
    return dict(patches=last[:, 1:], class_token=last[:, 0], block=states[0][:, 1:])


def last_classes(name, depth, image):
    """The class tokens of the last four blocks of DINOv2 through its norm, as eval/linear.py joins them."""
    size = name.rpartition("-")[2]
    model = dinov2(size, "reg" in name, depth).to(image.dtype)
    small = tuple(side // 16 * 14 for side in image.shape[2:])
    _, states = hidden(lambda: model(seen(image, small, IMAGENET)), model.encoder.layer)
    return dict(class_token=torch.cat([model.layernorm(state)[:, 0] for state in states[-4:]], 1))


def mae_positions(width, side):
    """MAE's formula, in f64."""
    rates = 10000.0 ** -(np.arange(width // 4) / (width / 4))
    y, x = np.mgrid[:side, :side].reshape(2, -1, 1)
    table = np.concatenate([np.sin(x * rates), np.cos(x * rates), np.sin(y * rates), np.cos(y * rates)], 1)
    return torch.from_numpy(np.concatenate([np.zeros((1, width)), table])[None]).float()


RAE_ENCODERS = {
    "rae-dinov2-s": ("dinov2", 384, 14, 224, IMAGENET),
    "rae-dinov2-b": ("dinov2", 768, 14, 224, IMAGENET),
    "rae-dinov2-l": ("dinov2", 1024, 14, 224, IMAGENET),
    "rae-dinov2-b-512": ("dinov2", 768, 14, 448, IMAGENET),
    "rae-mae-b": ("mae", 768, 16, 256, IMAGENET),
    "rae-siglip2-b": ("siglip2", 768, 16, 256, HALF),
}
# Width, hidden width and heads.
RAE_DECODERS = {"b": (768, 3072, 12), "l": (1024, 4096, 16), "xl": (1152, 4096, 16)}


def rae_name(kind, key):
    if not key.startswith("encoder."):
        return key
    rename = dict(dinov2=published, mae=published_mae, siglip2=lambda key: f"vision_model.{key}")[kind]
    return "encoder." + rename(key.removeprefix("encoder."))


def autoencoder_rae(name, depth, decoder):
    kind, width, patch, size, normal = RAE_ENCODERS[name]
    hidden_size, intermediate, heads = RAE_DECODERS[decoder]
    grid = size // patch
    model = AutoencoderRAE(
        encoder_type=kind, encoder_hidden_size=width, encoder_patch_size=patch, encoder_num_hidden_layers=depth[0],
        decoder_hidden_size=hidden_size, decoder_num_hidden_layers=depth[1], decoder_num_attention_heads=heads,
        decoder_intermediate_size=intermediate, encoder_input_size=size, encoder_norm_mean=list(normal[0]),
        encoder_norm_std=list(normal[1]), latents_mean=torch.zeros(width, grid, grid),
        latents_std=torch.ones(width, grid, grid),
    )
    fixed = ("encoder_mean", "encoder_std", "_latents_mean", "_latents_std")
    fill(model, lambda key: rae_name(kind, key), fixed)
    count = width * grid * grid
    model._latents_mean.copy_(generate("_latents_mean", [count]).view(width, grid, grid))
    model._latents_std.copy_((1 + generate("_latents_std", [count])).view(width, grid, grid))
    positions = mae_positions(hidden_size, grid)
    difference = (positions - model.decoder.decoder_pos_embed).abs().max().item()
    print(f"  positions differ from diffusers' by {difference}")
    assert difference < 1e-6 or grid != 16
    model.decoder.decoder_pos_embed = positions
    return model.eval()


def rae(name, depth, decoder, image):
    model = autoencoder_rae(name, depth, decoder).to(image.dtype)
    theirs = model.encode(image).latent
    latents = model._denormalize_latents(theirs)
    # As RAE itself has it: diffusers adds another 1e-5 to the deviation.
    normalised = (latents - model._latents_mean) / model._latents_std
    return dict(latents=latents, normalised=normalised, reconstruction=model.decode(theirs).sample)


ENCODERS = [
    ("dinov2-reg-b", 12, 256, 256), ("dinov2-reg-s", 2, 512, 256), ("dinov2-reg-l", 2, 256, 256),
    ("dinov2-s", 2, 512, 256), ("dinov2-b", 2, 256, 256), ("dinov2-l", 2, 256, 256), ("clip-l", 2, 256, 256),
    ("clip-b32", 2, 256, 256), ("siglip2-b", 2, 256, 256), ("mae-b", 2, 256, 256),
]
RAES = [
    ("rae-dinov2-b", (12, 28), "xl", 256), ("rae-dinov2-s", (2, 1), "b", 256), ("rae-dinov2-l", (1, 1), "l", 256),
    ("rae-dinov2-b-512", (1, 1), "xl", 512), ("rae-mae-b", (2, 1), "b", 256), ("rae-siglip2-b", (2, 1), "b", 256),
]


FAINT_ENCODERS = ["dinov2-reg-s", "clip-b32", "siglip2-b", "mae-b"]


@torch.no_grad()
def write(name, file=None, **case):
    print(file or name)
    if "decoder" in case:
        side = case["side"]
        run = lambda image: rae(name, case["depth"], case["decoder"], image)
        image = pixels(side, side)
    else:
        of = last_classes if file == f"{name}-last" else encoder
        run = lambda image: of(name, case["depth"], image)
        image = pixels(case["width"], case["height"])
    single, double = run(image), run(image.double())
    tensors = {}
    for key, value in single.items():
        error = (value.double() - double[key]).abs().max() / double[key].std()
        tensors[key] = checksum(double[key]) | dict(noise=float(f"{error:.2g}"))
        print(f"  {key} {tuple(value.shape)} std {tensors[key]['std']:.4g}, f32 within {error:.2g} of it")
    GOLDEN.mkdir(parents=True, exist_ok=True)
    (GOLDEN / f"{file or name}.json").write_text(json.dumps(case | dict(tensors=tensors)) + "\n")


def main():
    wanted = sys.argv[1:]
    for name, depth, width, height in ENCODERS:
        if not wanted or name in wanted:
            write(name, depth=depth, width=width, height=height)
    global scale_of_embeddings
    scale_of_embeddings = FAINT
    for name in FAINT_ENCODERS:
        if not wanted or f"{name}-faint" in wanted:
            write(name, file=f"{name}-faint", depth=1, width=256, height=256)
    scale_of_embeddings = 1.0
    if not wanted or "dinov2-reg-s-last" in wanted:
        write("dinov2-reg-s", file="dinov2-reg-s-last", depth=5, width=256, height=256)
    for name, depth, decoder, side in RAES:
        if not wanted or name in wanted:
            write(name, depth=depth, decoder=decoder, side=side)


if __name__ == "__main__":
    main()
