"""Lets prismbench measure a tokenizer that lives in Python: `--tokenizer "exec:python3 mine.py"`.

Copy this file beside your program, or put its folder on PYTHONPATH, and call `serve(...)`; `example.py` wraps a
`torch.nn.Module` in thirty lines. README.md has the protocol, for other languages. Nothing but Python 3.8 is
needed; with numpy, arrays come as `numpy.ndarray`, and what goes back may be numpy's or torch's.

Import it before whatever prints: from then on the standard output is the protocol's, and `print` goes to stderr.
"""

import hashlib
import json
import os
import struct
import sys
import traceback

try:
    import numpy
except ImportError:  # arrays come as `Array` then
    numpy = None

PROTOCOL = "1"


def _claim():
    """Keeps the two pipes for the protocol; whatever else writes to 1 goes to stderr, and reads of 0 find nothing."""
    pipes = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return pipes


_in, _out = _claim()


class Array:
    """f32 values in C order, where there is no numpy: `values` is a memoryview of floats."""

    def __init__(self, shape, values):
        self.shape = tuple(shape)
        self.values = memoryview(values).cast("B").cast("f")


class Request:
    """What decides a latent besides the pixels.

    `posterior` is "mode" or "sample"; `noise` "none", "uniform:TAU" or "half-normal:TAU"; `band_mask` "none",
    "zigzag:COUNT" or "rings:COUNT". A tokenizer that does not say that it has noise or bands is never asked for them.
    `ids` and `indices` are those of the pictures in their data set.
    """

    def __init__(self, texts):
        self.posterior = texts["posterior"]
        self.noise = texts["noise"]
        self.band_mask = texts["band_mask"]
        self.seed = int(texts["seed"])
        self.indices = json.loads(texts["indices"])
        self.ids = json.loads(texts["ids"])

    def seed_of(self, i):
        """Seed, below 2**63, of whatever is drawn for picture `i` of the batch, as in
        `torch.Generator().manual_seed(request.seed_of(i))`: it does not depend on the batch."""
        key = "%d:%d" % (self.seed, self.indices[i])
        return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "little") >> 1


def serve(*, name, source, stride, latent, encode, decode=None, features=None, grid=None, parameters=0, weights=(),
          size=None, posterior=False, noise=False, band_mask=False):
    """Answers prismbench until it has no more questions.

    name, source      what it is, and the paper or repository that it follows
    stride            sides of pictures are multiples of it
    latent            shape of one latent: "4,H/8,W/8", "H/16*W/16,768", "32,12"; "bits" for bit streams
    encode            (images f32 [N, 3, H, W] in [0, 1], Request) -> f32 [N, ...], or a list of bytes for "bits"
    decode            latents (or a list of bytes) -> images f32 [N, 3, H, W], nominally in [0, 1], unclamped
    features, grid    (images, tap) -> patch tokens f32 [N, rows * columns, D], or a dictionary of "patch_tokens",
                      "class_token" [N, D] and "pooled" [N, D]; tap is "output" or "block:I"; grid is their shape,
                      "H/16,W/16,768"
    parameters        learned numbers, encoder and decoder together
    weights           (name, sha256) of each file of weights: see `sha256_of`
    size              (height, width), if it takes no other
    posterior, noise, band_mask    whether it can draw from a posterior, add latent noise, mask frequencies
    """
    hello = {
        "message": "hello", "prismbench": PROTOCOL, "name": name, "source": source, "stride": str(stride),
        "latent": latent, "parameters": str(parameters), "decodes": _yes(decode), "features": grid or "no",
        "posterior": _yes(posterior), "noise": _yes(noise), "band_mask": _yes(band_mask),
        "weights": json.dumps([{"name": name, "sha256": digest} for name, digest in weights]),
    }
    if size is not None:
        hello["size"] = "%dx%d" % tuple(size)
    while True:
        frame = read_frame(_in)
        if frame is None:
            return
        texts, arrays = frame
        try:
            reply = _answer(hello, encode, decode, features, texts, arrays)
        except Exception as error:  # the program goes on: the next batch may be better
            traceback.print_exc()
            reply = {"message": "error", "text": "%s: %s" % (type(error).__name__, error)}, {}
        write_frame(_out, *reply)


def _answer(hello, encode, decode, features, texts, arrays):
    message = texts.get("message")
    if message == "hello":
        return hello, {}
    if message == "encode":
        return {"message": "latents"}, _results("latents", encode(arrays["images"], Request(texts)))
    if message == "decode" and decode is not None:
        latents = arrays.get("latents")
        if latents is None:
            latents = [bytes(arrays[str(i)]) for i in range(len(arrays))]
        return {"message": "images"}, {"images": decode(latents)}
    if message == "features" and features is not None:
        found = features(arrays["images"], texts["tap"])
        return {"message": "features"}, found if isinstance(found, dict) else {"patch_tokens": found}
    raise ValueError("cannot answer `%s`" % message)


def _results(name, found):
    if isinstance(found, (list, tuple)):
        return {str(i): bytes(stream) for i, stream in enumerate(found)}
    return {name: found}


def _yes(what):
    return "yes" if what else "no"


def sha256_of(what):
    """sha256 of a file, or of a module's or dictionary's tensors by name, for `weights`."""
    digest = hashlib.sha256()
    if isinstance(what, (str, os.PathLike)):
        with open(what, "rb") as file:
            for part in iter(lambda: file.read(1 << 20), b""):
                digest.update(part)
        return digest.hexdigest()
    state = what.state_dict() if hasattr(what, "state_dict") else what
    for key in sorted(state):
        shape, data = _bytes(state[key])[1:]
        digest.update(("%s %s " % (key, list(shape))).encode())
        digest.update(data)
    return digest.hexdigest()


def read_frame(file):
    """(texts, arrays) of the next frame; None at the end of the stream."""
    head = file.read(8)
    if len(head) < 8:
        return None
    data = bytearray(struct.unpack("<Q", head)[0])
    if file.readinto(data) != len(data):
        return None
    view = memoryview(data)
    start = 8 + struct.unpack_from("<Q", data)[0]
    header = json.loads(bytes(view[8:start]))
    texts = header.pop("__metadata__", {})
    arrays = {}
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        part = view[start + first:start + last]
        if entry["dtype"] != "F32":
            arrays[name] = part
        elif numpy is None:
            arrays[name] = Array(entry["shape"], part)
        else:
            arrays[name] = numpy.frombuffer(part, "<f4").reshape(entry["shape"])
    return texts, arrays


def write_frame(file, texts, arrays):
    """Writes one frame; arrays are numpy's, torch's, `Array` (all become f32) or bytes."""
    header, parts, end = {"__metadata__": texts}, [], 0
    for name, array in arrays.items():
        kind, shape, data = _bytes(array)
        first, end = end, end + len(data)
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [first, end]}
        parts.append(data)
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    file.write(struct.pack("<QQ", 8 + len(head) + end, len(head)) + head)
    for data in parts:
        file.write(data)
    file.flush()


def _bytes(array):
    """(type, shape, bytes) of an array on the host."""
    if isinstance(array, (bytes, bytearray, memoryview)):
        return "U8", (len(array),), array
    if isinstance(array, Array):
        return "F32", array.shape, array.values.cast("B")
    if hasattr(array, "detach"):
        array = array.detach().to("cpu").float().numpy()
    array = numpy.ascontiguousarray(array, "<f4")
    return "F32", array.shape, memoryview(array).cast("B") if array.size else b""


if sys.byteorder != "little":
    raise ImportError("this helper is written for little-endian machines")
