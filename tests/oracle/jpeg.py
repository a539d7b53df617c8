"""Golden values of the JPEG tokenizer: its stream as Pillow (libjpeg) decodes it.

Reads tests/golden/baselines/jpeg_75.jpg, which the ignored test `the_golden_stream_is_written` of
prismbench-baselines writes, and puts the pixels into tests/golden/baselines/jpeg_75.rgb (u8, HxWx3).
"""

import pathlib

import numpy as np
from PIL import Image

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden" / "baselines"


def main():
    picture = Image.open(GOLDEN / "jpeg_75.jpg")
    print(picture.mode, picture.size, "sampling", [c[1:3] for c in picture.layer])
    np.asarray(picture).tofile(GOLDEN / "jpeg_75.rgb")


if __name__ == "__main__":
    main()
