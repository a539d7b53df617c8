"""OpenVision 3's encoder with generated weights: diffusers' AutoencoderKL of FLUX.1, then a vision transformer over its latents,
written here from the paper's repository, with open_clip's VisionTransformer as a second witness.

    openvision3.py [CASE...]        makes ../golden/openvision3/CASE.json, all cases without arguments

A case is a configuration as `open_clip_config.json` has it; the test writes that file from it. Weights are those of recipe.py, the
tower's by the names of the published layout and rounded to f16, the autoencoder's as autoencoder_kl.py has them. `noise` is how far
PyTorch in f32 is from itself in f64, in units of the standard deviation.

No decoder is published. The cases with `decoder_cfg` have one in the layout that baselines/src/openvision3.rs describes, and the
picture that comes back. Each prints how far the picture moves when a detail of the decoder is mistaken.
"""

import json
import sys
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from open_clip.transformer import LayerNorm, VisionTransformer

import autoencoder_kl
from checksum import checksum
from vision import generate, pixels

GOLDEN = Path(__file__).parent.parent / "golden" / "openvision3"
SCALE = 0.3611

CASES = {
    # The options of OpenVision 1 and 2, full size.
    "openvision3-b": dict(embed_dim=512, vision_cfg=dict(
        image_size=32, layers=12, width=768, patch_size=2, in_channels=16, no_ln_pre=True, pool_type="avg",
        final_ln_after_pool=True, norm_kwargs=dict(eps=1e-6), head_width=64, output_tokens=True)),
    # OpenCLIP's defaults.
    "openvision3-l": dict(embed_dim=1024, vision_cfg=dict(
        image_size=16, layers=2, width=1024, patch_size=2, in_channels=16, output_tokens=True)),
    # Everything else at once. The epsilon is large enough to be seen.
    "options": dict(embed_dim=96, vision_cfg=dict(
        image_size=8, layers=2, width=128, patch_size=2, in_channels=16, head_width=32, mlp_ratio=3.0, pool_type="avg",
        act_kwargs=dict(approximate="tanh"), norm_kwargs=dict(eps=0.01))),
}
# The same with decoders: one that has everything, one without class token and outer norms.
CASES["decoder"] = CASES["options"] | dict(decoder_cfg=dict(
    width=96, layers=2, head_width=24, mlp_ratio=2.5, eps=0.02, activation="gelu_tanh", class_embedding=True,
    positional_embedding=True, ln_pre=True, ln_post=True, patch_order="hwc"))
CASES["decoder-no-class"] = CASES["options"] | dict(decoder_cfg=dict(
    width=64, layers=1, head_width=32, mlp_ratio=4.0, eps=0.05, activation="quick_gelu", class_embedding=False,
    positional_embedding=True, ln_pre=False, ln_post=False, patch_order="chw"))

GELUS = dict(gelu=F.gelu, gelu_tanh=partial(F.gelu, approximate="tanh"), quick_gelu=lambda x: x * torch.sigmoid(1.702 * x))
MISTAKES = [dict(activation="gelu"), dict(eps=1e-6), dict(head_width=16), dict(patch_order="chw"), dict(patch_order="hwc")]
SHIFT = 0.1159


