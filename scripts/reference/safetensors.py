"""Tensors in one file: 8 bytes of length, a JSON header of that length, the values
(https://github.com/huggingface/safetensors), as a dict of NumPy arrays."""
import json
import struct

import numpy as np

TYPES = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "U8": "|u1"}  # those that occur here
NAMES = {np.dtype(code): name for name, code in TYPES.items()}


def load(path):
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header, data = json.loads(file.read(length)), file.read()
    header.pop("__metadata__", None)
    return {
        name: np.frombuffer(data[slice(*t["data_offsets"])], TYPES[t["dtype"]]).reshape(t["shape"]).copy()
        for name, t in header.items()
    }


def save(path, tensors):
    """Writes a dict of arrays, or of what NumPy makes arrays of."""
    header, data = {}, b""
    for name, value in tensors.items():
        array = np.asarray(value)
        start, data = len(data), data + array.tobytes()
        header[name] = {"dtype": NAMES[array.dtype], "shape": array.shape, "data_offsets": [start, len(data)]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # the values begin at a multiple of 8
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
