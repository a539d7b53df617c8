"""Multiply-accumulates and parameters of the models, counted by fvcore with attention written out as products.

    python cost.py        makes ../golden/cost/fvcore.json

Weights are whatever lies in memory: counts do not depend on them. fvcore counts one for a multiply-accumulate. Its handlers know `bmm` and `matmul` and not `baddbmm`, with which diffusers writes the scores; this adds the
product of the three sizes, the summand not counted, and convolutions whose padding is a word. What fvcore has no handler for, and norms and resizes, for which it has some,
are left out: `convolution`, `linear` and `attention` are products alone. A product of two activations is one of attention.
"""

import json
from pathlib import Path

import lpips
import torch
from diffusers import AutoencoderKL, AutoencoderRAE, AutoencoderTiny
from diffusers.models.attention_processor import AttnProcessor
from fvcore.nn import FlopCountAnalysis
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from transformers import (
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    Dinov2WithRegistersConfig,
    Dinov2WithRegistersModel,
    SiglipVisionConfig,
    SiglipVisionModel,
    ViTMAEConfig,
    ViTMAEModel,
)

GOLDEN = Path(__file__).parent.parent / "golden" / "cost" / "fvcore.json"
KIND = {"conv": "convolution", "_convolution_mode": "convolution", "linear": "linear", "addmm": "linear"}
ATTENTION = ("matmul", "bmm", "baddbmm", "einsum")
WIDTHS = {"s": (384, 6, 12), "b": (768, 12, 12), "l": (1024, 16, 24)}
DECODERS = {"b": (768, 3072, 12, 12), "l": (1024, 4096, 16, 24), "xl": (1152, 4096, 16, 28)}
SD = dict(
    block_out_channels=[128, 256, 512, 512], layers_per_block=2, down_block_types=["DownEncoderBlock2D"] * 4,
    up_block_types=["UpDecoderBlock2D"] * 4, norm_num_groups=32,
)
FLUX = dict(latent_channels=16, use_quant_conv=False, use_post_quant_conv=False, **SD)


class Run(torch.nn.Module):
    """Part of a model as a module of one argument."""

    def __init__(self, model, run):
        super().__init__()
        self.model, self.run = model, run

    def forward(self, x):
        return self.run(self.model, x)


def sizes(value):
    return value.type().sizes()


def baddbmm(inputs, _):
    batch, rows, inner = sizes(inputs[1])
    return batch * rows * inner * sizes(inputs[2])[-1]


def attention_product(inputs, _):
    """`matmul` of weights is none of attention: the second operand is then of two dimensions."""
    left, right = sizes(inputs[0]), sizes(inputs[1])
    assert len(left) > 2 and len(right) > 2, (left, right)
    return torch.Size(left[:-1]).numel() * left[-1] * right[-1]


def convolution_mode(inputs, outputs):
    """A convolution whose padding is a word, as SigLIP's."""
    return torch.Size(sizes(outputs[0])).numel() * torch.Size(sizes(inputs[1])[1:]).numel()


def counted(model, run, shape):
    if next(model.parameters()).is_meta:
        # Buffers that are indices must be some.
        model = model.to_empty(device="cpu")
        for buffer in model.buffers():
            if not buffer.is_floating_point():
                buffer.copy_(torch.arange(buffer.numel(), device="cpu").view(buffer.shape))
    analysis = FlopCountAnalysis(Run(model.eval(), run), torch.zeros(shape, device="cpu"))
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    analysis.set_op_handle("aten::baddbmm", baddbmm).set_op_handle("aten::matmul", attention_product)
    analysis.set_op_handle("aten::bmm", attention_product)
    analysis.set_op_handle("aten::_convolution_mode", convolution_mode)
    row = dict(convolution=0, linear=0, attention=0)
    for operator, count in analysis.by_operator().items():
        kind = "attention" if operator in ATTENTION else KIND.get(operator)
        if kind:
            row[kind] += int(count)
    return row


def numbers(*modules):
    return sum(p.numel() for module in modules if module is not None for p in module.parameters())


