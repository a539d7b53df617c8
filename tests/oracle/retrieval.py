"""Golden values of retrieval: recall at K, the alignment of images with texts, bags of words.

    retrieval.py [FOLDER]               writes FOLDER/{recall,alignment,words}.json, by default ../golden/retrieval

Recall follows the definitions of LAION-AI/CLIP_benchmark (zeroshot_retrieval.py) and of WeichenFan/UAE
(prelim_analysis/retrival_exp.py) in PyTorch: cosines of all pairs, the K largest, at least one of the query's own among them. Cosines are
in f64 here; where some are equal, inputs are such that they are exact, and a stable sort decides. The alignment is scikit-learn's Ridge on
standardised columns, bags of words are its TfidfVectorizer.
"""

import json
import pathlib
import sys

import numpy as np
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from feature_metrics import uniforms
from hashed import splitmix
from streams import bits

AT = [1, 5, 10]


def exact(rows, seed):
    """Four of 24 coordinates are 1 or -1, one in each quarter: cosines are multiples of 1/4, and often equal."""
    hashes = splitmix(np.arange(4 * rows), seed).reshape(rows, 4)
    values = np.zeros((rows, 24))
    for quarter in range(4):
        column = 6 * quarter + (hashes[:, quarter] % np.uint64(6)).astype(int)
        values[np.arange(rows), column] = 1 - 2 * ((hashes[:, quarter] >> np.uint64(40)) & np.uint64(1)).astype(float)
    return values


def spread(rows, columns, seed):
    return uniforms(rows * columns, seed).reshape(rows, columns) - 0.5


def embeddings(kind, rows, columns, seed):
    return exact(rows, seed) if kind == "exact" else spread(rows, columns, seed)


def choices(count, among, seed):
    return (splitmix(np.arange(count), seed) % np.uint64(among)).astype(int)


def ranks(scores, positive):
    """Items before the first own one in a stable sort, for queries that have any."""
    order = np.argsort(-scores, axis=1, kind="stable")
    own = np.take_along_axis(positive, order, axis=1)
    return own.argmax(1)[positive.any(1)]


def recalls(scores, positive, kind):
    answered = positive.any(1)
    scores, positive = torch.from_numpy(scores[answered]), torch.from_numpy(positive[answered])
    found = ranks(scores.numpy(), positive.numpy())
    values = []
    for k in AT:
        # CLIP_benchmark's way: the K largest as one-hot rows, times the positive pairs.
        top = torch.topk(scores, k, dim=1)[1]
        hits = (torch.nn.functional.one_hot(top, scores.shape[1]).sum(1) * positive).sum(1) > 0
        if kind == "exact":
            # topk takes equal ones in an order of its own.
            hits = torch.from_numpy(found < k)
        assert kind == "exact" or (hits.numpy() == (found < k)).all()
        values.append(hits.double().mean().item())
    return {"queries": int(answered.sum()), "recall": values, "rank_sum": int(found.sum()), "ranks": found[:20].tolist()}


def margin(scores, positive):
    """How far the own cosines are from the others: what rounding would have to bridge to change a rank."""
    best = np.where(positive, scores, -np.inf).max(1)[:, None]
    return np.abs(np.where(positive, np.inf, scores) - best).min()


def case(kind, texts, images, columns, seed, classes=0):
    x, y = embeddings(kind, texts, columns, seed), embeddings(kind, images, columns, seed + 1)
    # Every image but the last few has captions, or every class but the last has images.
    own = choices(images, classes, seed + 2) if classes else choices(texts, images - 3, seed + 2)
    positive = np.arange(texts)[:, None] == own[None] if classes else own[:, None] == np.arange(images)[None]
    scores = (x / np.linalg.norm(x, axis=1, keepdims=True)) @ (y / np.linalg.norm(y, axis=1, keepdims=True)).T
    if kind == "exact":
        scores = np.round(scores * 4) / 4
    else:
        answered = positive.any(1)
        # f32 rounds cosines of so many columns by some 1e-7.
        assert margin(scores[answered], positive[answered]) > 1e-6, seed
    spec = {"kind": kind, "texts": texts, "images": images, "columns": columns, "seed": seed, "classes": classes}
    directions = {"t2i": recalls(scores, positive, kind), "i2t": recalls(scores.T.copy(), positive.T.copy(), kind)}
    return {**spec, **directions}


