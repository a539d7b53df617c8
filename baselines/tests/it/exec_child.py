"""A tokenizer that behaves, or misbehaves as its first argument says. Python's standard library alone."""

import os
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "..", "python"))

import prismbench_tokenizer as prismbench  # noqa: E402  (it has just been put on the path)

prismbench.numpy = None
mode, arguments = sys.argv[1], sys.argv[2:]
out = prismbench._out


def raw(data):
    out.write(data)
    out.flush()


def forever():
    time.sleep(3600)


def note(path):
    with open(path, "a") as file:
        file.write("%d\n" % os.getpid())


def to_cells(images):
    """[N, 3, H, W] to [N, 12, H/2, W/2], the four pixels of each square one after the other."""
    n, c, h, w = images.shape
    cells = []
    for plane in range(n * c):
        for y, x in ((0, 0), (0, 1), (1, 0), (1, 1)):
            for row in range(y, h, 2):
                at = (plane * h + row) * w
                cells.extend(images.values[at + x:at + w:2].tolist())
    return array((n, 4 * c, h // 2, w // 2), cells)


def to_pixels(cells):
    n, c, h, w = cells.shape
    pixels = [0.0] * (n * c * h * w)
    for plane in range(n * c // 4):
        for part, (y, x) in enumerate(((0, 0), (0, 1), (1, 0), (1, 1))):
            for row in range(h):
                here = ((plane * 4 + part) * h + row) * w
                there = (plane * 2 * h + 2 * row + y) * 2 * w
                pixels[there + x:there + 2 * w:2] = cells.values[here:here + w].tolist()
    return array((n, c // 4, 2 * h, 2 * w), pixels)


def array(shape, values):
    return prismbench.Array(shape, bytearray(struct.pack("<%df" % len(values), *values)))


def encode(images, request):
    if mode == "hang":
        forever()
    if mode == "slow":
        note(arguments[0])
        forever()
    if mode == "exit":
        os._exit(3)
    if mode == "kill":
        os.kill(os.getpid(), 9)
    if mode == "print":
        print("loading the model")
        os.system("echo from a process of its own")
        input_ended = sys.stdin.readline() == ""
        assert input_ended
    if mode == "rubbish":
        raw(b"Loading \xff weights: 100%\n")
        forever()
    if mode == "whisper":
        raw(b"Load")
        forever()
    if mode == "cut":
        raw(struct.pack("<QQ", 1000, 500) + b"{")
        os._exit(0)
    if mode == "giant":
        raw(struct.pack("<Q", 1 << 60))
        forever()
    if mode == "giant-array":
        header = b'{"latents":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4398046511104]}}'
        raw(struct.pack("<QQ", 8 + len(header), len(header)) + header)
        forever()
    if mode == "f64":
        header = b'{"latents":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}'
        raw(struct.pack("<QQ", 16 + len(header), len(header)) + header + bytes(8))
        forever()
    if mode == "deaf":
        prismbench.write_frame(out, {"message": "latents"}, {"latents": to_cells(images)})
        os.close(prismbench._in.fileno())
        forever()
    if mode == "mute":
        os.close(out.fileno())
        forever()
    if mode == "message":
        prismbench.write_frame(out, {"message": "images"}, {})
        forever()
    if mode == "error":
        raise ValueError("the picture is too beautiful")
    if mode == "shape":
        return array((images.shape[0], 12, 1, 1), [0.0] * (12 * images.shape[0]))
    if mode == "nan":
        cells = to_cells(images)
        cells.values[len(cells.values) - 1] = float("nan")
        return cells
    if mode == "draw":
        import random
        n, _, h, w = images.shape
        draws = [random.Random(request.seed_of(i)).random() for i in range(n)]
        return array((n, 12, h // 2, w // 2), [draw for draw in draws for _ in range(12 * h * w // 4)])
    if mode == "asked":
        with open(arguments[0], "w") as file:
            file.write("%s %s %s %d %s %s" % (request.posterior, request.noise, request.band_mask, request.seed,
                                              request.indices, request.ids))
    return to_cells(images)


def decode(latents):
    if mode == "decode-shape":
        n, c, h, w = latents.shape
        return array((n, 3, 2 * h, w), [0.0] * (n * 3 * 2 * h * w))
    if mode == "decode-exit":
        os._exit(4)
    return to_pixels(latents)


def encode_bits(images, request):
    n, _, h, w = images.shape
    size = 3 * h * w
    return [struct.pack("<HH", h, w) + bytes(int(255 * value + 0.5) for value in images.values[i * size:(i + 1) * size])
            for i in range(n)]


def decode_bits(streams):
    sides = {struct.unpack_from("<HH", stream) for stream in streams}
    if len(sides) != 1:
        raise ValueError("pictures of several sizes")
    (h, w), = sides
    if any(len(stream) != 4 + 3 * h * w for stream in streams):
        raise ValueError("not a stream")
    return array((len(streams), 3, h, w), [value / 255 for stream in streams for value in stream[4:]])


def features(images, tap):
    n, _, h, w = images.shape
    tokens = (h // 4) * (w // 4)
    if tap == "block:9":
        raise ValueError("there are 2 blocks")
    return {
        "patch_tokens": array((n, tokens, 2), [float(i) for i in range(n * tokens * 2)]),
        "pooled": array((n, 5), [1.0] * (5 * n)),
    }


hello = dict(name="cells", source="a test", stride=2, latent="12,H/2,W/2", encode=encode, decode=decode)

if arguments and mode not in ("asked", "hello"):
    note(arguments[0])
if mode == "silent":
    forever()
if mode == "gone":
    sys.exit("no module named torch")
if mode == "stubborn":
    prismbench.serve(**hello)
    forever()
if mode == "family":
    # A wrapper like `uv run`: what works is a child of what was started.
    if len(arguments) == 1:
        worker = [sys.executable, __file__, "family", arguments[0], "worker"]
        child = subprocess.Popen(worker, stdin=prismbench._in, stdout=out)
        sys.exit(child.wait())
    prismbench.serve(**hello)
    forever()
if mode == "stderr":
    sys.stderr.write("words for the user\n")
if mode == "hello":
    # The rest of the arguments replace what `hello` says.
    texts = {"message": "hello", "prismbench": "1", "name": "x", "source": "x", "stride": "2", "latent": "12,H/2,W/2",
             "parameters": "0"}
    texts.update(argument.split("=", 1) for argument in arguments)
    prismbench.read_frame(prismbench._in)
    prismbench.write_frame(out, texts, {})
    forever()
if mode == "bits":
    hello.update(stride=1, latent="bits", encode=encode_bits, decode=decode_bits)
if mode == "features":
    hello.update(stride=4, features=features, grid="H/4,W/4,2")
if mode == "blind":
    hello.update(decode=None)
if mode in ("draw", "asked"):
    hello.update(posterior=True, noise=mode == "asked", band_mask=mode == "asked")
if mode == "fixed":
    hello.update(size=(16, 16))
prismbench.serve(**hello)
