"""Images or labels in MNIST's format, IDX of bytes (http://yann.lecun.com/exdb/mnist)."""
import gzip

import numpy as np


def load(path):
    data = path.read_bytes()
    data = gzip.decompress(data) if path.suffix == ".gz" else data
    shape = np.frombuffer(data, ">u4", count=data[3], offset=4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * data[3]).reshape(shape)


def save(path, array):
    """Writes bytes, compressed, without the time."""
    header = np.array([0x800 + array.ndim, *array.shape], ">u4")
    path.write_bytes(gzip.compress(header.tobytes() + array.tobytes(), mtime=0))
