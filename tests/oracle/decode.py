"""Makes tests/golden/decode: small pictures in every mode and format, and what Pillow decodes them to.

    python decode.py ../golden/decode

`expected.tsv` names each file with its size and the place of its RGB bytes in `expected.zlib`;
`refused.tsv` names the files that Pillow does not open, with its reason. What the encoders of Pillow
cannot write (sub-byte and 16-bit PNG, 16-bit TIFF, run-length BMP, GIF frames off the origin, YCCK) is
written here byte by byte. Made with Pillow 13.0.0, numpy 2.4.6 and tifffile 2026.3.3.
"""

import io
import pathlib
import struct
import sys
import zlib

import numpy as np
import tifffile
from PIL import Image

WIDTH, HEIGHT = 23, 17


def scene(width=WIDTH, height=HEIGHT):
    """Gradients, an edge and a fine texture, u8 [H, W, 3]: smooth and sharp parts in each channel."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    red = 40 + 160 * x / width + 30 * np.sin(y / 2.1)
    green = 220 - 150 * y / height + 25 * np.cos((x + y) / 1.7)
    blue = np.where((x - width / 2) ** 2 + (y - height / 2) ** 2 < (height / 3) ** 2, 230, 30 + 3 * x)
    picture = np.stack([red, green, blue], axis=-1)
    picture[height // 2 :, : width // 4] = (250, 5, 128)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


RGB = scene()
GREY = RGB[..., 1]
ALPHA = (RGB[..., 0].astype(int) * 2 % 256).astype(np.uint8)
RGBA = np.dstack([RGB, ALPHA])
WIDE = (RGB.astype(np.uint16) << 8) | (RGB[:, ::-1].astype(np.uint16) ^ 0x5A)
INDEX = ((GREY.astype(int) + RGB[..., 2]) % 16).astype(np.uint8)
COLOURS = np.array([[(i * 37) % 256, (255 - i * 11) % 256, (i * i * 5) % 256] for i in range(256)], np.uint8)

FILES = {}


def put(name, data):
    assert name not in FILES, name
    FILES[name] = bytes(data)


def saved(image, format, **options):
    if not isinstance(image, Image.Image):
        image = Image.fromarray(image)
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


# --- PNG ------------------------------------------------------------------------------------------


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def packed(samples, depth):
    """Scanlines of samples [H, W] or [H, W, C], most significant bit first, filter 0."""
    rows = samples.reshape(samples.shape[0], -1)
    out = b""
    for row in rows:
        if depth == 16:
            line = row.astype(">u2").tobytes()
        else:
            bits = ((row[:, None].astype(int) >> np.arange(depth - 1, -1, -1)) & 1).astype(np.uint8)
            line = np.packbits(bits.reshape(-1)).tobytes()
        out += b"\0" + line
    return out


def png(samples, depth, colour_type, *chunks, interlaced=False):
    height, width = samples.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, int(interlaced))
    if interlaced:
        passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
        parts = (samples[y::dy, x::dx] for y, x, dy, dx in passes)
        body = b"".join(packed(part, depth) for part in parts if part.size)
    else:
        body = packed(samples, depth)
    out = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    for kind, data in chunks:
        out += chunk(kind, data)
    return out + chunk(b"IDAT", zlib.compress(body, 9)) + chunk(b"IEND", b"")


def make_png():
    def palette(n):
        return (b"PLTE", COLOURS[:n].tobytes())

    for depth in (1, 2, 4):
        put(f"png-grey{depth}.png", png(GREY >> (8 - depth), depth, 0))
    put("png-grey8.png", png(GREY, 8, 0))
    put("png-grey16.png", png(WIDE[..., 0], 16, 0))
    put("png-grey16-low.png", png(WIDE[..., 0] >> 7, 16, 0))
    put("png-grey8-trns.png", png(GREY, 8, 0, (b"tRNS", struct.pack(">H", int(GREY[3, 3])))))
    put("png-grey16-trns.png", png(WIDE[..., 0], 16, 0, (b"tRNS", struct.pack(">H", int(WIDE[3, 3, 0])))))
    put("png-rgb8.png", png(RGB, 8, 2))
    put("png-rgb16.png", png(WIDE, 16, 2))
    put("png-rgb8-trns.png", png(RGB, 8, 2, (b"tRNS", struct.pack(">HHH", *RGB[4, 4].tolist()))))
    for depth in (1, 2, 4, 8):
        n = min(1 << depth, 16)
        put(f"png-palette{depth}.png", png(INDEX % n, depth, 3, palette(n)))
    fades = bytes(range(0, 256, 16))
    put("png-palette8-trns.png", png(INDEX, 8, 3, palette(16), (b"tRNS", fades)))
    put("png-palette4-trns.png", png(INDEX, 4, 3, palette(16), (b"tRNS", fades[:5])))
    put("png-palette8-short.png", png(INDEX, 8, 3, palette(10)))
    put("png-greyalpha8.png", png(np.dstack([GREY, ALPHA]), 8, 4))
    put("png-greyalpha16.png", png(WIDE[..., :2], 16, 4))
    put("png-rgba8.png", png(RGBA, 8, 6))
    put("png-rgba16.png", png(np.dstack([WIDE, WIDE[::-1, :, 0]]), 16, 6))
    put("png-rgb8-interlaced.png", png(RGB, 8, 2, interlaced=True))
    put("png-grey1-interlaced.png", png(GREY >> 7, 1, 0, interlaced=True))
    put("png-palette4-interlaced.png", png(INDEX, 4, 3, palette(16), interlaced=True))
    put("png-gamma.png", png(RGB, 8, 2, (b"gAMA", struct.pack(">I", 100000))))
    exif = Image.Exif()
    exif[0x0112] = 6
    put("png-exif-orientation.png", saved(RGB, "PNG", exif=exif))
    put("png-animated.png", saved(RGB, "PNG", save_all=True, append_images=[Image.fromarray(RGB[::-1])]))
    whole = FILES["png-rgb8.png"]
    put("png-trailing-garbage.png", whole + b"garbage" * 9)
    put("png-no-end.png", whole[:-12])
    put("bad-cut.png", whole[: len(whole) // 2])
    put("bad-header-only.png", whole[:33])
    put("bad-checksum.png", whole[:60] + bytes([whole[60] ^ 1]) + whole[61:])


# --- JPEG -----------------------------------------------------------------------------------------


def resampled(jpeg, factors, width, height):
    """A CMYK file whose blocks are told to be those of other sampling factors and another size.

    All components share their tables, so the codes stay valid as long as the number of blocks does.
    """
    at = jpeg.index(b"\xff\xc0")
    frame = bytearray(jpeg[at : at + 10 + 12])
    frame[5:9] = struct.pack(">HH", height, width)
    for i, factor in enumerate(factors):
        frame[11 + 3 * i] = factor
    return jpeg[:at] + bytes(frame) + jpeg[at + len(frame) :]


def make_jpeg():
    large = scene(45, 38)
    for name, sampling in (("444", "4:4:4"), ("422", "4:2:2"), ("420", "4:2:0")):
        put(f"jpeg-{name}.jpg", saved(RGB, "JPEG", quality=90, subsampling=sampling))
        put(f"jpeg-{name}-rough.jpg", saved(large, "JPEG", quality=15, subsampling=sampling))
        put(
            f"jpeg-{name}-progressive.jpg",
            saved(large, "JPEG", quality=75, subsampling=sampling, progressive=True),
        )
    put("jpeg-grey.jpg", saved(GREY, "JPEG", quality=80))
    put("jpeg-grey-progressive.jpg", saved(GREY, "JPEG", quality=60, progressive=True))
    put("jpeg-one-pixel.jpg", saved(RGB[:1, :1], "JPEG", quality=90))
    put("jpeg-one-column.jpg", saved(RGB[:, :1], "JPEG", quality=90))
    put("jpeg-one-row.jpg", saved(RGB[:1], "JPEG", quality=90))
    put("jpeg-rgb.jpg", saved(RGB, "JPEG", quality=85, keep_rgb=True))
    put("jpeg-restarts.jpg", saved(large, "JPEG", quality=75, restart_marker_blocks=2))
    exif = Image.Exif()
    exif[0x0112] = 6
    put("jpeg-exif-orientation.jpg", saved(RGB, "JPEG", quality=90, exif=exif))
    cmyk = saved(Image.fromarray(np.dstack([RGB, GREY[::-1]]), "CMYK"), "JPEG", quality=85)
    at = cmyk.index(b"\xff\xee\0\x0eAdobe")
    put("jpeg-cmyk-adobe.jpg", cmyk)
    put("jpeg-ycck-adobe.jpg", cmyk[: at + 15] + b"\x02" + cmyk[at + 16 :])
    put("jpeg-cmyk-plain.jpg", cmyk[:at] + cmyk[at + 16 :])
    for name, factors, source, size in (
        ("422", (0x21, 0x11, 0x11, 0x21), (24, 24), (45, 15)),
        ("420", (0x22, 0x11, 0x11, 0x22), (40, 32), (61, 29)),
        ("440", (0x12, 0x11, 0x11, 0x12), (24, 24), (15, 45)),
        ("odd", (0x22, 0x11, 0x11, 0x11), (56, 32), (61, 29)),
    ):
        inks = np.dstack([scene(*source), scene(*source)[::-1, :, 1]])
        flat = saved(Image.fromarray(inks, "CMYK"), "JPEG", quality=85)
        put(f"jpeg-ycck-{name}.jpg", resampled(flat[: at + 15] + b"\x02" + flat[at + 16 :], factors, *size))
    whole = FILES["jpeg-420-rough.jpg"]
    put("jpeg-trailing-garbage.jpg", whole + b"garbage" * 9)
    put("jpeg-no-end.jpg", whole[:-2])
    put("jpeg-named-as.png", FILES["jpeg-444.jpg"])
    put("bad-cut.jpg", whole[: len(whole) * 3 // 4])
    put("bad-header-only.jpg", whole[: whole.index(b"\xff\xda")])
    progressive = FILES["jpeg-420-progressive.jpg"]
    put("bad-cut-progressive.jpg", progressive[: len(progressive) // 2])


# --- GIF ------------------------------------------------------------------------------------------


def lzw(indices):
    """GIF's code stream with 8-bit symbols and no dictionary: a clear code before codes run to 10 bits."""
    codes = []
    for i, symbol in enumerate(indices):
        if i % 250 == 0:
            codes.append(256)
        codes.append(int(symbol))
    codes.append(257)
    bits = 0
    for i, code in enumerate(codes):
        bits |= code << (9 * i)
    data = bits.to_bytes((9 * len(codes) + 7) // 8, "little")
    blocks = b"".join(bytes([len(data[i : i + 255])]) + data[i : i + 255] for i in range(0, len(data), 255))
    return b"\x08" + blocks + b"\0"


def gif(indices, at=(0, 0), screen=None, transparent=None, colours=256, local=None, background=0):
    height, width = indices.shape
    screen = screen or (width, height)
    table = COLOURS[:colours].tobytes()
    size = max(colours - 1, 1).bit_length() - 1
    out = b"GIF89a" + struct.pack("<HH", *screen) + bytes([0x80 | size, background, 0]) + table
    if transparent is not None:
        out += b"\x21\xf9\x04\x01\0\0" + bytes([transparent]) + b"\0"
    flags = 0 if local is None else 0x80 | 7
    out += b"\x2c" + struct.pack("<HHHH", *at, width, height) + bytes([flags])
    if local is not None:
        out += local.tobytes()
    return out + lzw(indices.reshape(-1)) + b"\x3b"


def make_gif():
    put("gif-palette.gif", gif(INDEX))
    put("gif-grey.gif", saved(GREY, "GIF"))
    put("gif-transparent.gif", gif(INDEX, transparent=5))
    put("gif-offset.gif", gif(INDEX[:9, :11], at=(4, 3), screen=(WIDTH, HEIGHT), background=7))
    put("gif-offset-transparent.gif", gif(INDEX[:9, :11], at=(4, 3), screen=(WIDTH, HEIGHT), transparent=9))
    put("gif-beyond.gif", gif(INDEX, at=(4, 3), screen=(WIDTH - 3, HEIGHT - 5)))
    bare = gif(INDEX)
    put("gif-no-palette.gif", bare[:10] + b"\0" + bare[11:13] + bare[13 + 768 :])
    put("gif-local.gif", gif(INDEX, local=COLOURS[::-1].copy()))
    put("gif-short-palette.gif", gif(INDEX, colours=8))
    adaptive = Image.fromarray(RGB).quantize(40)
    put("gif-interlaced.gif", saved(adaptive, "GIF", interlace=1))
    put("gif-animated.gif", saved(adaptive, "GIF", save_all=True, append_images=[Image.fromarray(RGB[::-1])]))
    whole = FILES["gif-palette.gif"]
    put("gif-trailing-garbage.gif", whole + b"garbage")
    put("gif-no-end.gif", whole[:-1])
    put("bad-cut.gif", whole[: 13 + 768 + 10 + (len(whole) - 791) // 2])


# --- BMP ------------------------------------------------------------------------------------------


def bmp(width, height, bits, compression, data, colours=None, masks=b""):
    table = b"" if colours is None else b"".join(bytes([b, g, r, 0]) for r, g, b in colours.tolist())
    offset = 14 + 40 + len(masks) + len(table)
    used = 0 if colours is None else len(colours)
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(data), 2835, 2835, used, 0)
    return b"BM" + struct.pack("<IHHI", offset + len(data), 0, 0, offset) + info + masks + table + data


def rows(lines):
    return b"".join(line + b"\0" * (-len(line) % 4) for line in lines)


def make_bmp():
    put("bmp-rgb.bmp", saved(RGB, "BMP"))
    put("bmp-rgba.bmp", saved(RGBA, "BMP"))
    put("bmp-grey.bmp", saved(GREY, "BMP"))
    put("bmp-bit.bmp", saved(Image.fromarray(GREY).convert("1"), "BMP"))
    palette = Image.fromarray(RGB).quantize(50)
    put("bmp-palette.bmp", saved(palette, "BMP"))
    four = [np.packbits(((np.append(r, 0)[:, None] >> np.arange(3, -1, -1)) & 1).astype(np.uint8)) for r in INDEX[::-1]]
    put("bmp-palette4.bmp", bmp(WIDTH, HEIGHT, 4, 0, rows(r.tobytes() for r in four), COLOURS[:16]))
    put("bmp-top-down.bmp", bmp(WIDTH, -HEIGHT, 24, 0, rows(r[:, ::-1].tobytes() for r in RGB)))
    wide = RGB.astype(np.uint32)
    five = (wide[..., 0] >> 3 << 10) | (wide[..., 1] >> 3 << 5) | (wide[..., 2] >> 3)
    put("bmp-555.bmp", bmp(WIDTH, HEIGHT, 16, 0, rows(r.astype("<u2").tobytes() for r in five[::-1])))
    six = (wide[..., 0] >> 3 << 11) | (wide[..., 1] >> 2 << 5) | (wide[..., 2] >> 3)
    masks = struct.pack("<III", 0xF800, 0x07E0, 0x001F)
    put("bmp-565.bmp", bmp(WIDTH, HEIGHT, 16, 3, rows(r.astype("<u2").tobytes() for r in six[::-1]), masks=masks))
    runs = b""
    for row in INDEX[::-1]:
        for value in row:
            runs += bytes([1, value])
        runs += b"\0\0"
    put("bmp-rle8.bmp", bmp(WIDTH, HEIGHT, 8, 1, runs + b"\0\1", COLOURS[:16]))
    os2 = b"".join(bytes([b, g, r]) for r, g, b in COLOURS[:256].tolist())
    data = rows(r.tobytes() for r in INDEX[::-1])
    header = struct.pack("<IHHHH", 12, WIDTH, HEIGHT, 1, 8)
    offset = 14 + 12 + len(os2)
    put("bmp-os2.bmp", b"BM" + struct.pack("<IHHI", offset + len(data), 0, 0, offset) + header + os2 + data)
    whole = FILES["bmp-rgb.bmp"]
    put("bmp-trailing-garbage.bmp", whole + b"garbage")
    put("bad-cut.bmp", whole[: len(whole) // 2])


# --- TIFF -----------------------------------------------------------------------------------------


def tiff(array, **options):
    out = io.BytesIO()
    tifffile.imwrite(out, array, metadata=None, software=False, **options)
    return out.getvalue()


def make_tiff():
    for name in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"):
        put(f"tiff-rgb-{name.replace('_', '-')}.tif", saved(RGB, "TIFF", compression=name))
    put("tiff-rgb-jpeg.tif", saved(scene(48, 32), "TIFF", compression="jpeg", quality=80))
    put("tiff-rgb-predictor.tif", tiff(RGB, photometric="rgb", compression="zlib", predictor=True))
    put("tiff-rgb-tiles.tif", tiff(RGB, photometric="rgb", tile=(16, 16)))
    put("tiff-rgb-planes.tif", tiff(RGB.transpose(2, 0, 1).copy(), photometric="rgb", planarconfig="separate"))
    put("tiff-rgba.tif", saved(RGBA, "TIFF"))
    put("tiff-rgba-multiplied.tif", tiff(RGBA, photometric="rgb", extrasamples=["assocalpha"]))
    put("tiff-rgba16-multiplied.tif", tiff(np.dstack([WIDE, WIDE[::-1, :, 0]]), photometric="rgb", extrasamples=["assocalpha"]))
    put("tiff-rgb-big-endian.tif", tiff(RGB, photometric="rgb", byteorder=">"))
    put("tiff-rgb-bigtiff.tif", tiff(RGB, photometric="rgb", bigtiff=True))
    put("tiff-rgb16.tif", tiff(WIDE, photometric="rgb"))
    put("tiff-rgb16-big-endian.tif", tiff(WIDE, photometric="rgb", byteorder=">"))
    put("tiff-grey.tif", saved(GREY, "TIFF"))
    put("tiff-grey-white-is-zero.tif", tiff(GREY, photometric="miniswhite"))
    put("tiff-greyalpha.tif", saved(Image.fromarray(np.dstack([GREY, ALPHA]), "LA"), "TIFF"))
    put("tiff-grey16.tif", tiff(WIDE[..., 0], photometric="minisblack"))
    put("tiff-grey16-low.tif", tiff(WIDE[..., 0] >> 7, photometric="minisblack"))
    put("tiff-grey16-big-endian.tif", tiff(WIDE[..., 0], photometric="minisblack", byteorder=">"))
    put("tiff-grey16-signed.tif", tiff((WIDE[..., 0] >> 7).astype(np.int16) - 60, photometric="minisblack"))
    put("tiff-grey32.tif", tiff((WIDE[..., 0].astype(np.int32) >> 5) - 300, photometric="minisblack"))
    put("tiff-float.tif", tiff((WIDE[..., 0] / 200 - 20.0).astype(np.float32), photometric="minisblack"))
    bit = Image.fromarray(GREY).convert("1")
    put("tiff-bit.tif", saved(bit, "TIFF"))
    put("tiff-bit-group4.tif", saved(bit, "TIFF", compression="group4"))
    put("tiff-palette.tif", saved(Image.fromarray(RGB).quantize(50), "TIFF"))
    put("tiff-cmyk.tif", saved(Image.fromarray(RGBA, "CMYK"), "TIFF"))
    put("tiff-two-pages.tif", saved(RGB, "TIFF", save_all=True, append_images=[Image.fromarray(RGB[::-1])]))
    for orientation in range(1, 9):
        put(f"tiff-orientation{orientation}.tif", saved(RGB, "TIFF", tiffinfo={274: orientation}))
    whole = FILES["tiff-rgb-packbits.tif"]
    put("bad-cut.tif", whole[:-300])
    strip = FILES["tiff-rgb-big-endian.tif"]
    put("bad-cut-strip.tif", strip[: len(strip) - 200])


# --- WebP -----------------------------------------------------------------------------------------


def make_webp():
    large = scene(45, 38)
    put("webp-lossless.webp", saved(RGB, "WEBP", lossless=True))
    put("webp-lossless-rgba.webp", saved(RGBA, "WEBP", lossless=True, exact=True))
    put("webp-lossy.webp", saved(large, "WEBP", quality=75))
    put("webp-lossy-rough.webp", saved(large, "WEBP", quality=10))
    put("webp-lossy-fine.webp", saved(RGB, "WEBP", quality=98))
    put("webp-lossy-rgba.webp", saved(RGBA, "WEBP", quality=80, exact=True))
    put("webp-one-pixel.webp", saved(RGB[:1, :1], "WEBP", quality=80))
    frames = [Image.fromarray(RGB[::-1])]
    put("webp-animated.webp", saved(RGB, "WEBP", lossless=True, save_all=True, append_images=frames))
    whole = FILES["webp-lossy.webp"]
    put("bad-cut.webp", whole[: len(whole) * 3 // 4])
    lossless = FILES["webp-lossless.webp"]
    put("bad-cut-lossless.webp", lossless[: len(lossless) * 3 // 4])


def main():
    target = pathlib.Path(sys.argv[1])
    for make in (make_png, make_jpeg, make_gif, make_bmp, make_tiff, make_webp):
        make()
    put("bad-empty.png", b"")
    put("bad-text.jpg", b"this is no picture\n")
    pixels, expected, refused = b"", [], []
    for name, data in sorted(FILES.items()):
        (target / name).write_bytes(data)
        try:
            with Image.open(target / name) as image:
                mode, rgb = image.mode, np.asarray(image.convert("RGB"))
        except (OSError, SyntaxError, ValueError) as error:
            refused.append(f"{name}\t{type(error).__name__}: {str(error).replace(str(target), '')}\n")
            continue
        expected.append(f"{name}\t{rgb.shape[1]}\t{rgb.shape[0]}\t{len(pixels)}\t{mode}\n")
        pixels += rgb.tobytes()
    (target / "expected.zlib").write_bytes(zlib.compress(pixels, 9))
    (target / "expected.tsv").write_text("file\twidth\theight\toffset\tmode\n" + "".join(expected))
    (target / "refused.tsv").write_text("file\treason\n" + "".join(refused))


main()