def autoencoder_kl(name, config, channels, sides):
    model = AutoencoderKL(**config)
    model.set_attn_processor(AttnProcessor())
    encode = lambda model, x: model.quant_conv(model.encoder(x)) if model.quant_conv else model.encoder(x)
    decode = lambda model, z: model.decoder(model.post_quant_conv(z) if model.post_quant_conv else z)
    for side in sides:
        yield dict(
            model=name, side=side,
            encoder=dict(parameters=numbers(model.encoder, model.quant_conv), **counted(model, encode, (1, 3, side, side))),
            decoder=dict(
                parameters=numbers(model.decoder, model.post_quant_conv),
                **counted(model, decode, (1, channels, side // 8, side // 8)),
            ),
        )


def tiny(name, channels):
    model = AutoencoderTiny(latent_channels=channels)
    yield dict(
        model=name, side=256,
        encoder=dict(parameters=numbers(model.encoder), **counted(model, lambda m, x: m.encoder(x), (1, 3, 256, 256))),
        decoder=dict(parameters=numbers(model.decoder), **counted(model, lambda m, z: m.decoder(z), (1, channels, 32, 32))),
    )


def encoders():
    for size, (width, heads, depth) in WIDTHS.items():
        model = Dinov2WithRegistersModel(Dinov2WithRegistersConfig(
            hidden_size=width, num_attention_heads=heads, num_hidden_layers=depth, image_size=518, patch_size=14,
            attn_implementation="eager",
        ))
        for side in (224,) if size == "l" else (224, 448):
            row = counted(model, lambda m, x: m(x).last_hidden_state, (1, 3, side, side))
            yield dict(model=f"dinov2-reg-{size}", side=side // 14 * 16, encoder=dict(parameters=numbers(model), **row))
    model = CLIPVisionModelWithProjection(CLIPVisionConfig(
        hidden_size=1024, intermediate_size=4096, num_attention_heads=16, patch_size=14, projection_dim=768, num_hidden_layers=24,
        attn_implementation="eager",
    ))
    whole = counted(model, lambda m, x: m(x).image_embeds, (1, 3, 224, 224))
    yield dict(model="clip-l", side=224, whole=dict(parameters=numbers(model), **whole))
    for side in (256, 224):
        config = SiglipVisionConfig(image_size=side, patch_size=16, attn_implementation="eager")
        model = SiglipVisionModel(config)
        whole = counted(model, lambda m, x: m(x).pooler_output, (1, 3, side, side))
        yield dict(model="siglip2-b", side=side, whole=dict(parameters=numbers(model), **whole))
    for side in (224, 256):
        model = ViTMAEModel(ViTMAEConfig(mask_ratio=0.0, image_size=side, attn_implementation="eager"))
        noise = torch.zeros(1, (side // 16) ** 2, device="cpu")
        row = counted(model, lambda m, x: m(x, noise).last_hidden_state, (1, 3, side, side))
        # The fixed positions are parameters of the module, and of the file.
        yield dict(model="mae-b", side=side, encoder=dict(parameters=numbers(model), **row))


def rae_decoders():
    for name, (width, hidden, heads, depth) in DECODERS.items():
        for grid in (16, 32) if name == "b" else (16,):
            model = AutoencoderRAE(
                encoder_type="dinov2", encoder_hidden_size=768, encoder_patch_size=14, encoder_num_hidden_layers=1,
                decoder_hidden_size=width, decoder_num_hidden_layers=depth, decoder_num_attention_heads=heads,
                decoder_intermediate_size=hidden, encoder_input_size=14 * grid, image_size=16 * grid,
            )
            for part in model.decoder.modules():
                if hasattr(part, "set_processor"):
                    part.set_processor(AttnProcessor())
            row = counted(model.decoder, lambda m, z: m(z)[0], (1, grid * grid, 768))
            yield dict(model=f"rae-decoder-{name}", side=16 * grid, decoder=dict(parameters=numbers(model.decoder), **row))


def feature_networks():
    for trunk in ("alex", "vgg", "squeeze"):
        model = lpips.LPIPS(net=trunk, pretrained=False, pnet_rand=True, verbose=False)
        row = counted(model.net, lambda m, x: m(x)[-1], (1, 3, 256, 256))
        yield dict(model=f"lpips-{trunk}", side=256, encoder=dict(parameters=numbers(model.net), **row))
    # Its resize asks for values: the convolutions behind it are run one after the other.
    class Unread(FeatureExtractorInceptionV3):
        def load_state_dict(self, state_dict):
            pass

    import tempfile

    with tempfile.NamedTemporaryFile(suffix=".pth") as empty, torch.device("cpu"):
        torch.save({}, empty.name)
        model = Unread("inception", ["2048", "logits"], empty.name)

    def forward(model, x):
        for name in ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "MaxPool_1", "Conv2d_3b_1x1", "Conv2d_4a_3x3", "MaxPool_2"):
            x = getattr(model, name)(x)
        for name in ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c"):
            x = getattr(model, f"Mixed_{name}")(x)
        return model.fc(torch.flatten(model.AvgPool(x), 1))

    row = counted(model, forward, (1, 3, 299, 299))
    yield dict(model="inception", side=299, encoder=dict(parameters=numbers(model), **row))


def main():
    with torch.device("meta"), torch.inference_mode():
        rows = [
            *autoencoder_kl("sd-vae", dict(latent_channels=4, **SD), 4, (64, 128)),
            *autoencoder_kl("flux-vae", FLUX, 16, (64, 128)),
            *tiny("taesd", 4),
            *tiny("taef1", 16),
            *encoders(),
            *rae_decoders(),
            *feature_networks(),
        ]
    for row in rows:
        halves = {half: sum(row[half][kind] for kind in ("convolution", "linear", "attention")) / 1e9
                  for half in ("encoder", "decoder", "whole") if half in row}
        print(row["model"], row["side"], {half: f"{giga:.2f}" for half, giga in halves.items()})
    GOLDEN.parent.mkdir(parents=True, exist_ok=True)
    GOLDEN.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
