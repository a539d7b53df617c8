"""DiT^DH and LightningDiT with their samplers, in own code from the description of bytetriper/RAE's: no package has them.

    generators.py           makes ../golden/generators/{tiny,full,xl}.json (2 minutes, 11 GB)
    generators.py tiny      only that one

First the figures that the reference's own modules gave for a tiny network are reproduced, layer by layer and through every sampler;
if one differs, nothing is written. Everything is in double precision from weights in single precision, times excepted: those are
rounded as the reference rounds them. `noise` is how far single precision is from that, in units of the standard deviation.
"""

import json
import math
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

import recipe
import streams
from checksum import checksum

GOLDEN = Path(__file__).parent.parent / "golden" / "generators"
EPSILON = 1e-6

TINY = dict(side=4, channels=6, classes=10, width=(16, 32), depth=(2, 2), heads=(2, 2))
TINY_LIGHTNING = dict(side=4, channels=6, classes=10, width=(16,), depth=(2,), heads=(2,))
S = dict(side=16, channels=768, classes=1000, width=(384, 2048), depth=(12, 2), heads=(6, 16))
XL = dict(side=16, channels=768, classes=1000, width=(1152, 2048), depth=(28, 2), heads=(16, 16))
SHORT_XL = dict(XL, depth=(2, 1))
# Options of the reference that work there, each on the tiny networks.
VARIANTS = {
    "ditdh": dict(TINY),
    "ditdh, norms of queries and keys": dict(TINY, qk_norm=True),
    "ditdh, layer norms": dict(TINY, rms_norm=False),
    "ditdh, gelu": dict(TINY, swiglu=False),
    "ditdh, no table of positions": dict(TINY, positions=False),
    "ditdh, positions in a row": dict(TINY, rope="1d"),
    "lightningdit": dict(TINY_LIGHTNING),
    "lightningdit, sigma": dict(TINY_LIGHTNING, sigma=True),
}


def hidden(config, width):
    return int(2 / 3 * int(width * 4.0)) if config.get("swiglu", True) else 4 * width


