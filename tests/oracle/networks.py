"""Golden values of the feature networks with generated weights, and of the four resizes in front of Inception.

Writes tests/golden/networks/. Of each row of features a sample is kept: SAMPLES evenly spaced values, the sum and the root
mean square of all. `exact` is the same network in double precision behind the same single-precision resize.
"""

import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from cleanfid.resize import build_resizer
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

import recipe
from hashed import picture
from reference_networks import TAPS, inception, inception_state, lpips_network, lpips_state

GOLDEN = Path(__file__).parent.parent / "golden" / "networks"
SAMPLES = 64
# (width, height, seed, amplitude): growing, shrinking, both, the network's own size.
PICTURES = [(256, 256, 1, 20), (64, 48, 2, 90), (500, 375, 3, 5), (299, 299, 4, 127), (777, 601, 5, 40)]
LPIPS_PICTURES = [(128, 128, 11, 30), (97, 71, 12, 60), (64, 160, 13, 5)]


def sample(values):
    values = np.asarray(values, dtype=np.float64).ravel()
    places = np.arange(SAMPLES) * len(values) // SAMPLES
    return dict(
        len=len(values),
        values=[float(f"{value:.9g}") for value in values[places]],
        sum=float(f"{values.sum():.12g}"),
        rms=float(f"{np.sqrt((values**2).mean()):.12g}"),
    )


def pixels(case):
    return torch.from_numpy(picture(*case)).permute(2, 0, 1)[None]


def tf1(case):
    resized = interpolate_bilinear_2d_like_tensorflow1x(pixels(case).float(), size=(299, 299), align_corners=False)
    return (resized - 128) / 128


def half_pixel(case):
    return 2 * F.interpolate(pixels(case).float() / 255, size=(299, 299), mode="bilinear", align_corners=False) - 1


def pil_bicubic(case):
    resized = build_resizer("clean")(picture(*case)).astype(np.float32)
    return (torch.from_numpy(resized).permute(2, 0, 1)[None] - 128) / 128


def antialias(case):
    resized = F.interpolate(pixels(case).float(), size=(299, 299), mode="bilinear", align_corners=False, antialias=True)
    return (resized - 128) / 128


RESIZES = {"tf1": tf1, "half-pixel": half_pixel, "pil-bicubic": pil_bicubic, "antialias": antialias}


def resizes():
    for case in PICTURES:
        for rule, resize in RESIZES.items():
            yield dict(picture=case, rule=rule, input=sample(resize(case).permute(0, 2, 3, 1)))


def taps(network, case):
    """torch-fidelity's own features, and sFID's: the first seven channels of Mixed_6d, channels last."""
    spatial = []
    hook = network.Mixed_6d.register_forward_hook(lambda module, x, y: spatial.append(y[:, :7].permute(0, 2, 3, 1)))
    features = dict(zip(TAPS, network(pixels(case))))
    hook.remove()
    return {**features, "spatial": spatial[0]}


def exact_taps(network, case):
    """In double precision, behind the resize in single precision."""
    x = tf1(case).double()
    found = {}
    for name, module in network.named_children():
        if name == "AvgPool":
            break
        x = module(x)
        name = {"MaxPool_1": "64", "MaxPool_2": "192", "Mixed_6e": "768", "Mixed_7c": "2048"}.get(name, name)
        found[name] = x[:, :7].permute(0, 2, 3, 1) if name == "Mixed_6d" else x.mean((2, 3))
    found["spatial"] = found["Mixed_6d"]
    found["logits_unbiased"] = found["2048"] @ network.fc.weight.T
    found["logits"] = found["logits_unbiased"] + network.fc.bias
    return {name: found[name] for name in [*TAPS, "spatial"]}


@torch.no_grad()
def inception_cases():
    state = inception_state()
    single, double = inception(state), inception(state).double()
    for case in PICTURES:
        found, exact = taps(single, case), exact_taps(double, case)
        yield dict(
            picture=case,
            taps={name: sample(value) for name, value in found.items()},
            exact={name: sample(value) for name, value in exact.items()},
        )


@torch.no_grad()
def lpips_cases():
    for net in ["alex", "vgg", "squeeze"]:
        state = lpips_state(net)
        learned, unlearned = lpips_network(net, state), lpips_network(net, state, lpips=False)
        spatial = lpips_network(net, state, spatial=True)
        exact = lpips_network(net, state).double()
        for case in LPIPS_PICTURES:
            width, height, seed, amplitude = case
            other = (width, height, seed + 100, amplitude)
            pair = [pixels(each).float() / 255 for each in (case, other)]
            wide = [pixels(each).double() / 255 for each in (case, other)]
            yield dict(
                trunk=net,
                picture=case,
                other=other,
                distance=learned(*pair, normalize=True).item(),
                unlearned=unlearned(*pair, normalize=True).item(),
                exact=exact(*wide, normalize=True).item(),
                map=sample(spatial(*pair, normalize=True)),
            )


def lines(cases):
    return "[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n"


def recipe_cases():
    """Name, shape, first value and sum of absolute values of a tensor of each kind."""
    shapes = {"a.conv.weight": [8, 3, 5, 5], "a.bn.weight": [70], "a.bn.running_var": [70], "a.bn.running_mean": [70],
              "fc.weight": [16, 2048], "fc.bias": [33], "lin0.model.1.weight": [1, 64, 1, 1]}
    for name, shape in shapes.items():
        values = recipe.tensor(name, shape)
        yield [name, shape, float(values.ravel()[0]), float(np.abs(values.astype(np.float64)).sum())]


def main():
    GOLDEN.mkdir(parents=True, exist_ok=True)
    (GOLDEN / "recipe.json").write_text(lines(recipe_cases()))
    (GOLDEN / "resizes.json").write_text(lines(resizes()))
    (GOLDEN / "inception.json").write_text(lines(inception_cases()))
    (GOLDEN / "lpips.json").write_text(lines(lpips_cases()))


if __name__ == "__main__":
    main()
