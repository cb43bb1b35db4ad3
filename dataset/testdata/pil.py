"""Decodes a JPEG and makes training crops of 224x224 of it, as often as it is
told to, in one process, as a PyTorch data loader's worker does: with torchvision
where it is installed, else with what torchvision calls in PIL.

usage: pil.py image.jpg N; prints the library, the seconds and those of the processor
"""
import math
import random
import sys
import time

import numpy
from PIL import Image

try:
    from torchvision import transforms
except ImportError:
    transforms = None


def box(width, height):
    for _ in range(10):
        area = width * height * random.uniform(0.08, 1)
        ratio = math.exp(random.uniform(math.log(3 / 4), math.log(4 / 3)))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            y, x = random.randint(0, height - h), random.randint(0, width - w)
            return x, y, x + w, y + h
    return 0, 0, width, height


def crop(image):
    image = image.crop(box(*image.size)).resize((224, 224), Image.BILINEAR)
    if random.random() < 0.5:
        image = image.transpose(Image.FLIP_LEFT_RIGHT)
    return image


if transforms:
    crop = transforms.Compose([transforms.RandomResizedCrop(224), transforms.RandomHorizontalFlip(0.5)])

path, count = sys.argv[1], int(sys.argv[2])
started, before = time.perf_counter(), time.process_time()
for _ in range(count):
    with open(path, "rb") as file:
        numpy.asarray(crop(Image.open(file).convert("RGB")))
print("torchvision" if transforms else "PIL", time.perf_counter() - started, time.process_time() - before)
