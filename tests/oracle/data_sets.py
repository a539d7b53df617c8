"""Makes tests/golden/data_sets: archives and tables as Python writes them, and files that must be refused.

    python data_sets.py ../golden/data_sets

Every set holds pictures of `picture()`, which the tests make anew from the same integer formula. Made with
Pillow 13, numpy 2.4.6, pyarrow 26.0 and the tarfile and gzip of Python 3.11.
"""

import gzip
import io
import json
import pathlib
import struct
import sys
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

HEIGHT, WIDTH = 3, 4
NAMES = ["ankle boot", "bag", "coat"]
LONG = "a folder with a long name/" * 6


def picture(index):
    """Byte `i` of picture `n` is `(k * k + 7 * k) mod 251` with `k = 36 n + i`."""
    k = index * HEIGHT * WIDTH * 3 + np.arange(HEIGHT * WIDTH * 3, dtype=np.int64)
    return ((k * k + 7 * k) % 251).astype(np.uint8).reshape(HEIGHT, WIDTH, 3)


def packed(index, format="PNG"):
    out = io.BytesIO()
    options = {"lossless": True, "exact": True} if format == "WEBP" else {}
    Image.fromarray(picture(index)).save(out, format, **options)
    return out.getvalue()


# Shards.


def members(prefix):
    """Five samples: classes, captions in both places, extensions in capitals, files that belong to none."""
    return [
        (f"{prefix}README", b"no sample"),
        (f"{prefix}000.png", packed(0)),
        (f"{prefix}000.cls", b"2"),
        (f"{prefix}000.txt", "a grey café\na second line\n".encode()),
        (f"{prefix}001.cls", b"0\n"),
        (f"{prefix}001.webp", packed(1, "WEBP")),
        (f"{prefix}001.seg.png", packed(9)),
        (f"{prefix}002.json", json.dumps({"label": 1, "caption": "from json", "width": 4}).encode()),
        (f"{prefix}002.PNG", packed(2)),
        (f"{prefix}._002.png", b"a shadow file of macOS"),
        (f"{prefix}{LONG}003 日本.png", packed(3)),
        (f"{prefix}{LONG}003 日本.json", json.dumps({"captions": ["one", "two"]}).encode()),
        (f"{prefix}004.png", packed(4)),
    ]


def add(tar, name, content, **fields):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for field, value in fields.items():
        setattr(info, field, value)
    tar.addfile(info, io.BytesIO(content) if info.isreg() else None)


def shard(path, format, prefix="", more=()):
    with tarfile.open(path, "w", format=format) as tar:
        if prefix:
            add(tar, prefix.rstrip("/"), b"", type=tarfile.DIRTYPE)
        for name, content in members(prefix):
            add(tar, name, content)
        for name, fields in more:
            add(tar, name, b"", **fields)


def header(name, size, kind=b"0"):
    """A header whose size is what we say it is."""
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


def shards(target):
    shard(target / "pax.tar", tarfile.PAX_FORMAT)
    shard(target / "gnu.tar", tarfile.GNU_FORMAT, prefix="./")
    whole = (target / "pax.tar").read_bytes()
    (target / "bad-cut.tar").write_bytes(whole[:6000])
    # Cut between two members: Python's tarfile takes this for the end.
    (target / "bad-no-end.tar").write_bytes(whole[:2048])
    (target / "bad-checksum.tar").write_bytes(whole[:3] + b"!" + whole[4:])
    link = {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}
    shard(target / "bad-link.tar", tarfile.PAX_FORMAT, more=[("005.png", link)])
    end = bytes(1024)
    png = packed(0)
    body = png + bytes(-len(png) % 512)
    for name, path in [("up", "../000.png"), ("inside", "a/../../000.png"), ("root", "/000.png")]:
        (target / f"bad-{name}.tar").write_bytes(header(path, len(png)) + body + end)
    (target / "bad-size.tar").write_bytes(header("000.png", 1 << 40) + body + end)
    (target / "bad-long-name.tar").write_bytes(header("././@LongLink", 1 << 40, b"L") + body + end)
    (target / "bad-negative.tar").write_bytes(negative(header("000.png", 0)) + body + end)
    twice = header("000.png", len(png)) + body + header("001.png", len(png)) + body
    (target / "bad-scattered.tar").write_bytes(twice + header("000.jpg", len(png)) + body + end)
    pair = header("000.png", len(png)) + body + header("000.jpg", len(png)) + body
    (target / "bad-pair.tar").write_bytes(pair + end)
    (target / "bad-no-picture.tar").write_bytes(header("000.cls", 1) + b"1" + bytes(511) + end)
    (target / "bad-none.tar").write_bytes(end)


