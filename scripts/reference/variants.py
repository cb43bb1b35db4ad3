"""preprocess/testdata/variants: files of kinds that decoders differ about, and beside each
NAME.EXT what PIL makes of it: by convert("RGB") as NAME.EXT.png, with LOAD_TRUNCATED_IMAGES
as NAME.EXT.fill.png, turned by its EXIF orientation as NAME.EXT.upright.png.

restart.jpg (cjpeg -progressive -restart 1 -sample 2x2) and arithmetic.jpg (cjpeg
-arithmetic), which PIL cannot write, are given."""
import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageFile, ImageOps

FOLDER = "preprocess/testdata/variants"
WIDTH, HEIGHT = 29, 22
Y, X = np.mgrid[0:HEIGHT, 0:WIDTH]
COLOURS = np.stack([X * 8, Y * 11, (X * 7 + Y * 5) % 256], 2).astype(np.uint8)
LEVELS = (X * 2 + Y * 3).astype(np.uint8)


def encoded(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def segments(jpeg):
    """Of a JPEG up to its first scan: (marker, start, end)."""
    at, found = 2, []
    while not found or found[-1][0] != 0xDA:
        length = struct.unpack(">H", jpeg[at + 2 : at + 4])[0]
        found.append((jpeg[at + 1], at, at + 2 + length))
        at += 2 + length
    return found


def without(jpeg, marker):
    for m, start, end in reversed(segments(jpeg)):
        if m == marker:
            jpeg = jpeg[:start] + jpeg[end:]
    return jpeg


def with_ids(jpeg, ids):
    """The components named otherwise, which says what colours they are."""
    jpeg = bytearray(without(jpeg, 0xE0))
    frame = next(start for marker, start, _ in segments(jpeg) if marker == 0xC0)
    scan = segments(jpeg)[-1][1]
    for k, c in enumerate(ids):
        jpeg[frame + 10 + 3 * k] = jpeg[scan + 5 + 2 * k] = c
    return bytes(jpeg)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(raw, interlaced=0):
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, interlaced)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


def rows(pixels):
    return b"".join(b"\0" + row.tobytes() for row in pixels)


