"""preprocess/testdata/formats: one small image for each file format, and beside each
NAME.EXT what PIL's convert("RGB") makes of it as NAME.EXT.png."""
import warnings

import numpy as np
from PIL import Image

FOLDER = "preprocess/testdata/formats"
warnings.filterwarnings("ignore", "Palette images with Transparency")  # that it is dropped is wanted


def values(given, out):
    folder = out / FOLDER

    def save(image, name, **options):
        image.save(folder / name, **options)
        with Image.open(folder / name) as written:
            written.convert("RGB").save(folder / (name + ".png"))

    height, width = 30, 41  # odd, so that chroma planes end in half samples
    y, x = np.mgrid[0:height, 0:width]
    rng = np.random.default_rng(1)
    rgb = np.stack([x * 255 // width, y * 255 // height, 128 + 127 * np.sin((x + 2 * y) / 5)], -1)
    rgb = np.clip(rgb + rng.integers(-9, 10, rgb.shape), 0, 255).astype(np.uint8)
    alpha = ((x + y) * 255 // (width + height)).astype(np.uint8)
    alpha[:5] = 0
    photo = Image.fromarray(rgb)
    faded = Image.fromarray(np.dstack([rgb, alpha]))
    gray = Image.fromarray(rgb[:, :, 2])

    for name, subsampling in [("444", 0), ("422", 1), ("420", 2)]:
        save(photo, name + ".jpg", quality=90, subsampling=subsampling)
    save(photo, "progressive.jpg", quality=90, progressive=True)
    save(gray, "gray.jpg", quality=90)
    save(photo.convert("CMYK"), "cmyk.jpg", quality=90)
    save(photo.crop((0, 0, 3, 30)), "narrow.jpg", quality=90, subsampling=2)

    save(photo, "rgb.png")
    save(faded, "rgba.png")
    save(Image.fromarray(np.dstack([rgb[:, :, 0], alpha]), "LA"), "gray-alpha.png")
    indexed = photo.quantize(64)
    save(indexed, "palette.png")
    save(indexed, "palette-transparent.png", transparency=bytes(range(0, 256, 4)))
    save(gray.convert("1"), "bilevel.png")

    frames = [indexed, photo.transpose(Image.Transpose.ROTATE_180).quantize(64)]
    save(frames[0], "still.gif")
    save(frames[0], "animated.gif", save_all=True, append_images=frames[1:], duration=100)
    save(frames[0], "transparent.gif", transparency=frames[0].getpixel((20, 15)))

    save(photo, "rgb.bmp")
    save(indexed, "palette.bmp")
    save(photo, "rgb.tif")
    save(faded, "rgba.tif", compression="tiff_lzw")
    save(gray, "gray.tif", compression="tiff_deflate")

    save(photo, "lossy.webp", quality=90)
    save(faded, "lossy-alpha.webp", quality=90)
    save(photo, "lossless.webp", lossless=True)
    save(faded, "lossless-alpha.webp", lossless=True, exact=True)
    faded.save(folder / "animated.webp", save_all=True, append_images=[photo.convert("RGBA")])
