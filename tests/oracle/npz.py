"""Makes tests/golden/npz: sample files as numpy writes them, and files that must be refused.

    python npz.py ../golden/npz

Each good file holds the five pictures of `pictures()`; the tests make them anew from the same integer
formula. Made with numpy 2.4.6.
"""

import io
import pathlib
import struct
import sys
import zipfile

import numpy as np

N, HEIGHT, WIDTH = 5, 3, 4
NAMES = ["b/two.png", "a/one.png", "c/Ünï 日本.png", "x", "c/five 😀.png"]


def pictures():
    """Byte `i` of the whole array is `(i * i + 7 * i) mod 251`."""
    i = np.arange(N * HEIGHT * WIDTH * 3, dtype=np.int64)
    return ((i * i + 7 * i) % 251).astype(np.uint8).reshape(N, HEIGHT, WIDTH, 3)


def npy(array, version):
    out = io.BytesIO()
    np.lib.format.write_array(out, array, version=version)
    return out.getvalue()


def main():
    target = pathlib.Path(sys.argv[1])
    data, labels = pictures(), np.array([3, 0, 999, 7, 3])
    np.savez(target / "stored.npz", data)
    np.savez_compressed(target / "deflated.npz", data)
    np.savez(target / "stored-labels-ids.npz", data, labels, ids=np.array(NAMES))
    np.savez_compressed(target / "deflated-labels-ids.npz", data, labels.astype(np.uint16), ids=np.array(NAMES))
    swapped = np.array(NAMES).astype(">U14")
    np.savez(target / "big-endian.npz", data, labels.astype(">i4"), ids=swapped)
    with zipfile.ZipFile(target / "version2.npz", "w") as file:
        file.writestr("arr_0.npy", npy(data, (2, 0)))
    with zipfile.ZipFile(target / "zip64.npz", "w") as file:
        with file.open("arr_0.npy", "w", force_zip64=True) as member:
            member.write(npy(data, (1, 0)))

    np.savez(target / "bad-float.npz", data.astype(np.float32))
    np.savez(target / "bad-grey.npz", data[..., 0])
    np.savez(target / "bad-channels-first.npz", data.transpose(0, 3, 1, 2).copy())
    np.savez(target / "bad-none.npz", data[:0])
    np.savez(target / "bad-fortran.npz", np.asfortranarray(data))
    np.savez(target / "bad-names.npz", images=data, labels=labels)
    np.savez(target / "bad-object.npz", np.array([None, 1], dtype=object))
    np.savez(target / "bad-labels-short.npz", data, labels[:4])
    np.savez(target / "bad-labels-negative.npz", data, np.array([0, 1, -1, 2, 3]))
    np.savez(target / "bad-labels-float.npz", data, labels.astype(float))
    np.savez(target / "bad-ids-long.npz", data, ids=np.array(NAMES + ["y"]))
    np.savez(target / "bad-ids-twice.npz", data, ids=np.array(NAMES[:4] + NAMES[:1]))
    np.savez(target / "bad-ids-bytes.npz", data, ids=np.array([b"a", b"b", b"c", b"d", b"e"]))
    with zipfile.ZipFile(target / "bad-bzip2.npz", "w", zipfile.ZIP_BZIP2) as file:
        file.writestr("arr_0.npy", npy(data, (1, 0)))
    whole = (target / "stored.npz").read_bytes()
    (target / "bad-cut.npz").write_bytes(whole[: len(whole) // 2])
    (target / "bad-empty.npz").write_bytes(b"")
    (target / "bad-member.npz").write_bytes(
        whole.replace(b"\x93NUMPY\x01\x00", struct.pack("8s", b"nonsense"))
    )


main()