def lzw(pixels):
    """Codes of 9 bits; the table is cleared before they would grow."""
    bits, length = 0, 0
    for k, value in enumerate(pixels):
        for code in ([256] if k % 250 == 0 else []) + [int(value)]:
            bits |= code << length
            length += 9
    bits |= 257 << length
    data = bits.to_bytes((length + 9 + 7) // 8, "little")
    return b"\x08" + b"".join(bytes([len(data[i : i + 255])]) + data[i : i + 255] for i in range(0, len(data), 255)) + b"\0"


GLOBAL = bytes(v for i in range(256) for v in (i, 255 - i, i * 3 % 256))
LOCAL = bytes(v for i in range(256) for v in (i * 5 % 256, 90 + i // 2, 255 - i))


def gif(width=WIDTH, height=HEIGHT, at=(0, 0), palette=GLOBAL, local=b"", transparent=None, before=b"", pixels=LEVELS):
    data = b"GIF89a" + struct.pack("<HHBBB", width, height, 0xF7 if palette else 0x70, 0, 0) + palette + before
    if transparent is not None:
        data += b"!\xf9\4" + struct.pack("<BHBB", 1, 0, transparent, 0)
    data += b"," + struct.pack("<HHHHB", *at, WIDTH, HEIGHT, 0x87 if local else 0) + local
    return data + lzw(pixels.ravel()) + b";"


def riff(kind, data):
    return kind + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def animation(frame, width, height, x, y):
    """An animated WebP of one frame at (x, y)."""
    uint24 = lambda v: struct.pack("<I", v)[:3]
    info = riff(b"VP8X", b"\x02\0\0\0" + uint24(width - 1) + uint24(height - 1)) + riff(b"ANIM", b"\xff\xff\xff\xff\0\0")
    place = uint24(x // 2) + uint24(y // 2) + uint24(WIDTH - 1) + uint24(HEIGHT - 1) + uint24(100) + b"\0"
    body = b"WEBP" + info + riff(b"ANMF", place + frame[12:])
    return b"RIFF" + struct.pack("<I", len(body)) + body


def plain():
    """Files that are read in the ordinary way."""
    photo, gray = Image.fromarray(COLOURS), Image.fromarray(LEVELS)
    jpeg = encoded(photo, "JPEG", quality=85, subsampling=2)
    yield "rgb-subsampled.jpg", with_ids(jpeg, b"RGB")
    yield "equal-ids.jpg", with_ids(jpeg, b"\1\1\1")
    yield "no-huffman-tables.jpg", without(jpeg, 0xC4)
    yield "damaged-scan.jpg", jpeg[: (segments(jpeg)[-1][2] + len(jpeg)) // 2] + b"\xff\xd9"
    cmyk = encoded(photo.convert("CMYK"), "JPEG", quality=85, subsampling=2)
    yield "cmyk-subsampled.jpg", cmyk
    yield "cmyk-no-adobe.jpg", without(cmyk, 0xEE)

    noise = np.random.default_rng(1).normal(128, 150, (40, 70, 3)).clip(0, 255).astype(np.uint8)
    for width, height, sampling, quality in (70, 40, 0, 90), (37, 21, 1, 100), (3, 5, 1, 60), (68, 39, 2, 100), (35, 23, 2, 5), (5, 3, 2, 60):
        noisy = encoded(Image.fromarray(noise[:height, :width]), "JPEG", subsampling=sampling, quality=quality)
        yield f"noise-{width}x{height}-{sampling}.jpg", noisy

    yield "gray16.png", encoded(Image.fromarray(LEVELS.astype(np.uint16) * 257), "PNG")
    yield "gray16-dark.png", encoded(Image.fromarray(LEVELS.astype(np.uint16)), "PNG")
    whole = png(rows(COLOURS))
    yield "no-end.png", whole[:-12]
    at = whole.index(b"IDAT")
    length = struct.unpack(">I", whole[at - 4 : at])[0]
    yield "wrong-checksum.png", whole[: at + 4 + length] + b"\1\2\3\4" + whole[at + 8 + length :]
    yield "too-much.png", png(rows(COLOURS) + rows(COLOURS[:1]))
    yield "too-little.png", png(rows(COLOURS[:-3]))
    yield "interlaced.png", interlaced()

    yield "local-palette.gif", gif(40, 30, (6, 4), local=LOCAL, transparent=7)
    yield "beyond-screen.gif", gif(20, 30, (4, 0))
    yield "no-screen.gif", gif(0, 0)
    yield "no-palette.gif", gif(palette=b"")
    yield "extension.gif", gif(before=b"!\x42\3abc\0")
    yield "too-much.gif", gif(pixels=np.concatenate([LEVELS, LEVELS[:2]]))

    yield "animated.webp", encoded(photo, "WEBP", save_all=True, append_images=[photo.rotate(180)], duration=100)
    yield "offset.webp", animation(encoded(photo, "WEBP", lossless=True), 40, 30, 6, 4)
    yield "narrow.webp", encoded(Image.fromarray(np.uint8([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]] * 5)), "WEBP", quality=80)


def interlaced():
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    return png(b"".join(rows(COLOURS[y::dy, x::dx]) for x, y, dx, dy in passes), interlaced=1)


def truncated():
    photo = Image.fromarray(COLOURS)
    for name, whole in [
        ("cut.jpg", encoded(photo, "JPEG", quality=95)),
        ("cut-progressive.jpg", encoded(photo, "JPEG", quality=95, progressive=True)),
        ("cut.png", png(rows(COLOURS))),
        ("cut-interlaced.png", interlaced()),
        ("cut.gif", gif()),
    ]:
        yield name, whole[: len(whole) * 3 // 4]


def turned():
    photo = Image.fromarray(COLOURS)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x112] = orientation
        yield f"turned-{orientation}.jpg", encoded(photo, "JPEG", quality=85, exif=exif)
    yield "turned.png", encoded(photo, "PNG", exif=exif)
    yield "turned.webp", encoded(photo, "WEBP", lossless=True, exif=exif)


def values(given, out):
    folder = out / FOLDER

    def expect(name, suffix=".png", change=lambda image: image, source=folder):
        with Image.open(source / name) as image:
            change(image).convert("RGB").save(folder / (name + suffix))

    for name in ("restart.jpg", "arithmetic.jpg"):
        expect(name, source=given / FOLDER)
    for name, data in plain():
        (folder / name).write_bytes(data)
        expect(name)
    for name, data in turned():
        (folder / name).write_bytes(data)
        expect(name)
        expect(name, ".upright.png", ImageOps.exif_transpose)
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    for name, data in truncated():
        (folder / name).write_bytes(data)
        expect(name, ".fill.png")
    ImageFile.LOAD_TRUNCATED_IMAGES = False