class Tower:
    """The encoder of section 5.2 of the specification."""

    def __init__(self, embed_dim, vision_cfg, dtype):
        self.config = dict(head_width=64, mlp_ratio=4.0, no_ln_pre=False, final_ln_after_pool=False, pool_type="tok") | vision_cfg
        self.embed_dim, self.dtype = embed_dim, dtype
        self.width = self.config["width"]
        self.epsilon = self.config.get("norm_kwargs", {}).get("eps", 1e-6)
        self.activation = partial(F.gelu, **self.config.get("act_kwargs", {}))
        self.names = {}

    def take(self, name, *shape):
        self.names[name] = list(shape)
        return generate(name, shape).to(self.dtype)

    def linear(self, x, name, outputs):
        return F.linear(x, self.take(f"{name}.weight", outputs, x.shape[-1]), self.take(f"{name}.bias", outputs))

    def norm(self, x, name):
        return F.layer_norm(x, (self.width,), self.take(f"{name}.weight", self.width), self.take(f"{name}.bias", self.width), self.epsilon)

    def attention(self, x, name):
        weight, bias = self.take(f"{name}.in_proj_weight", 3 * self.width, self.width), self.take(f"{name}.in_proj_bias", 3 * self.width)
        heads = self.width // self.config["head_width"]
        split = lambda part: part.view(*part.shape[:2], heads, -1).transpose(1, 2)
        query, key, value = map(split, F.linear(x, weight, bias).chunk(3, dim=-1))
        x = torch.softmax(query @ key.transpose(2, 3) / self.config["head_width"] ** 0.5, dim=-1) @ value
        return self.linear(x.transpose(1, 2).flatten(2), f"{name}.out_proj", self.width)

    def mlp(self, x, name):
        hidden = self.activation(self.linear(x, f"{name}.c_fc", int(self.width * self.config["mlp_ratio"])))
        return self.linear(hidden, f"{name}.c_proj", self.width)

    def block(self, x, name):
        x = x + self.attention(self.norm(x, f"{name}.ln_1"), f"{name}.attn")
        return x + self.mlp(self.norm(x, f"{name}.ln_2"), f"{name}.mlp")

    def forward(self, latents):
        config, width, patch = self.config, self.width, self.config["patch_size"]
        x = F.conv2d(latents, self.take("conv1.weight", width, config["in_channels"], patch, patch), stride=patch)
        x = x.flatten(2).transpose(1, 2)
        x = torch.cat([self.take("class_embedding", width).expand(1, 1, -1), x], dim=1)
        x = x + self.take("positional_embedding", x.shape[1], width)
        if not config["no_ln_pre"]:
            x = self.norm(x, "ln_pre")
        for layer in range(config["layers"]):
            x = self.block(x, f"transformer.resblocks.{layer}")
            if layer == 0:
                block = x[:, 1:]
        if not config["final_ln_after_pool"]:
            x = self.norm(x, "ln_post")
        pooled = x[:, 0] if config["pool_type"] == "tok" else x[:, 1:].mean(dim=1)
        if config["final_ln_after_pool"]:
            pooled = self.norm(pooled, "ln_post")
        pooled = pooled @ self.take("proj", width, self.embed_dim)
        return dict(patches=x[:, 1:], class_token=x[:, 0], pooled=pooled, block=block)


class Decoder(Tower):
    """Tokens to the autoencoder's latents: a tower with patches of one token and a head."""

    def __init__(self, decoder_cfg, vision_cfg, dtype):
        self.config, self.vision, self.dtype = decoder_cfg, vision_cfg, dtype
        self.width, self.epsilon = decoder_cfg["width"], decoder_cfg["eps"]
        self.activation = GELUS[decoder_cfg["activation"]]
        self.names = {}

    def take(self, name, *shape):
        return super().take(f"decoder.{name}", *shape)

    def tokens(self, x):
        config, width, first = self.config, self.width, 0
        x = F.conv2d(x, self.take("conv1.weight", width, x.shape[1], 1, 1)).flatten(2).transpose(1, 2)
        if config["class_embedding"]:
            x, first = torch.cat([self.take("class_embedding", width).expand(1, 1, -1), x], dim=1), 1
        if config["positional_embedding"]:
            x = x + self.take("positional_embedding", x.shape[1], width)
        if config["ln_pre"]:
            x = self.norm(x, "ln_pre")
        for layer in range(config["layers"]):
            x = self.block(x, f"transformer.resblocks.{layer}")
        if config["ln_post"]:
            x = self.norm(x, "ln_post")
        return x[:, first:]

    def forward(self, patches):
        """[1, tokens, width] to [1, channels, side, side]."""
        side = self.vision["image_size"] // self.vision["patch_size"]
        tokens = self.tokens(patches.transpose(1, 2).unflatten(2, (side, side)))
        patch, channels = self.vision["patch_size"], self.vision["in_channels"]
        values = self.linear(tokens, "head", patch * patch * channels)
        letters = dict(h=patch, w=patch, c=channels)
        values = values.unflatten(2, [letters[letter] for letter in self.config["patch_order"]]).unflatten(1, (side, side))
        return torch.einsum(f"nyx{self.config['patch_order']}->ncyhxw", values).flatten(4, 5).flatten(2, 3)


def decode(vae, config, vision, patches, shift=0.0):
    """The decoder, its latents and the picture in [0, 1], not clamped."""
    decoder = Decoder(config, vision, patches.dtype)
    latents = decoder.forward(patches)
    picture = vae.to(patches.dtype).decode(latents / SCALE + shift).sample / 2 + 0.5
    vae.float()
    return decoder, latents, picture


