"""preprocess/testdata/crops: images, and the crop that PIL and torchvision make of each."""
import fnmatch

import numpy as np
from PIL import Image
from torchvision import transforms

import safetensors

FOLDER = "preprocess/testdata/crops"
SMALL, LARGE = "cifar10", "waterbirds"
SIZES = {SMALL: (32, 32), LARGE: (256, 224)}  # of the shorter side, of the crop
IMAGES = {SMALL: ["*"], LARGE: ["photo-*", "rgb-small-*"]}


def draw(given, out, seed):
    rng = np.random.default_rng(seed)

    def picture(width, height):
        """Waves of other directions and lengths in each channel, with grain."""
        y, x = np.mgrid[:height, :width]
        a, b, phase = (rng.uniform(low, high, 3) for low, high in ((-0.1, 0.1), (-0.1, 0.1), (0, 7)))
        waves = 128 + 100 * np.sin(x[..., None] * a + y[..., None] * b + phase)
        return Image.fromarray((waves + rng.normal(0, 15, waves.shape)).clip(0, 255).astype(np.uint8))

    folder = out / FOLDER
    picture(64, 80).convert("1").save(folder / "bilevel-64x80.png")
    picture(256, 256).save(folder / "exact-256x256.png")
    picture(150, 131).convert("L").save(folder / "gray-150x131.png")
    picture(120, 97).quantize(64).save(folder / "palette-120x97.png")
    picture(199, 333).save(folder / "rgb-portrait-199x333.png")
    picture(75, 60).save(folder / "rgb-small-75x60.png")
    rgba = picture(140, 90)
    rgba.putalpha(picture(140, 90).convert("L"))
    rgba.save(folder / "rgba-140x90.png")
    photo = picture(400, 300)
    photo.save(folder / "photo-444-400x300.jpg", quality=90, subsampling="4:4:4")
    photo.save(folder / "photo-420-400x300.jpg", quality=90, subsampling="4:2:0")


def values(given, out):
    crops = {}
    for preset, (pre_size, image_size) in SIZES.items():
        crop = transforms.Compose([transforms.Resize(pre_size), transforms.CenterCrop(image_size)])
        for path in sorted((given / FOLDER).glob("*.[pj][np]g")):
            if any(fnmatch.fnmatch(path.name, pattern) for pattern in IMAGES[preset]):
                crops[f"{path.name}|{preset}"] = np.asarray(crop(Image.open(path).convert("RGB")))
    safetensors.save(out / FOLDER / "expected.safetensors", crops)
    safetensors.save(out / FOLDER / "ways.safetensors", ways(given))


def ways(given):
    """Crops in the other ways to resize, the name of each after that of the image."""
    interpolations = {"bilinear": transforms.InterpolationMode.BILINEAR, "bicubic": transforms.InterpolationMode.BICUBIC}
    crops = {}
    for file in ("exact-256x256", "gray-150x131", "rgb-portrait-199x333", "rgb-small-75x60"):
        image = Image.open(given / FOLDER / f"{file}.png").convert("RGB")
        for resize, pre_size, image_size in (("shorter", 40, 32), ("squash", 40, 32), ("squash", 96, 40), ("shorter", 90, 40)):
            for name, interpolation in interpolations.items():
                size = (pre_size, pre_size) if resize == "squash" else pre_size
                crop = transforms.Compose([transforms.Resize(size, interpolation), transforms.CenterCrop(image_size)])
                crops[f"{file}.png|{resize}|{name}|{pre_size}|{image_size}"] = np.asarray(crop(image))
    return crops
