"""internal/tiff/testdata: small TIFF files of each kind, and beside each NAME.tif what
PIL's convert("RGB") makes of it as NAME.tif.png. Where PIL cannot read a kind, or reads
another kind of the same picture only, the picture is given instead."""
import io
import struct
import warnings
import zlib

import numpy as np
from PIL import Image

FOLDER = "internal/tiff/testdata"
WIDTH, HEIGHT = 19, 11  # odd, so that bits, blocks and tiles end within a byte, block or tile
RGB, GRAY = {258: [8, 8, 8], 262: [2], 277: [3]}, {258: [8], 262: [1], 277: [1]}


def build(chunks, tags, width=WIDTH, height=HEIGHT, order="<", big=False, shuffled=False):
    """A file of strips, or of tiles if the tags have their width (322), one after the other.
    Values are SHORTs, offsets and counts LONGs or, in a BigTIFF, LONG8s."""
    tags = {256: [width], 257: [height], 259: [1], **({} if 322 in tags else {278: [height]}), **tags}
    offsets, counts = (324, 325) if 322 in tags else (273, 279)
    wide, kind = ("Q", 16) if big else ("I", 4)
    header, entry, inline = (16, 20, 8) if big else (8, 12, 4)
    body = header + (8 if big else 2) + entry * (len(tags) + 2) + inline

    def pack(form, values):
        return struct.pack(order + form * len(values), *values)

    def place(start):
        return [start + sum(map(len, chunks[:i])) for i in range(len(chunks))]

    data = {tag: (3, len(v), pack("H", v)) for tag, v in tags.items()}
    data[counts] = (kind, len(chunks), pack(wide, [len(c) for c in chunks]))
    data[offsets] = (kind, len(chunks), pack(wide, place(0)))
    pixels = body + sum(len(d) for _, _, d in data.values() if len(d) > inline)
    data[offsets] = (kind, len(chunks), pack(wide, place(pixels)))
    directory, rest = b"", b""
    for tag in sorted(data, reverse=shuffled):
        kind, n, d = data[tag]
        directory += pack("H", [tag, kind]) + pack(wide, [n])
        directory += d.ljust(inline, b"\0") if len(d) <= inline else pack(wide, [body + len(rest)])
        rest += d if len(d) > inline else b""
    start = pack("H", [43, 8, 0]) + pack("Q", [16, len(data)]) if big else pack("H", [42]) + pack("I", [8]) + pack("H", [len(data)])
    return {"<": b"II", ">": b"MM"}[order] + start + directory + bytes(inline) + rest + b"".join(chunks)


def bits(levels, n):
    """Rows of samples of n bits, each filled up to a byte."""
    rows = ("".join(format(int(v), f"0{n}b") for v in row) for row in levels)
    rows = (row + "0" * (-len(row) % 8) for row in rows)
    return b"".join(bytes(int(row[i:i + 8], 2) for i in range(0, len(row), 8)) for row in rows)


def reverse(data):
    return data.translate(bytes(int(f"{i:08b}"[::-1], 2) for i in range(256)))


def pack_bits(data):
    """Runs and bytes as they are in turn, with bytes between that mean nothing."""
    runs = [data[i:i + 10] for i in range(0, len(data), 10)]
    return b"".join(bytes([len(r) - 1]) + r if len(set(r)) > 1 else bytes([128, 257 - len(r), r[0]]) for r in runs)


