"""preprocess/testdata/jitter: an image of crops, and what torchvision's changes of colour make of it on PIL images."""
from PIL import Image
from torchvision.transforms import functional as F

CROPS = "preprocess/testdata/crops"
FOLDER = "preprocess/testdata/jitter"
CHANGES = {"brightness": F.adjust_brightness, "contrast": F.adjust_contrast, "saturation": F.adjust_saturation, "hue": F.adjust_hue}
FACTORS = {"brightness": (0.7, 1.35), "contrast": (0.7, 1.35), "saturation": (0.0, 0.7, 1.35), "hue": (-0.07, 0.09)}


def values(given, out):
    image = Image.open(given / CROPS / "rgb-small-75x60.png").convert("RGB")
    (out / FOLDER).mkdir(parents=True, exist_ok=True)
    for name, change in CHANGES.items():
        for factor in FACTORS[name]:
            change(image, factor).save(out / FOLDER / f"{name}_{factor}.png")