def negative(block):
    """The size -1 in base 256, which GNU tar writes for no member."""
    block = block[:124] + b"\xff" * 12 + block[136:]
    total = sum(block[:148]) + 8 * 32 + sum(block[156:512])
    return block[:148] + b"%06o\0 " % total + block[156:]


# Tables.


def hub(features):
    return {"huggingface": json.dumps({"info": {"features": features}})}


def image(indices, format="PNG"):
    rows = [{"bytes": packed(i, format), "path": f"{i}.png"} for i in indices]
    return pa.array(rows, pa.struct([("bytes", pa.binary()), ("path", pa.string())]))


def write(path, columns, metadata=None, **options):
    table = pa.table(columns)
    if metadata:
        table = table.replace_schema_metadata(metadata)
    pq.write_table(table, path, **options)


def tables(target):
    label = {"_type": "ClassLabel", "names": NAMES}
    features = hub({"image": {"_type": "Image"}, "label": label})
    labels = [2, 0, 1, -1, 2, None, 0]
    captions = [[f"picture {i}", f"the one after {i - 1}"] for i in range(7)]
    columns = {
        "image": image(range(7)),
        "label": pa.array(labels, pa.int64()),
        "captions": pa.array(captions, pa.list_(pa.string())),
        "url": pa.array([f"http://example.org/{i}" for i in range(7)]),
    }
    for compression in ["none", "snappy", "zstd", "gzip"]:
        write(target / f"{compression}.parquet", columns, features, compression=compression, row_group_size=3)
    write(target / "version2.parquet", columns, features, data_page_version="2.0", data_page_size=64)
    # Other names: pictures without a struct, a class column that only the JSON tells, one caption.
    other = {
        "img": image(range(3), "WEBP"),
        "fine_label": pa.array([0, 1, 2], pa.int32()),
        "text": pa.array(["a", "b", "c"], pa.large_string()),
    }
    write(target / "other.parquet", other, hub({"fine_label": label}))
    write(target / "bytes.parquet", {"image": pa.array([packed(i) for i in range(2)], pa.binary())})

    write(target / "bad-no-image.parquet", {"url": columns["url"], "label": columns["label"]})
    write(target / "bad-two.parquet", {"left": columns["image"], "right": columns["image"]})
    write(target / "bad-label.parquet", {"image": image([0]), "label": pa.array(["cat"])})
    write(target / "bad-none.parquet", {"image": image([])})
    missing = {"image": columns["image"], "caption": ["a", " ", None, "d", "e", "f", "g"]}
    missing["label"] = pa.array([0, 1, 3, -2, 0, 0, 0], pa.int64())
    rows = missing["image"].to_pylist()
    rows[4]["bytes"], rows[5]["bytes"], rows[6] = None, b"no picture", None
    missing["image"] = pa.array(rows, missing["image"].type)
    write(target / "bad-rows.parquet", missing, features)
    whole = (target / "snappy.parquet").read_bytes()
    (target / "bad-cut.parquet").write_bytes(whole[: len(whole) // 2])
    # The data are gone, the footer is whole.
    footer = int.from_bytes(whole[-8:-4], "little") + 8
    (target / "bad-hollow.parquet").write_bytes(b"PAR1" + whole[-footer:])
    (target / "bad-zeros.parquet").write_bytes(whole[:4] + bytes(600) + whole[604:])
    (target / "bad-empty.parquet").write_bytes(b"")


# Arrays.


def idx(array):
    sides = struct.pack(f">{array.ndim}I", *array.shape)
    return bytes([0, 0, 8, array.ndim]) + sides + array.tobytes()


def main():
    target = pathlib.Path(sys.argv[1])
    target.mkdir(exist_ok=True)
    shards(target)
    tables(target)
    levels = np.stack([picture(i)[..., 0] for i in range(5)])
    for name, data in [("images-idx3", idx(levels)), ("labels-idx1", idx(np.array([3, 0, 9, 7, 3], np.uint8)))]:
        with gzip.GzipFile(target / f"train-{name}-ubyte.gz", "wb", mtime=0) as file:
            file.write(data)


main()