def old_lzw(data):
    """LZW of before TIFF 5: codes from the lowest bit. Of 9 bits all: it is cleared before they grow."""
    codes = [c for i, v in enumerate(data) for c in ([256, v] if i % 250 == 0 else [v])] + [257]
    value = sum(code << 9 * i for i, code in enumerate(codes))
    return value.to_bytes((9 * len(codes) + 7) // 8, "little")


def differences(samples):
    """What each pixel [H,W,C] exceeds the one to its left by."""
    return np.diff(samples.astype(np.int64), axis=1, prepend=0)


def blocks(luma, chroma, across, down):
    """Luma samples in blocks, each with a Cb and a Cr."""
    height, width = -(-HEIGHT // down), -(-WIDTH // across)
    padded = np.pad(luma, ((0, height * down - HEIGHT), (0, width * across - WIDTH)), "edge")
    return b"".join(
        padded[y * down:(y + 1) * down, x * across:(x + 1) * across].tobytes() + chroma[y * down, x * across].tobytes()
        for y in range(height) for x in range(width))


class Writer:
    def __init__(self, folder):
        self.folder = folder
        y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
        self.rgb = np.stack([x * 13, y * 23, (x * 29 + y * 17) % 256], -1).astype(np.uint8)
        self.gray = (x * 9 + y * 7).astype(np.uint8)
        self.random = np.random.RandomState(1)

    def put(self, name, chunks, tags, picture=None, **options):
        """Writes a file and what PIL makes of it, or the picture."""
        path = self.folder / (name + ".tif")
        path.write_bytes(build(chunks, tags, **options))
        self.expect(path, picture)

    def save(self, name, image, picture=None, **options):
        path = self.folder / (name + ".tif")
        image.save(path, **options)
        self.expect(path, picture)

    def expect(self, path, picture):
        if picture is None:
            with Image.open(path) as image:
                picture = np.asarray(image.convert("RGB"))
        Image.fromarray(picture).save(f"{path}.png", optimize=True)

    def gray_levels(self):
        for n in (1, 2, 4):
            data = bits(self.gray >> (8 - n), n)
            for name, photometric in (("white-is-zero", 0), ("gray", 1)):
                tags = {258: [n], 262: [photometric], 277: [1]}
                self.put(f"{name}-{n}", [data], tags)
                self.put(f"{name}-{n}-fill-order", [reverse(data)], {**tags, 266: [2]})
        self.put("white-is-zero-8", [self.gray.tobytes()], {**GRAY, 262: [0]})
        self.put("gray-8-fill-order-packed", [reverse(zlib.compress(self.gray.tobytes()))], {**GRAY, 259: [8], 266: [2]})
        self.put("gray-alpha", [np.dstack([self.gray, self.gray.T.reshape(HEIGHT, WIDTH)]).tobytes()], {258: [8, 8], 262: [1], 277: [2], 338: [2]})
        self.put("gray-12", [bits(self.gray.astype(int) * 2, 12)], {**GRAY, 258: [12]})
        deep = self.gray.astype(np.int64) * 3
        for order, name in (("<", "little"), (">", "big")):
            def sampled(kind, values, tags, title):
                self.put(f"{title}-{name}", [values.astype(order + kind).tobytes()], {**GRAY, **tags}, order=order)
            sampled("u2", deep, {258: [16]}, "gray-16")
            sampled("i2", deep - 100, {258: [16], 339: [2]}, "gray-16-signed")
            sampled("i4", deep - 100, {258: [32], 339: [2]}, "gray-32-signed")
            sampled("f4", deep * .7 - 20, {258: [32], 339: [3]}, "gray-float")
        self.put("white-is-zero-16", [deep.astype("<u2").tobytes()], {258: [16], 262: [0], 277: [1]})
        self.put("gray-32", [(deep << 24).astype("<u4").tobytes()], {**GRAY, 258: [32]})

    def colours(self):
        for n in (1, 2, 4, 8):
            palette = self.random.randint(0, 65536, 3 << n).tolist()
            self.put(f"palette-{n}", [bits(self.gray >> (8 - n), n)], {258: [n], 262: [3], 277: [1], 320: palette})
        palette = self.random.randint(0, 65536, 768).tolist()
        self.put("palette-alpha", [np.dstack([self.gray, self.gray]).tobytes()], {258: [8, 8], 262: [3], 277: [2], 338: [2], 320: palette})
        samples = np.dstack([self.rgb, self.gray, self.gray // 2, 255 - self.gray])
        for extra in ([], [0], [1], [2], [999], [0, 0], [1, 0], [2, 0], [1, 0, 0]):
            n = 3 + max(len(extra), 1)
            tags = {262: [2], 277: [n], **({338: extra} if extra else {})}
            name = "rgb-and-" + ("-".join(map(str, extra)) or "one")
            self.put(name + "-8", [samples[..., :n].tobytes()], {**tags, 258: [8] * n})
            if n == 4 and 999 not in extra:
                for order, end in (("<", "little"), (">", "big")):
                    data = (samples[..., :n].astype(int) * 257 - 90).clip(0).astype(order + "u2")
                    self.put(f"{name}-16-{end}", [data.tobytes()], {**tags, 258: [16] * n}, order=order)
        self.put("bits-given-once", [self.rgb.tobytes()], {**RGB, 258: [8]})
        self.put("cmyk-8", [samples[..., :4].tobytes()], {258: [8] * 4, 262: [5], 277: [4]})
        self.put("cmyk-and-0", [samples[..., :5].tobytes()], {258: [8] * 5, 262: [5], 277: [5], 338: [0]})
        self.put("cmyk-16", [(samples[..., :4].astype("<u2") * 257).tobytes()], {258: [16] * 4, 262: [5], 277: [4]})
        for across, down in ((1, 1), (2, 1), (1, 2), (2, 2), (4, 1), (4, 2)):  # of others libtiff drops the end
            data = zlib.compress(blocks(self.gray, self.rgb[..., :2], across, down))
            self.put(f"ycbcr-{across}x{down}", [data], {**RGB, 259: [8], 262: [6], 530: [across, down]})

    def layouts(self):
        for orientation in range(1, 9):
            self.put(f"orientation-{orientation}", [self.rgb.tobytes()], {**RGB, 274: [orientation]})
        self.put("orientation-6-gray", [self.gray.tobytes()], {**GRAY, 274: [6]})
        self.put("orientation-8-gray-16", [self.gray.astype("<u2").tobytes()], {**GRAY, 258: [16], 274: [8]})
        strips = [self.rgb[y:y + 4].tobytes() for y in range(0, HEIGHT, 4)]
        self.put("strips", strips, {**RGB, 278: [4]})
        self.put("tags-not-sorted", strips, {**RGB, 278: [4]}, shuffled=True)
        self.put("big-tiff", strips, {**RGB, 278: [4]}, big=True)
        self.put("big-tiff-big-endian", strips, {**RGB, 278: [4]}, big=True, order=">", picture=self.rgb)
        padded = np.zeros((16, 32, 3), np.uint8)
        padded[:HEIGHT, :WIDTH] = self.rgb
        tile = {322: [16], 323: [16]}
        self.put("tiles", [padded[:, :16].tobytes(), padded[:, 16:].tobytes()], {**RGB, **tile})
        self.put("planes", [self.rgb[y:y + 4, :, c].tobytes() for c in range(3) for y in range(0, HEIGHT, 4)], {**RGB, 278: [4], 284: [2]})
        self.put("planes-tiles", [padded[:, x:x + 16, c].tobytes() for c in range(3) for x in (0, 16)], {**RGB, **tile, 284: [2]})
        one = np.zeros((3, 256, 256), np.uint8)
        one[:, :HEIGHT, :WIDTH] = self.rgb.transpose(2, 0, 1)
        self.put("planes-large-tiles", [zlib.compress(plane.tobytes()) for plane in one], {**RGB, 259: [8], 284: [2], 322: [256], 323: [256]})
        deep = [(self.rgb[..., c].astype("<u2") * 257).tobytes() for c in range(3)]
        self.put("planes-16", [zlib.compress(d) for d in deep], {**RGB, 258: [16] * 3, 259: [8], 284: [2]})
        self.put("planes-16-raw", deep, {**RGB, 258: [16] * 3, 284: [2]}, picture=self.rgb)

    def compressions(self):
        packed = {**RGB, 259: [8], 317: [2]}
        self.put("differences-8", [zlib.compress(differences(self.rgb).astype(np.uint8).tobytes())], packed)
        for order, end in (("<", "little"), (">", "big")):
            data = differences(self.rgb.astype(np.int64) * 257) % 65536
            self.put("differences-16-" + end, [zlib.compress(data.astype(order + "u2").tobytes())], {**packed, 258: [16] * 3}, order=order)
        data = differences(self.gray.astype(np.int64)[..., None] * 3) % (1 << 32)
        self.put("differences-32", [zlib.compress(data.astype("<u4").tobytes())], {**GRAY, 258: [32], 259: [8], 317: [2], 339: [2]})
        data = (self.gray * .9 - 20).astype(">f4").view(np.uint8).reshape(HEIGHT, WIDTH, 4)
        data = differences(data.transpose(0, 2, 1).reshape(HEIGHT, 4 * WIDTH, 1)) % 256
        self.put("differences-float", [zlib.compress(data.astype(np.uint8).tobytes())], {**GRAY, 258: [32], 259: [8], 317: [3], 339: [3]})
        data = pack_bits((self.gray // 120 * 90).tobytes())
        self.put("pack-bits", [data], {**GRAY, 259: [32773]})
        self.put("pack-bits-fill-order", [reverse(data)], {**GRAY, 259: [32773], 266: [2]})
        self.put("lzw-old", [old_lzw(self.rgb.tobytes())], {**RGB, 259: [5]})
        rgb, gray = Image.fromarray(self.rgb), Image.fromarray(self.gray)
        self.save("lzw", rgb, compression="tiff_lzw")
        for name, image in (("rgb", rgb), ("gray", gray), ("ycbcr", rgb.convert("YCbCr")), ("cmyk", rgb.convert("CMYK")), ("rgba", Image.fromarray(np.dstack([self.rgb, self.gray])))):
            self.save("jpeg-" + name, image, compression="jpeg", quality=90)
        self.save("jpeg-strips", Image.fromarray(np.tile(self.rgb, (3, 2, 1))).convert("YCbCr"), compression="jpeg", quality=90, tiffinfo={278: 16})

        def stream(samples):
            file = io.BytesIO()
            Image.fromarray(np.ascontiguousarray(samples)).save(file, "JPEG", quality=90)
            return file.getvalue()

        padded = np.pad(self.rgb, ((0, 16 - HEIGHT), (0, 32 - WIDTH), (0, 0)), "edge")
        halves = padded[:, :16], padded[:, 16:]
        tags = {**RGB, 259: [7], 322: [16], 323: [16]}
        self.put("jpeg-tiles", [stream(half) for half in halves], {**tags, 262: [6], 530: [2, 2]})
        self.put("jpeg-planes", [stream(half[..., c]) for c in range(3) for half in halves], {**tags, 284: [2]})

    def fax(self):
        noise = Image.fromarray(self.random.randint(0, 2, (HEIGHT, WIDTH)).astype(bool))
        runs = self.random.rand(5, 6000).cumsum(1) % 97 < 3  # some longer than one code
        runs[2] = runs[1]
        runs[3] = False
        runs = Image.fromarray(runs)
        for name, compression, options in (("rle", "tiff_ccitt", 0), ("group-3", "group3", 0), ("group-3-two-rows", "group3", 1), ("group-3-fill", "group3", 4), ("group-4", "group4", 0)):
            for picture, image in (("noise", noise), ("runs", runs)):
                for photometric in (0, 1):
                    self.save(f"fax-{name}-{picture}-{photometric}", image, compression=compression, tiffinfo={262: photometric, 292: options})
        with Image.open(self.folder / "fax-group-4-noise-0.tif") as image:
            strip = (self.folder / "fax-group-4-noise-0.tif").read_bytes()[image.tag_v2[273][0]:][:image.tag_v2[279][0]]
        self.put("fax-group-4-fill-order", [reverse(strip)], {258: [1], 259: [4], 262: [0], 266: [2], 277: [1]})


def values(given, out):
    warnings.simplefilter("ignore")  # PIL's of sizes
    writer = Writer(out / FOLDER)
    writer.gray_levels()
    writer.colours()
    writer.layouts()
    writer.compressions()
    writer.fax()
