"""train/testdata/schedules.json: the course of the learning rate and of alpha."""
import json

import numpy as np

FILE = "train/testdata/schedules.json"
MIN_LR = 1e-6


def lr_multiplier(step, total, lr):
    """The factor on lr at a step (from 0) of total: a cosine from 1 to MIN_LR/lr
    (Loshchilov and Hutter, "SGDR", 2017, eq. 5, without restarts)."""
    lowest = MIN_LR / lr
    return lowest + (1 - lowest) * 0.5 * (1 + np.cos(step / total * np.pi))


def alpha(epoch, epochs, lowest, highest):
    """The strength of ASCOOD's outliers in an epoch (from 1): it falls in equal steps
    and is lowest in the last."""
    return (highest - lowest) * (1 - epoch / epochs) + lowest


def values(given, out):
    total, lr, epochs, lowest, highest = 40, 0.1, 30, 30.0, 300.0
    courses = {
        "lr_multiplier": {
            "total_steps": total, "lr": lr,
            "values": [lr_multiplier(step, total, lr) for step in range(total + 1)],
        },
        "alpha": {
            "epochs": epochs, "alpha_min": lowest, "alpha_max": highest,
            "values": [alpha(epoch, epochs, lowest, highest) for epoch in range(1, epochs + 1)],
        },
    }
    (out / FILE).write_text(json.dumps(courses))