def shapes(config):
    """Names and shapes of the state dictionary, buffers included."""
    first, last = config["width"][0], config["width"][-1]
    channels, tokens = config["channels"], config["side"] ** 2
    found = {}

    def linear(name, outputs, inputs, *more):
        found[name + ".weight"], found[name + ".bias"] = (outputs, inputs, *more), (outputs,)

    if config.get("positions", True):
        found["pos_embed"] = (1, tokens, first)
    linear("x_embedder.proj", last, channels, 1, 1)
    if len(config["width"]) > 1:
        linear("s_embedder.proj", first, channels, 1, 1)
        linear("s_projector", last, first)
    found["t_embedder.W"] = (256,)
    linear("t_embedder.mlp.0", first, 512)
    linear("t_embedder.mlp.2", first, first)
    found["y_embedder.embedding_table.weight"] = (config["classes"] + 1, first)
    for index, (width, heads) in enumerate(blocks(config)):
        at = f"blocks.{index}."
        if config.get("rms_norm", True):
            found[at + "norm1.weight"] = found[at + "norm2.weight"] = (width,)
        linear(at + "attn.qkv", 3 * width, width)
        linear(at + "attn.proj", width, width)
        if config.get("qk_norm"):
            found[at + "attn.q_norm.weight"] = found[at + "attn.k_norm.weight"] = (width // heads,)
        wide = hidden(config, width)
        if config.get("swiglu", True):
            linear(at + "mlp.w12", 2 * wide, width)
            linear(at + "mlp.w3", width, wide)
        else:
            linear(at + "mlp.fc1", wide, width)
            linear(at + "mlp.fc2", width, wide)
        linear(at + "adaLN_modulation.1", 6 * width, width)
    if config.get("rms_norm", True):
        found["final_layer.norm_final.weight"] = (last,)
    linear("final_layer.linear", channels * (2 if config.get("sigma") else 1), last)
    linear("final_layer.adaLN_modulation.1", 2 * last, last)
    for name, width, heads in zip(ropes(config), config["width"], config["heads"]):
        found[name + ".freqs_cos"] = found[name + ".freqs_sin"] = (tokens, width // heads)
    return found


def blocks(config):
    """Width and heads of each block."""
    parts = zip(config["width"], config["heads"], config["depth"])
    return [(width, heads) for width, heads, depth in parts for _ in range(depth)]


def ropes(config):
    return ["enc_feat_rope", "dec_feat_rope"] if len(config["width"]) > 1 else ["feat_rope"]


def positions(width, side):
    """Half of the channels is of the column, half of the row, each sines then cosines."""
    rates = 10000.0 ** (-np.arange(width // 4) / (width / 4))
    of = lambda place: np.concatenate([np.sin(place * rates), np.cos(place * rates)])
    return np.stack([np.concatenate([of(token % side), of(token // side)]) for token in range(side * side)])


def rotary(dim, side, mode):
    """Angles of each token, each twice: of the row and then of the column, or of the place in a row of tokens."""
    if mode == "1d":
        rates = 10000.0 ** (-2 * np.arange(dim // 2) / dim)
        return np.repeat(np.outer(np.arange(side * side), rates), 2, axis=1)
    rates = 10000.0 ** (-2 * np.arange(dim // 4) / (dim // 2))
    axis = np.repeat(np.outer(np.arange(side), rates), 2, axis=1)
    return np.stack([np.concatenate([axis[token // side], axis[token % side]]) for token in range(side * side)])


def closed_form(name, shape):
    """Weights of the tiny networks."""
    seed = sum((place + 1) * ord(character) for place, character in enumerate(name)) % 1000
    v = np.sin(0.37 * np.arange(math.prod(shape)) + 0.11 * seed)
    if name.endswith(("norm1.weight", "norm2.weight", "norm_final.weight", "q_norm.weight", "k_norm.weight")):
        v = 1 + 0.1 * v
    elif len(shape) > 1 and "embedding_table" not in name:
        v = v / math.sqrt(shape[1])
    elif name != "t_embedder.W":
        v = 0.1 * v
    return v.astype(np.float32).reshape(shape)


def generated(name, shape):
    """Weights of the large ones, rounded to f16. Modulations are a quarter of the recipe's: every block would double the tokens."""
    values = recipe.tensor(name, shape)
    if "adaLN_modulation" in name:
        values = values / np.float32(4)
    return values.astype(np.float16).astype(np.float32)


def state(config, fill):
    found = {}
    for name, shape in shapes(config).items():
        if name == "pos_embed":
            values = positions(config["width"][0], config["side"])
        elif "_rope" in name:
            angles = rotary(shape[1], config["side"], config.get("rope", "2d"))
            values = np.cos(angles) if name.endswith("cos") else np.sin(angles)
        else:
            values = fill(name, shape)
        found[name] = torch.from_numpy(values.astype(np.float32).reshape(shape))
    return found


class Network:
    """`taps` collects what the layers give."""

    def __init__(self, config, state, dtype=torch.float64):
        self.config, self.dtype = config, dtype
        self.state = {name: value.to(dtype) for name, value in state.items()}
        self.taps = {}

    def tap(self, name, value):
        self.taps[name] = value
        return value

    def linear(self, name, x):
        weight = self.state[name + ".weight"]
        return F.linear(x, weight.reshape(weight.shape[:2]), self.state[name + ".bias"])

    def norm(self, name, x):
        if not self.config.get("rms_norm", True):
            return F.layer_norm(x, x.shape[-1:], eps=EPSILON)
        return self.rms(name, x)

    def rms(self, name, x):
        return x / (x.square().mean(-1, keepdim=True) + EPSILON).sqrt() * self.state[name + ".weight"]

    def attention(self, at, x, heads, rope):
        count, tokens, width = x.shape
        q, k, v = self.linear(at + ".qkv", x).view(count, tokens, 3, heads, -1).permute(2, 0, 3, 1, 4)
        if self.config.get("qk_norm"):
            q, k = self.rms(at + ".q_norm", q), self.rms(at + ".k_norm", k)
        cos, sin = (self.state[f"{rope}.freqs_{name}"] for name in ("cos", "sin"))

        def turn(x):
            pairs = x.unflatten(-1, (-1, 2))
            return x * cos + torch.stack([-pairs[..., 1], pairs[..., 0]], dim=-1).flatten(-2) * sin

        parts = torch.softmax(turn(q) @ turn(k).transpose(2, 3) / math.sqrt(width // heads), dim=-1)
        return self.linear(at + ".proj", (parts @ v).transpose(1, 2).reshape(count, tokens, width))

    def mlp(self, at, x):
        if not self.config.get("swiglu", True):
            return self.linear(at + ".fc2", F.gelu(self.linear(at + ".fc1", x), approximate="tanh"))
        a, b = self.linear(at + ".w12", x).chunk(2, dim=-1)
        return self.linear(at + ".w3", F.silu(a) * b)

    def block(self, index, x, condition, heads, rope):
        """`condition` is [N, 1, D] or [N, tokens, D]."""
        at = f"blocks.{index}"
        modulation = self.linear(at + ".adaLN_modulation.1", F.silu(condition))
        shift, scale, gate, shift_mlp, scale_mlp, gate_mlp = modulation.chunk(6, dim=-1)
        y = self.tap(at + ".norm1", self.norm(at + ".norm1", x)) * (1 + scale) + shift
        x = x + gate * self.tap(at + ".attn", self.attention(at + ".attn", y, heads, rope))
        y = self.norm(at + ".norm2", x) * (1 + scale_mlp) + shift_mlp
        return self.tap(at, x + gate_mlp * self.tap(at + ".mlp", self.mlp(at + ".mlp", y)))

    def time(self, t):
        """The angle in single precision, as the reference has it."""
        angle = (t.float()[:, None] * self.state["t_embedder.W"].float() * 2 * math.pi).to(self.dtype)
        features = torch.cat([angle.sin(), angle.cos()], dim=-1)
        return self.linear("t_embedder.mlp.2", F.silu(self.linear("t_embedder.mlp.0", features)))

    def __call__(self, x, t, y):
        """`[N, C, h, w]`, times and labels to velocities."""
        config, count = self.config, len(x)
        x = x.to(self.dtype).flatten(2).transpose(1, 2)
        te = self.tap("t_embedder", self.time(t))
        ye = self.tap("y_embedder", self.state["y_embedder.embedding_table.weight"][y])
        has_head = len(config["width"]) > 1
        condition = (F.silu(te + ye) if has_head else te + ye)[:, None]
        name = "s_embedder" if has_head else "x_embedder"
        tokens = self.tap(name, self.linear(name + ".proj", x))
        if config.get("positions", True):
            tokens = tokens + self.state["pos_embed"]
        for index in range(config["depth"][0]):
            tokens = self.block(index, tokens, condition, config["heads"][0], ropes(config)[0])
        if has_head:
            condition = self.tap("s_projector", self.linear("s_projector", F.silu(te[:, None] + tokens)))
            tokens = self.tap("x_embedder", self.linear("x_embedder.proj", x))
            for index in range(config["depth"][0], sum(config["depth"])):
                tokens = self.block(index, tokens, condition, config["heads"][1], ropes(config)[1])
        shift, scale = self.linear("final_layer.adaLN_modulation.1", F.silu(condition)).chunk(2, dim=-1)
        tokens = self.norm("final_layer.norm_final", tokens) * (1 + scale) + shift
        out = self.tap("final_layer", self.linear("final_layer.linear", tokens)[..., : config["channels"]])
        return out.transpose(1, 2).reshape(count, -1, config["side"], config["side"])


def guided(network, classes, kind=None, scale=1.0, interval=(0.0, 1.0), weak=None):
    """The velocity of a batch at one time."""
    null = torch.full_like(classes, network.config["classes"])

    def velocity(x, t):
        times = torch.full((len(x),), t, dtype=torch.float32)
        strong = network(x, times, classes)
        if kind is None or not np.float32(interval[0]) <= np.float32(t) <= np.float32(interval[1]):
            return strong
        worse = network(x, times, null) if kind == "cfg" else weak(x, times, classes)
        return worse + scale * (strong - worse)

    return velocity


def grid(points, shift):
    """In single precision, as the reference has it."""
    t = 1 - torch.linspace(0, 1 - 1 / 1000, points)
    return (shift * t / (1 + (shift - 1) * t)).tolist()


def integrate(method, velocity, x, times):
    """The fixed-step methods of torchdiffeq 0.2.5; `rk4` is the 3/8 rule."""
    for t, end in zip(times, times[1:]):
        h = end - t
        f = lambda part, y: velocity(y, t + part * h)
        k1 = f(0, x)
        if method == "euler":
            x = x + h * k1
        elif method == "midpoint":
            x = x + h * f(1 / 2, x + h / 2 * k1)
        elif method == "heun2":
            x = x + h / 2 * (k1 + f(1, x + h * k1))
        elif method == "heun3":
            k3 = f(2 / 3, x + h * 2 / 3 * f(1 / 3, x + h / 3 * k1))
            x = x + h / 4 * (k1 + 3 * k3)
        elif method == "rk4":
            k2 = f(1 / 3, x + h / 3 * k1)
            k3 = f(2 / 3, x + h * (k2 - k1 / 3))
            k4 = f(1, x + h * (k1 - k2 + k3))
            x = x + h / 8 * (k1 + 3 * (k2 + k3) + k4)
    return x


# What the reference's modules gave: sum and first element, in single precision.
LAYERS = {
    "t_embedder": (-0.592170, -0.0359446), "y_embedder": (0.028580, -0.0835050), "s_embedder": (1.223227, 0.3764970),
    "blocks.0.norm1": (318.033460, 0.4948890), "blocks.0.attn": (-107.804008, 4.0777707), "blocks.0": (1408.428856, 10.3329887),
    "blocks.1": (435.469427, 5.2121410), "s_projector": (-636.581263, 18.4995537), "x_embedder": (2.084426, 0.3098489),
    "blocks.2.norm1": (-12.941705, 1.1830410), "blocks.2.mlp": (2291.584078, 4.8114724), "blocks.2": (21549.892076, -84.4688416),
    "blocks.3": (37999.310904, -38.8600540), "final_layer": (-98.434743, -3.4080374),
}
ROWS = {
    "ditdh": (-3.4080374, -2.4460664, -2.5963793, -2.7651138), "lightningdit": (-2.4978213, -2.5072002, -2.5114241, -2.5103536),
    "cfg": (0.9216256, 0.8815061, 0.7985325, 0.7651365), "autoguidance": (1.1763705, 1.1311388, 1.0698347, 1.0365170),
    "euler": (1.4810961, 1.4660816, 1.4440088, 1.4672505), "midpoint": (1.3701537, 1.3152254, 1.3094461, 1.3621092),
    "heun2": (1.2724955, 1.2179282, 1.1951805, 1.2299564), "rk4": (1.6990546, 1.6550875, 1.6224161, 1.6434400),
}
SUMS = {"lightningdit": -294.696850, "euler": 68.202097, "midpoint": 76.691942, "heun2": 58.578095, "rk4": 63.849297}


def agrees(name, found, row=None, total=None, first=None):
    """Within single precision of what is summed."""
    size = found.abs().max().item()
    near = lambda value, expected, scale: abs(value - expected) <= 1e-5 * scale
    if row is not None:
        assert all(near(a, b, size) for a, b in zip(found[0, 0, 0].tolist(), row)), (name, found[0, 0, 0].tolist(), row)
    if total is not None:
        assert near(found.sum().item(), total, size * math.sqrt(found.numel())), (name, found.sum().item(), total)
    if first is not None:
        assert near(found.flatten()[0].item(), first, size), (name, found.flatten()[0].item(), first)


def tiny():
    networks = {name: Network(config, state(config, closed_form)) for name, config in VARIANTS.items()}
    x = torch.from_numpy(np.cos(0.13 * np.arange(192)).astype(np.float32).reshape(2, 6, 4, 4)).double()
    classes = torch.tensor([3, 10])
    golden = {"variants": {}, "samples": {}}
    for name, network in networks.items():
        out = network(x, torch.tensor([0.25, 0.8]), classes)
        agrees(name, out, ROWS.get(name), SUMS.get(name))
        golden["variants"][name] = checksum(out)
    network = networks["ditdh"]
    for name, (total, first) in LAYERS.items():
        agrees(name, network.taps[name], total=total, first=first)
    tapped = {name: network.taps[name] for name in [*LAYERS, "blocks.0.mlp", "blocks.2.attn"]}
    golden["layers"] = {name: checksum(value, 13) | dict(shape=list(value.shape)) for name, value in tapped.items()}

    weak = Network(TINY, state(TINY, closed_form))
    for name in ("final_layer.linear.weight", "final_layer.linear.bias"):
        weak.state[name] = weak.state[name] / 2
    same = torch.cat([x[:1], x[:1]])
    three = torch.tensor([3, 3])
    agrees("cfg", guided(network, three, "cfg", 1.5)(same, 0.5), ROWS["cfg"])
    # The figure is of classes 3 and none; its first row, of class 3.
    agrees("autoguidance", guided(network, classes, "autoguidance", 1.42, weak=weak)(same, 0.5), ROWS["autoguidance"])

    classes, times = torch.tensor([3, 7]), grid(5, 2.0)
    golden["times"] = times
    for name, kind, scale, interval in [
        ("", None, 1.0, (0.0, 1.0)), (",cfg:1.5", "cfg", 1.5, (0.0, 1.0)), (",autoguidance:1.42", "autoguidance", 1.42, (0.0, 1.0)),
        (",cfg:2.25@0.3..0.7", "cfg", 2.25, (0.3, 0.7)),
    ]:
        for method in ["euler", "midpoint", "heun2", "heun3", "rk4"]:
            out = integrate(method, guided(network, classes, kind, scale, interval, weak), x, times)
            if kind is None:
                agrees(method, out, ROWS.get(method), SUMS.get(method))
            golden["samples"][f"{method}:5{name},shift:2"] = checksum(out, 53)
    return golden


def large(name, config, count):
    """The velocity of a network with generated weights."""
    noise = streams.normal("generator oracle", 0, 0, count * 768 * 16 * 16).astype(np.float32)
    x = torch.from_numpy(noise.reshape(count, 768, 16, 16))
    t, y = torch.tensor([0.9, 0.2])[:count], torch.tensor([207, 1000])[:count]
    # One network in memory at a time.
    double, single = (Network(config, state(config, generated), dtype)(x, t, y) for dtype in (torch.float64, torch.float32))
    error = ((single - double).abs().max() / double.std()).item()
    print(f"{name}: std {double.std():.4g}, single precision within {error:.2g} of it", flush=True)
    return dict(depth=config["depth"], velocity=checksum(double) | dict(noise=float(f"{error:.2g}")))


CASES = {
    "tiny": tiny,
    "full": lambda: {"ditdh-s": large("ditdh-s", S, 2), "ditdh-xl": large("ditdh-xl", SHORT_XL, 1)},
    "xl": lambda: large("ditdh-xl", XL, 1),
}


@torch.no_grad()
def main():
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for name, make in CASES.items():
        if not sys.argv[1:] or name in sys.argv[1:]:
            (GOLDEN / f"{name}.json").write_text(json.dumps(make()) + "\n")


if __name__ == "__main__":
    # So that `noise` comes out the same.
    torch.set_num_threads(1)
    main()
