"""Golden values of the resamplers and crops: what Pillow makes of hashed pictures.

Writes tests/golden/resample/{resize,crops}-pillow-MAJOR.json for the Pillow that runs it: 12 and 13 are committed,
because Pillow 13 takes the vertical pass first when it removes more than twice as many rows as columns, which moves
single levels. Each case holds the sha256 of the output bytes, so that a test that agrees agrees in every bit.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import PIL
from PIL import Image

from hashed import picture

GOLDEN = Path(__file__).parent.parent / "golden" / "resample"
MAJOR = PIL.__version__.split(".")[0]
FILTERS = {"box": Image.BOX, "bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC, "lanczos": Image.LANCZOS}

# Odd, prime, tiny, huge, extreme aspect ratios; growing, shrinking, one side unchanged, both unchanged.
SIZES = [
    ((500, 375), (341, 256)), ((375, 500), (256, 341)), ((256, 256), (299, 299)), ((32, 32), (299, 299)),
    ((17, 13), (5, 7)), ((5, 7), (17, 13)), ((1, 1), (9, 4)), ((9, 4), (1, 1)), ((2, 3), (1, 2)),
    ((2000, 3), (256, 1)), ((3, 2000), (1, 256)), ((4001, 11), (97, 11)), ((11, 4001), (11, 97)),
    ((640, 480), (640, 211)), ((640, 480), (211, 480)), ((63, 65), (63, 65)), ((3001, 2003), (250, 167)),
    ((101, 103), (1000, 999)), ((255, 257), (256, 256)), ((8, 8), (7, 9)),
    # Both sides of Pillow 13's rule: 2 x 50 columns against 99, 100 and 101 rows; columns added, rows removed.
    ((100, 179), (50, 80)), ((100, 180), (50, 80)), ((100, 181), (50, 80)), ((100, 100), (150, 99)), ((300, 800), (256, 683)),
]


def digest(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def resize_cases():
    for number, (source, target) in enumerate(SIZES):
        pixels = picture(*source, seed=number, amplitude=60)
        plane = Image.fromarray(pixels[:, :, 0].astype(np.float32), mode="F")
        for name, method in FILTERS.items():
            eight = np.asarray(Image.fromarray(pixels).resize(target, method))
            floats = np.asarray(plane.resize(target, method))
            yield dict(seed=number, source=source, target=target, filter=name, rgb8=digest(eight), plane=digest(floats))


def adm(image, size):
    """The ADM centre crop, from its description in the metrics specification."""
    while min(image.size) >= 2 * size:
        image = image.resize((image.width // 2, image.height // 2), Image.BOX)
    scale = size / min(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.BICUBIC)
    left, top = (image.width - size) // 2, (image.height - size) // 2
    return image.crop((left, top, left + size, top + size))


def torchvision(image, size, method):
    """torchvision Resize(size) and CenterCrop(size) on a PIL image: long side truncated, offsets rounded."""
    width, height = image.size
    short, long = min(width, height), max(width, height)
    other = int(size * long / short)
    if short != size:
        image = image.resize((size, other) if width <= height else (other, size), method)
    left, top = int(round((image.width - size) / 2.0)), int(round((image.height - size) / 2.0))
    return image.crop((left, top, left + size, top + size))


def crop_cases():
    sides = [(500, 375), (375, 500), (256, 256), (257, 256), (511, 600), (512, 512), (513, 1030), (1025, 1024),
             (2048, 1365), (3000, 2000), (100, 80), (8, 8), (1, 1), (3, 700), (2500, 17), (333, 1000), (640, 427), (301, 299), (280, 900)]
    for number, (width, height) in enumerate(sides):
        image = Image.fromarray(picture(width, height, seed=100 + number, amplitude=60))
        for size in (256, 64):
            # Growing one pixel to 256 rows of 100,000 columns tests patience, not arithmetic.
            if max(width, height) / min(width, height) * size > 40_000:
                continue
            yield dict(seed=100 + number, source=(width, height), size=size, crop="adm-center", filter="bicubic", rgb8=digest(adm(image, size)))
            for name, method in FILTERS.items():
                yield dict(seed=100 + number, source=(width, height), size=size, crop="resize-center", filter=name, rgb8=digest(torchvision(image, size, method)))


def lines(cases):
    return "[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n"


def main():
    GOLDEN.mkdir(parents=True, exist_ok=True)
    (GOLDEN / f"resize-pillow-{MAJOR}.json").write_text(lines(resize_cases()))
    (GOLDEN / f"crops-pillow-{MAJOR}.json").write_text(lines(crop_cases()))


if __name__ == "__main__":
    main()
