"""Runs kernels/benches/layers.rs and PyTorch's layers in turn on this machine and prints times and ratios.

    layer_speed.py [ROUNDS [SECONDS]]           3 rounds of 1 second a layer and side unless told

Both sides have two threads and f32, PyTorch with OMP_WAIT_POLICY=PASSIVE (see compare_speed.py) and, where it is faster,
`channels_last`. Ratios are PyTorch's time over ours, above 1 where ours is faster: of wall time (median call) and of CPU time
per call, the median of the rounds.
"""

import statistics
import sys
import time

from in_turn import RECORD, bench, build, printed


def layers():
    """The same names and sizes as in the bench."""
    import torch
    import torch.nn.functional as F

    torch.set_num_threads(2)

    def maps(*shape):
        return torch.randn(shape).to(memory_format=torch.channels_last)

    for name, shape in (("8x12x257x64", (8, 12, 257, 64)), ("1x1x4096x512", (1, 1, 4096, 512))):
        # As projections leave them: tokens before heads.
        n, heads, tokens, part = shape
        qkv = [torch.randn(n, tokens, heads, part).transpose(1, 2) for _ in range(3)]
        yield f"attention {name}", lambda qkv=qkv: F.scaled_dot_product_attention(*qkv)
    x = torch.randn(8, 257, 3072)
    yield "gelu 8x257x3072", lambda: F.gelu(x)
    yield "gelu-tanh 8x257x3072", lambda: F.gelu(x, approximate="tanh")
    yield "silu 8x257x3072", lambda: F.silu(x)
    scores = torch.randn(96, 257, 257)
    yield "softmax 96x257x257", lambda: F.softmax(scores, -1)
    tokens = torch.randn(8, 257, 768)
    yield "layer-norm 8x257x768", lambda: F.layer_norm(tokens, (768,), torch.ones(768), None, 1e-6)
    # Contiguous: group norm is slower in channels_last.
    large, weight = torch.randn(1, 128, 512, 512), torch.ones(128)
    yield "group-norm+silu 512x512x128", lambda: F.silu(F.group_norm(large, 32, weight, None, 1e-6), inplace=True)
    first, second, third = maps(8, 64, 147, 147), maps(8, 288, 35, 35), maps(1, 256, 256, 256)
    yield "max-pool 8x147x147x64", lambda: F.max_pool2d(first, 3, 2)
    yield "average-pool 8x35x35x288", lambda: F.avg_pool2d(second, 3, 1, 1)
    yield "nearest 256x256x256", lambda: F.interpolate(third, scale_factor=2, mode="nearest")
    for channels, side in ((512, 64), (256, 128), (128, 256)):
        conv = torch.nn.Conv2d(channels, channels, 3, padding=1, bias=False).to(memory_format=torch.channels_last)
        x = maps(1, channels, side, side)
        yield f"conv {channels}x{side}x{side}", lambda conv=conv, x=x: conv(x)
    blocks = [vit_block(torch) for _ in range(12)]
    sequence = torch.randn(8, 197, 768)

    def vit():
        x = sequence
        for block in blocks:
            x = block(x)
        return x

    yield "vit-b 8x197", vit


def vit_block(torch):
    """A block as timm writes it: fused qkv, scaled_dot_product_attention, GELU with erf."""
    nn, F = torch.nn, torch.nn.functional
    first, second = nn.LayerNorm(768, eps=1e-6), nn.LayerNorm(768, eps=1e-6)
    qkv, projection = nn.Linear(768, 2304), nn.Linear(768, 768)
    wide, narrow = nn.Linear(768, 3072), nn.Linear(3072, 768)

    def run(x):
        n, tokens, _ = x.shape
        q, k, v = qkv(first(x)).reshape(n, tokens, 3, 12, 64).permute(2, 0, 3, 1, 4).unbind(0)
        attended = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(n, tokens, 768)
        x = x + projection(attended)
        return x + narrow(F.gelu(wide(second(x))))

    return run


def record_torch(seconds):
    import torch

    with torch.inference_mode():
        for name, layer in layers():
            layer()
            calls, start, cpu = [], time.perf_counter(), time.process_time()
            while time.perf_counter() - start < seconds:
                begun = time.perf_counter()
                layer()
                calls.append(time.perf_counter() - begun)
            cpu = (time.process_time() - cpu) / len(calls)
            print(name, statistics.median(calls), cpu, sep="\t", flush=True)


def record(command, **variables):
    """Wall and CPU seconds per call, by layer."""
    lines = (line.split("\t") for line in printed(command, **variables) if line.count("\t") == 2)
    return {name: (float(wall), float(cpu)) for name, wall, cpu in lines}


def main():
    if sys.argv[1:2] == ["--torch"]:
        record_torch(float(sys.argv[2]))
        return
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    seconds = sys.argv[2] if len(sys.argv) > 2 else "1"
    build("layers")
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(record(bench("layers"), **{RECORD: seconds}))
        theirs.append(record([sys.executable, __file__, "--torch", seconds], OMP_WAIT_POLICY="PASSIVE"))
    if ours[0].keys() != theirs[0].keys():
        sys.exit(f"different layers: {sorted(ours[0].keys() ^ theirs[0].keys())}")
    print(f"{'layer':30} {'ours, ms':>9} {'torch, ms':>9} {'ratio':>6}   {'CPU':>8} {'CPU':>8} {'ratio':>6}")
    for name in ours[0]:
        cells = []
        for at in (0, 1):
            pairs = [(1e3 * a[name][at], 1e3 * b[name][at]) for a, b in zip(ours, theirs)]
            mine, other = (statistics.median(column) for column in zip(*pairs))
            ratio = statistics.median(b / a for a, b in pairs) if mine > 0 else float("nan")
            cells.append((mine, other, ratio))
        (a, b, wall), (c, d, cpu) = cells
        print(f"{name:30} {a:9.2f} {b:9.2f} {wall:6.2f}   {c:8.2f} {d:8.2f} {cpu:6.2f}")


if __name__ == "__main__":
    main()