def decoder_witness(decoder, patches):
    """open_clip's class with the decoder's weights, where that has all its parts: the tokens before the head."""
    config, side = decoder.config, int(patches.shape[1] ** 0.5)
    model = VisionTransformer(
        image_size=side, patch_size=1, width=decoder.width, layers=config["layers"], heads=decoder.width // config["head_width"],
        mlp_ratio=config["mlp_ratio"], output_dim=8, act_layer=partial(torch.nn.GELU, approximate="tanh"),
        norm_layer=partial(LayerNorm, eps=decoder.epsilon), output_tokens=True,
    )
    model.conv1 = torch.nn.Conv2d(patches.shape[2], decoder.width, 1, bias=False)
    state = {name: generate(name, shape) for name, shape in decoder.names.items() if ".head." not in name}
    state = {name.removeprefix("decoder."): value for name, value in state.items()} | dict(proj=torch.zeros(decoder.width, 8))
    model.load_state_dict(state)
    grid = patches.transpose(1, 2).unflatten(2, (side, side))
    theirs, mine = model.eval().to(patches.dtype)(grid)[1], decoder.tokens(grid)
    difference = ((mine - theirs).abs().max() / theirs.std()).item()
    print(f"  open_clip within {difference:.2g} of the decoder's tokens")
    assert difference < (1e-5 if patches.dtype == torch.float32 else 1e-12)


def mistakes(vae, case, patches, exact):
    for change, shift in [(change, 0.0) for change in MISTAKES] + [({}, SHIFT)]:
        _, _, picture = decode(vae, case["decoder_cfg"] | change, case["vision_cfg"], patches, shift)
        print(f"  {change or 'shift'}: {((picture - exact).abs().max() / exact.std()).item():.2g} of the picture's deviation")


def witness(tower, latents):
    """open_clip's own class with the same weights: pooled vector and tokens."""
    config = tower.config
    model = VisionTransformer(
        image_size=config["image_size"], patch_size=config["patch_size"], width=tower.width, layers=config["layers"],
        heads=tower.width // config["head_width"], mlp_ratio=config["mlp_ratio"], output_dim=tower.embed_dim,
        no_ln_pre=config["no_ln_pre"], pool_type=config["pool_type"], final_ln_after_pool=config["final_ln_after_pool"],
        act_layer=partial(torch.nn.GELU, **config.get("act_kwargs", {})), norm_layer=partial(LayerNorm, eps=tower.epsilon),
        output_tokens=True,
    )
    patch = config["patch_size"]
    model.conv1 = torch.nn.Conv2d(config["in_channels"], tower.width, patch, stride=patch, bias=False)
    model.load_state_dict({name: generate(name, shape) for name, shape in tower.names.items()})
    print(f"  {len(tower.names)} tensors, {sum(value.numel() for value in model.parameters())} parameters")
    return model.eval().to(latents.dtype)(latents)


def main():
    GOLDEN.mkdir(parents=True, exist_ok=True)
    vae = autoencoder_kl.build(autoencoder_kl.FULL, autoencoder_kl.SIXTEEN)
    autoencoder_kl.fill(vae)
    for name, case in CASES.items():
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        side = 8 * case["vision_cfg"]["image_size"]
        found = {}
        for dtype in (torch.float32, torch.float64):
            image = pixels(side, side).to(dtype)
            # The mean alone: neither a sample nor the shift.
            latents = vae.to(dtype).encode(2 * image - 1).latent_dist.mean * SCALE
            vae.float()
            tower = Tower(case["embed_dim"], case["vision_cfg"], dtype)
            found[dtype] = dict(latents=latents) | tower.forward(latents)
            pooled, tokens = witness(tower, latents)
            for mine, theirs in ((found[dtype]["pooled"], pooled), (found[dtype]["patches"], tokens)):
                difference = ((mine - theirs).abs().max() / theirs.std()).item()
                print(f"  open_clip within {difference:.2g}")
                assert difference < (1e-5 if dtype == torch.float32 else 1e-12)
            names = tower.names
            if "decoder_cfg" in case:
                patches = found[dtype]["patches"]
                decoder, predicted, picture = decode(vae, case["decoder_cfg"], case["vision_cfg"], patches)
                if case["decoder_cfg"]["class_embedding"]:
                    decoder_witness(decoder, patches)
                found[dtype] = dict(patches=patches, predicted=predicted, reconstruction=picture)
                names = names | decoder.names
        if "decoder_cfg" in case:
            mistakes(vae, case, patches, picture)
        tensors = {}
        for key, exact in found[torch.float64].items():
            error = (found[torch.float32][key].double() - exact).abs().max() / exact.std()
            tensors[key] = checksum(exact) | dict(noise=float(f"{error:.2g}"))
            print(f"{name} {key} {tuple(exact.shape)} std {tensors[key]['std']:.4g}, f32 within {error:.2g} of it", flush=True)
        config = dict(model_cfg=case, preprocess_cfg={})
        weights = [[key, shape] for key, shape in names.items()]
        (GOLDEN / f"{name}.json").write_text(json.dumps(dict(side=side, config=config, weights=weights, tensors=tensors)) + "\n")


if __name__ == "__main__":
    with torch.no_grad():
        main()