def held_out(count):
    """One of every ten in order, as `Stream::new("alignment", 0, fold).below(10)` draws it."""
    held = np.zeros(count, bool)
    for fold in range(-(-count // 10)):
        place = int(bits("alignment", 0, fold, 1)[0]) * 10 >> 64
        if fold * 10 + place < count:
            held[fold * 10 + place] = True
    return held


def fit(x, y, penalty):
    scaler = StandardScaler().fit(x)
    ridge = Ridge(alpha=penalty * len(x), solver="svd").fit(scaler.transform(x), y - y.mean(0))
    return lambda z: ridge.predict(scaler.transform(z)), y.mean(0)


def alignment(images, columns, width, seed, noise):
    """A linear map with noise, image columns in different units; three texts for every other image, one for the rest."""
    image_of = np.concatenate([np.full(3 if image % 2 else 1, image) for image in range(images)])
    x = spread(images, columns, seed) * 2.0 ** (np.arange(columns) % 5) + 3
    shape = spread(columns, width, seed + 1)
    clean = ((x - 3) / 2.0 ** (np.arange(columns) % 5)) @ shape
    texts = (clean[image_of] + noise * spread(len(image_of), width, seed + 2) + 0.25).astype(np.float32)
    x = x.astype(np.float32).astype(np.float64)
    unit = texts.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    y = np.stack([unit[image_of == image].mean(0) for image in range(images)])
    held = held_out(images)
    errors = {}
    for penalty in [10.0**power for power in range(2, -7, -1)]:
        predict, mean = fit(x[~held], y[~held], penalty)
        errors[penalty] = float(((y[held] - mean - predict(x[held])) ** 2).sum())
    best = min(errors, key=errors.get)
    ordered = sorted(errors.values())
    # The choice must not hang on rounding.
    assert ordered[1] / ordered[0] > 1 + 1e-6, (seed, ordered)
    predict, mean = fit(x, y, best)
    spec = {"images": images, "columns": columns, "width": width, "seed": seed, "noise": noise}
    return {**spec, "penalty": best, "mapped": predict(x[:3]).ravel().tolist(), "centred": (unit[:2] - mean).ravel().tolist()}


TRAIN = [
    "A red disc in front of leaves",
    "a small RED ring; it's in the middle",
    "Ein grünes Dreieck, 2 cm groß",
    "the image of a red-green star",
    "Κόκκινος ΔΙΣΚΟΣ, красный диск, 赤い円盤",
    "a a a disc",
]
TEST = ["red red disc?", "ΔΊΣΚΟΣ διςκος ΔΙΣΚΟΣ", "grün Dreieck 2", "nothing known here", "A"]


def words():
    bag = TfidfVectorizer(token_pattern=r"(?u)[^\W_]+").fit(TRAIN)
    rows = bag.transform(TEST).toarray()
    return {"train": TRAIN, "test": TEST, "vocabulary": list(bag.get_feature_names_out()), "rows": rows.tolist()}


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "../golden/retrieval")
    folder.mkdir(parents=True, exist_ok=True)
    recall = [
        case("spread", 300, 60, 16, 200),
        case("spread", 40, 170, 8, 210),
        case("exact", 500, 90, 24, 220),
        case("exact", 60, 400, 24, 230),
        case("spread", 12, 700, 32, 240, classes=11),
        case("exact", 31, 900, 24, 250, classes=30),
        case("exact", 2300, 1100, 24, 260),
    ]
    aligned = [alignment(200, 12, 7, 300, 0.5), alignment(60, 90, 5, 310, 2.0), alignment(41, 3, 130, 320, 0.1)]
    for name, golden in [("recall", recall), ("alignment", aligned), ("words", words())]:
        (folder / f"{name}.json").write_text(json.dumps(golden, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
