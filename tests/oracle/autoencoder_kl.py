"""Golden values of AutoencoderKL with generated weights, by diffusers' class.

Writes tests/golden/autoencoder_kl/:

- tensors.json: name in diffusers, name and shape in the file, of every tensor of `sd-vae` in diffusers' layout and of `flux-vae`
  in its native one. The native names are proven by diffusers' own conversion of such files, which must give diffusers' names.
- full.json: the two at full size; reduced.json: the same architectures with fewer and narrower layers.

A weight's values follow recipe.py from diffusers' name and shape. Two channels of logarithms of variances have biases at the
bounds of the clamp, so that it is active at about half of their positions. `deviation` is exp(logarithm / 2) of the clamped
logarithm, `sample` the latent of seed 5 and sample 3: mean + deviation n, n of the stream "posterior". Of each array SAMPLES evenly
spaced values, the sum, the root mean square and the standard deviation are kept. `exact` is how far PyTorch in single precision is
from itself in double precision, over the standard deviation (reduced.json alone: memory).
"""

import json
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint

import recipe
import streams
from checksum import checksum
from hashed import picture

GOLDEN = Path(__file__).parent.parent / "golden" / "autoencoder_kl"
SAMPLES = 256
SEED, KEY = 5, 3
FULL = dict(block_out_channels=[128, 256, 512, 512], layers_per_block=2)
REDUCED = dict(block_out_channels=[32, 64, 96, 96], layers_per_block=1)
FOUR = dict(latent_channels=4)
SIXTEEN = dict(latent_channels=16, use_quant_conv=False, use_post_quant_conv=False)
# (width, height, seed, amplitude)
FULL_PICTURES = {"sd-vae": [(96, 64, 1, 30), (128, 128, 2, 60)], "flux-vae": [(64, 96, 3, 30)]}
REDUCED_PICTURES = [(96, 64, 4, 30), (256, 256, 5, 60)]


def build(sizes, latents):
    return AutoencoderKL(
        down_block_types=["DownEncoderBlock2D"] * 4, up_block_types=["UpDecoderBlock2D"] * 4, norm_num_groups=32, **sizes, **latents
    ).eval()


def fill(model):
    state = {name: torch.from_numpy(recipe.tensor(name, tuple(old.shape))) for name, old in model.state_dict().items()}
    last = state["quant_conv.bias" if "quant_conv.bias" in state else "encoder.conv_out.bias"]
    last[len(last) // 2], last[len(last) // 2 + 1] = -30, 20
    model.load_state_dict(state)
    return state


def native(name, levels=4):
    """The name that CompVis and Black Forest Labs give the tensor."""
    if name.startswith("decoder.up_blocks."):
        level, rest = name.removeprefix("decoder.up_blocks.").split(".", 1)
        name = f"decoder.up_blocks.{levels - 1 - int(level)}.{rest}"
    pairs = {
        "mid_block.resnets.0": "mid.block_1", "mid_block.resnets.1": "mid.block_2", "attentions.0.group_norm": "attn_1.norm",
        "attentions.0.to_out.0": "attn_1.proj_out", "attentions.0.to_": "attn_1.", "mid_block": "mid", "down_blocks": "down",
        "up_blocks": "up", "resnets": "block", "downsamplers.0": "downsample", "upsamplers.0": "upsample",
        "conv_shortcut": "nin_shortcut", "conv_norm_out": "norm_out",
    }
    for ours, theirs in pairs.items():
        name = name.replace(ours, theirs)
    return name


def native_state(model, state):
    """The file's tensors: attention as 1x1 convolutions. Checked against diffusers' conversion of such files."""
    attention = lambda name, value: value[:, :, None, None] if ".attentions." in name and value.dim() == 2 else value
    stored = {native(name): attention(name, value) for name, value in state.items()}
    back = convert_ldm_vae_checkpoint(dict(stored), model.config)
    assert back.keys() == state.keys(), back.keys() ^ state.keys()
    assert all(torch.equal(back[name].reshape(state[name].shape), state[name]) for name in state)
    return stored


def kept(values):
    return checksum(values, SAMPLES)


@torch.no_grad()
def run(model, case):
    dtype = next(model.parameters()).dtype
    pixels = torch.from_numpy(picture(*case)).permute(2, 0, 1)[None].float() / 255
    posterior = model.encode((2 * pixels - 1).to(dtype)).latent_dist
    raw = posterior.parameters.chunk(2, dim=1)[1]
    reconstruction = (model.decode(posterior.mode()).sample + 1) / 2
    return posterior.mode(), posterior.std, raw, reconstruction


def golden(model, case):
    mean, deviation, raw, reconstruction = run(model, case)
    noise = streams.normal("posterior", SEED, KEY, mean.numel()).reshape(mean.shape)
    # The deviation in double precision, from the network's logarithm in single.
    wide = np.exp(0.5 * np.clip(raw.double().numpy(), -30, 20))
    drawn = mean.double().numpy() + wide * noise
    clamped = [int((raw < -30).sum()), int((raw > 20).sum()), raw.numel()]
    print(case, f"mean std {mean.std():.3f}, reconstruction std {reconstruction.std():.3f}, clamped {clamped}", flush=True)
    # Two channels are of quite other sizes than the rest: each is kept by itself.
    parts = {"low": drawn[:, 0], "high": drawn[:, 1], "rest": drawn[:, 2:]}
    return dict(
        picture=case, clamped=clamped, mean=kept(mean), deviation=kept(deviation[:, 2:]), reconstruction=kept(reconstruction),
        sample={name: kept(part) for name, part in parts.items()},
    )


def exact(model, case):
    """Largest difference of single from double precision over the standard deviation: mean and reconstruction."""
    single = run(model, case)
    double = run(model.double(), case)
    model.float()
    return [float(f"{((a - b).abs().max() / b.std()).item():.2g}") for a, b in [(single[0], double[0]), (single[3], double[3])]]


def lines(cases):
    return "[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n"


def full():
    tensors = {}
    for name, latents in [("sd-vae", FOUR), ("flux-vae", SIXTEEN)]:
        model = build(FULL, latents)
        state = fill(model)
        stored = state if name == "sd-vae" else native_state(model, state)
        tensors[name] = [[mine, theirs, list(value.shape)] for mine, (theirs, value) in zip(state, stored.items())]
        print(name, len(state), "tensors,", sum(value.numel() for value in state.values()), "parameters")
        for case in FULL_PICTURES[name]:
            yield dict(model=name, **golden(model, case))
    text = ",\n".join(f'"{name}": [\n' + ",\n".join(map(json.dumps, rows)) + "]" for name, rows in tensors.items())
    (GOLDEN / "tensors.json").write_text("{\n" + text + "\n}\n")


def reduced():
    for name, latents in [("four", FOUR), ("sixteen", SIXTEEN)]:
        model = build(REDUCED, latents)
        native_state(model, fill(model))
        for case in REDUCED_PICTURES:
            yield dict(model=name, **golden(model, case), exact=exact(model, case))


def main():
    GOLDEN.mkdir(parents=True, exist_ok=True)
    (GOLDEN / "reduced.json").write_text(lines(reduced()))
    (GOLDEN / "full.json").write_text(lines(full()))


if __name__ == "__main__":
    main()
