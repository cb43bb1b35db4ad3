"""internal/bmp/testdata: small BMP files of each kind, and beside each NAME.bmp what PIL's
convert("RGB") makes of it as NAME.bmp.png. The kinds that PIL cannot read hold the picture of
one that it can read, which is given instead."""
import struct

import numpy as np
from PIL import Image

FOLDER = "internal/bmp/testdata"
WIDTH, HEIGHT = 19, 11  # so that each kind of row ends in padding
HEADERS = (12, 40, 52, 56, 64, 108, 124)
PIL_LACKS = (52, 56)
STANDARD = (0xFF0000, 0xFF00, 0xFF, 0)


def build(bits, data, header=40, compression=0, masks=(), palette=b"", between=b"", colours=0, height=HEIGHT, offset=None):
    """A file. Masks are in the header where it has room for them, else behind it."""
    info = struct.pack("<IiiHHIIiiII", header, WIDTH, height, 1, bits, compression, len(data), 2835, 2835, colours, 0)
    if header == 12:
        info = struct.pack("<IHHHH", 12, WIDTH, height, 1, bits)
    info += struct.pack(f"<{len(masks)}I", *masks)
    info = info[:header].ljust(header, b"\0") if header > 40 else info
    info += palette + between
    start = 14 + len(info) if offset is None else offset
    return b"BM" + struct.pack("<IHHI", 14 + len(info) + len(data), 0, 0, start) + info + data


def pad(rows):
    return b"".join(row + b"\0" * (-len(row) % 4) for row in rows)


def pack(levels, n):
    """Rows of indices of n bits, the lowest row first."""
    rows = ("".join(format(int(v), f"0{n}b") for v in row) for row in levels[::-1])
    rows = (row + "0" * (-len(row) % 8) for row in rows)
    return pad([bytes(int(row[i:i + 8], 2) for i in range(0, len(row), 8)) for row in rows])


def runs(levels, nibbles=False):
    """Run-length encoding: pieces of six pixels as they are, and pieces of up to five as runs."""
    data = b""
    for row in levels[::-1]:
        for at in range(0, WIDTH, 10):
            piece, rest = row[at:at + 6], row[at + 6:at + 10]
            if len(piece) == 6:
                stored = bytes(piece[::2] << 4 | piece[1::2]) if nibbles else bytes(piece)
                data += bytes([0, 6]) + stored + b"\0" * (len(stored) % 2)
            else:
                rest = [*piece, *rest]
            data += b"".join(bytes([1, v << 4 if nibbles else v]) for v in rest)
        data += b"\0\0"
    return data + b"\0\1"


def values(given, out):
    folder = out / FOLDER

    def put(name, *args, picture=None, **options):
        path = folder / (name + ".bmp")
        path.write_bytes(build(*args, **options))
        if picture is None:
            with Image.open(path) as image:
                picture = np.asarray(image.convert("RGB"))
        Image.fromarray(picture).save(f"{path}.png", optimize=True)

    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    rgb = np.stack([x * 13, y * 23, (x * 29 + y * 17) % 256], -1).astype(np.uint8)
    gray = (x * 9 + y * 7).astype(np.uint8)
    rng = np.random.RandomState(1)

    for n in (1, 2, 4, 8):
        palette = rng.randint(0, 256, (1 << n, 4)).astype(np.uint8)
        levels = gray >> (8 - n)
        picture = palette[levels][..., 2::-1].copy()
        data, colours = pack(levels, n), palette.tobytes()
        for header in HEADERS:
            used = palette[:, :3].tobytes() if header == 12 else colours
            put(f"palette-{n}-header-{header}", n, data, header=header, palette=used, picture=picture if n == 2 or header in PIL_LACKS else None)
        if n != 2:
            put(f"palette-{n}-top-down", n, pack(levels[::-1], n), height=-HEIGHT, palette=colours)
            put(f"palette-{n}-gap", n, data, palette=colours, between=b"a profile, say")
            put(f"palette-{n}-without-offset", n, data, palette=colours, offset=0)
            put(f"palette-{n}-offset-of-palette", n, data, palette=colours, offset=54)
    put("palette-of-40", 8, pack(gray // 8, 8), palette=colours[:160], colours=40)
    picture = np.where(gray[..., None] < 40, palette[gray][..., 2::-1], 0).astype(np.uint8)
    put("palette-too-short", 8, pack(gray, 8), palette=colours[:160], colours=40, picture=picture)
    put("run-8", 8, runs(gray), compression=1, palette=colours)
    put("run-4", 4, runs(gray >> 4, True), compression=2, palette=colours[:64])
    put("run-8-beyond-the-row", 8, bytes([200, 5, 0, 0]) * HEIGHT + b"\0\1", compression=1, palette=colours)

    bgr = rgb[::-1, :, ::-1]
    rows = pad([row.tobytes() for row in bgr])
    for header in HEADERS:
        put(f"24-header-{header}", 24, rows, header=header, picture=rgb if header in PIL_LACKS else None)
    put("24-palette", 24, rows, palette=colours, colours=256)
    put("24-without-last-padding", 24, rows[:-(-3 * WIDTH % 4)])
    pixels = np.dstack([bgr, gray]).tobytes()
    for header in HEADERS[1:]:
        put(f"32-header-{header}", 32, pixels, header=header, picture=rgb if header in PIL_LACKS else None)
    for name, masks in (
        ("bgrx", STANDARD), ("bgra", (*STANDARD[:3], 0xFF000000)), ("xbgr", (0xFF000000, 0xFF0000, 0xFF00, 0)),
        ("abgr", (0xFF000000, 0xFF0000, 0xFF00, 0xFF)), ("rgba", (0xFF, 0xFF00, 0xFF0000, 0xFF000000)), ("none", (0, 0, 0, 0)),
    ):
        put(f"32-masks-{name}", 32, pixels, header=108, compression=3, masks=masks)
        put(f"32-masks-{name}-repeated", 32, pixels, header=124, compression=3, masks=masks, between=struct.pack("<3I", *masks[:3]))
    put("32-masks-behind", 32, pixels, compression=3, masks=STANDARD[:3])
    put("32-masks-and-alpha-behind", 32, pixels, compression=6, masks=(*STANDARD[:3], 0xFF000000), picture=rgb)
    for header in PIL_LACKS:
        put(f"32-masks-header-{header}", 32, pixels, header=header, compression=3, masks=STANDARD[:(header - 40) // 4], picture=rgb)
    deep = rng.randint(0, 1024, (HEIGHT, WIDTH, 3))
    data = (deep[::-1, :, 0] << 20 | deep[::-1, :, 1] << 10 | deep[::-1, :, 2]).astype("<u4").tobytes()
    put("32-masks-of-10-bits", 32, data, header=108, compression=3, masks=(0x3FF00000, 0xFFC00, 0x3FF, 0), picture=(deep * 255 // 1023).astype(np.uint8))

    data = pad([row.tobytes() for row in rng.randint(0, 65536, (HEIGHT, WIDTH)).astype("<u2")])
    put("16", 16, data)
    for name, masks in (("555", (0x7C00, 0x3E0, 0x1F)), ("565", (0xF800, 0x7E0, 0x1F))):
        put(f"16-{name}", 16, data, compression=3, masks=masks)
        put(f"16-{name}-header-108", 16, data, header=108, compression=3, masks=(*masks, 0))
