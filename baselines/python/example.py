"""Wraps a torch.nn.Module: prismbench run -t "exec:python3 example.py" -d pictures/"""

import prismbench_tokenizer as prismbench  # first: from here on, print goes to stderr

import torch


class Model(torch.nn.Module):
    """Put your own here: something with an encoder and a decoder."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.encoder = torch.nn.Conv2d(3, 32, 8, 8)
        self.decoder = torch.nn.ConvTranspose2d(32, 3, 8, 8)


device = "cuda" if torch.cuda.is_available() else "cpu"
model = Model().eval().to(device)


@torch.inference_mode()
def encode(images, request):  # images: f32 [N, 3, H, W] in [0, 1]
    return model.encoder(torch.tensor(images, device=device) * 2 - 1)


@torch.inference_mode()
def decode(latents):
    return (model.decoder(torch.tensor(latents, device=device)) + 1) / 2


prismbench.serve(
    name="my-vae", source="https://example.org/my-vae", stride=8, latent="32,H/8,W/8",
    parameters=sum(p.numel() for p in model.parameters()), weights=[("state_dict", prismbench.sha256_of(model))],
    encode=encode, decode=decode,
)
