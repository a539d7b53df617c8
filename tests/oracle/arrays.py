"""Makes tests/golden/arrays: files as numpy.savez writes them, which ours must equal byte for byte.

    python arrays.py ../golden/arrays

The tests make the same items anew from the same formulas. `large-ends.bin` is a file of 5 GiB of zeros
without the zeros: what stands before and after them. Made with numpy 2.4.6 and Python 3.11.
"""

import pathlib
import sys

import numpy as np

NAMES = ["b/two.png", "a/one.png", "c/Ünï 日本.png", "x", "c/five 😀.png"]
LARGE = 5 << 30


def reconstructions():
    """Byte `i` of the whole array is `(i * i + 7 * i) mod 251`."""
    i = np.arange(len(NAMES) * 3 * 4 * 3, dtype=np.int64)
    return ((i * i + 7 * i) % 251).astype(np.uint8).reshape(len(NAMES), 3, 4, 3)


def latents():
    """Value `i` of the whole array is `(i - 7) / 8`, and the last four are awkward numbers."""
    values = ((np.arange(len(NAMES) * 2 * 3 * 2) - 7) / 8).astype(np.float32)
    values[-4:] = [-0.0, 2.0**-149, -3.4028234663852886e38, 1 / 3]
    return values.reshape(len(NAMES), 2, 3, 2)


class Ends:
    """A file that keeps nothing of long writes, which here are the zeros."""

    def __init__(self):
        self.at, self.pieces = 0, {}

    def read(self, *_):
        """There is nothing to read; numpy takes for a file what has this method."""
        return b""

    def write(self, data):
        if len(data) < 1 << 20:
            self.pieces[self.at] = bytes(data)
        self.at += len(data)
        return len(data)

    def seek(self, at, whence=0):
        assert whence == 0
        self.at = at

    def tell(self):
        return self.at

    def flush(self):
        pass

    def kept(self):
        return b"".join(piece for _, piece in sorted(self.pieces.items()))


def main():
    target = pathlib.Path(sys.argv[1])
    np.savez(target / "reconstructions.npz", arr_0=reconstructions(), ids=np.array(NAMES))
    np.savez(target / "latents.npz", arr_0=latents(), ids=np.array(NAMES))
    # Two digits of items, and items without axes.
    scalars = np.arange(12, dtype=np.float32)
    np.savez(target / "scalars.npz", arr_0=scalars, ids=np.array([f"{i}" for i in range(12)]))
    ends = Ends()
    zeros = np.broadcast_to(np.uint8(0), (5, 1 << 30))
    np.savez(ends, arr_0=zeros, ids=np.array(list("abcde")))
    assert ends.tell() > LARGE
    (target / "large-ends.bin").write_bytes(ends.kept())


if __name__ == "__main__":
    main()
