"""Golden values of the probes, on features from integer hashes.

    probes.py [FOLDER]                  writes FOLDER/probes.json, by default ../golden/probes
    probes.py --fashion DATA [FOLDER]   writes FOLDER/fashion_mnist.json from the four .gz files in DATA

scikit-learn (logistic regression, ridge, weighted neighbours) and PyTorch in double precision: DINOv2's heads with torch.optim.SGD and its
scheduler, MAE's head with torch.nn.BatchNorm1d and LARS re-stated from the paper's formulas. Random draws are the library's own
streams, so that heads can be compared weight by weight. SciPy for McNemar's test.
"""

import gzip
import json
import math
import pathlib
import sys

import numpy as np
import scipy.special
import scipy.stats
import torch
from sklearn.linear_model import LogisticRegression, RidgeClassifierCV
from sklearn.neighbors import KNeighborsClassifier

from feature_metrics import uniforms
from hashed import splitmix
from streams import bits, normal

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def labels(rows, classes, seed):
    return (splitmix(np.arange(rows), seed + 1000) >> np.uint64(40)).astype(np.int64) % classes


def samples(rows, columns, classes, seed, shift, of=None):
    """Features around class centres that the seed `of` draws, columns of different scale and mean; rounded to f32."""
    own = labels(rows, classes, seed)
    centres = uniforms(classes * columns, of or seed).reshape(classes, columns) - 0.5
    noise = uniforms(rows * columns, seed + 2000).reshape(rows, columns) - 0.5
    column = np.arange(columns)
    scale, offset = 0.25 + column % 7 * 0.375, column % 5 * 0.5
    return ((noise + shift * centres[own]) * scale + offset).astype(np.float32), own


def sets(rows, test, columns, classes, seed, shift):
    """A training set and a test set with the same centres."""
    x, y = samples(rows, columns, classes, seed, shift)
    z, own = samples(test, columns, classes, seed + 1, shift, of=seed)
    return x, y, z, own


def spec(rows, test, columns, classes, seed, shift):
    return {"rows": rows, "test": test, "columns": columns, "classes": classes, "seed": seed, "shift": shift}


def word(classes):
    return "".join(DIGITS[c] for c in classes)


def fitted(x, y, c, tol=1e-9):
    """LogisticRegression in f64, and its objective over C n."""
    x = x.astype(np.float64)
    model = LogisticRegression(C=c, tol=tol, max_iter=50_000).fit(x, y)
    scores = model.decision_function(x)
    if scores.ndim == 1:
        loss = np.logaddexp(0, -np.where(y == 1, 1, -1) * scores).mean()
    else:
        loss = (scipy.special.logsumexp(scores, axis=1) - scores[np.arange(len(y)), y]).mean()
    return model, float(loss + (model.coef_**2).sum() / (2 * c * len(y)))


def logistic(case, c):
    x, y, z, _ = sets(**case)
    model, loss = fitted(x, y, c)
    return {**case, "c": c, "loss": loss, "predictions": word(model.predict(z.astype(np.float64)))}


def held_out(y, classes):
    """Which samples are held out: the first tenth of a shuffle of each class."""
    held = np.zeros(len(y), dtype=bool)
    for number in range(classes):
        members = list(np.flatnonzero(y == number))
        draws = bits("probe-held-out", 0, number, len(members))
        for place in range(max((len(members) + 5) // 10, 1)):
            other = place + (int(draws[place]) * (len(members) - place) >> 64)
            members[place], members[other] = members[other], members[place]
            held[members[place]] = True
    return held


def chosen_penalty(x, y, classes, tol):
    """The sweep over C: decades until two rises of the held-out loss in a row, then quarters of a decade around the best."""
    held = held_out(y, classes)
    x = x.astype(np.float64)

    def judge(number):
        model = LogisticRegression(C=10 ** (-6 + number / 4), tol=tol, max_iter=50_000).fit(x[~held], y[~held])
        p = model.predict_log_proba(x[held])
        right = int((p.argmax(1) == y[held]).sum())
        print(f"C = 1e{-6 + number / 4}: {right} of {held.sum()}, {model.n_iter_[0]} iterations", flush=True)
        return right, -p[np.arange(len(p)), y[held]].mean()

    tried, last, rises, best = {}, math.inf, 0, -1
    for number in range(0, 45, 4):
        right, loss = tried[number] = judge(number)
        rises = 0 if right > best or loss <= last else rises + 1
        best, last = max(best, right), loss
        if rises == 2:
            break
    middle = max(tried, key=lambda n: (tried[n][0], -n))
    for number in range(max(middle - 3, 0), min(middle + 4, 45)):
        tried.setdefault(number, None)
        tried[number] = tried[number] or judge(number)
    return max(tried, key=lambda n: (tried[n][0], -n))


def sweep(case):
    x, y, z, _ = sets(**case)
    number = chosen_penalty(x, y, case["classes"], 1e-8)
    model, loss = fitted(x, y, 10 ** (-6 + number / 4))
    return {**case, "c": 10 ** (-6 + number / 4), "loss": loss, "predictions": word(model.predict(z.astype(np.float64)))}


def ridge(case):
    x, y, z, _ = sets(**case)
    model = RidgeClassifierCV(alphas=10.0 ** np.arange(-6, 9)).fit(x.astype(np.float64), y)
    scores = model.decision_function(z.astype(np.float64))
    return {**case, "alpha": float(model.alpha_), "error": float(-model.best_score_),
            "predictions": word(model.predict(z.astype(np.float64))), "scores": np.ravel(scores)[:60].tolist()}


def neighbours(case):
    x, y, z, _ = sets(**case)

    def weights(distances):
        return np.exp((1 - distances) / 0.07)

    found = {}
    for k in (10, 20, 100, 200):
        model = KNeighborsClassifier(k, weights=weights, metric="cosine", algorithm="brute")
        found[k] = word(model.fit(x.astype(np.float64), y).predict(z.astype(np.float64)))
    return {**case, "predictions": found}


def shuffled(count, epoch):
    order = list(range(count))
    draws = bits("probe-batches", 0, epoch, count)
    for place in range(count):
        other = place + (int(draws[place]) * (count - place) >> 64)
        order[place], order[other] = order[other], order[place]
    return order


def initial(classes, columns, head):
    """As the library rounds them."""
    drawn = 0.01 * normal("probe-head", 0, head, classes * columns)
    return torch.from_numpy(drawn.astype(np.float32).astype(np.float64).reshape(classes, columns))


def layer(classes, columns, head):
    linear = torch.nn.Linear(columns, classes).double()
    with torch.no_grad():
        linear.weight.copy_(initial(classes, columns, head))
        linear.bias.zero_()
    return linear


def heads(case, second, rates, iterations, batch):
    """DINOv2's optimiser and schedule; poolings are the case's features and those of another number of columns."""
    x, y, _, _ = sets(**case)
    other = samples(case["rows"], second, case["classes"], case["seed"], case["shift"])[0]
    poolings = [torch.from_numpy(z.astype(np.float64)) for z in (x, other)]
    target = torch.from_numpy(y)
    kinds = [(pooling, rate) for pooling in range(2) for rate in rates]
    layers = [layer(case["classes"], poolings[p].shape[1], number) for number, (p, _) in enumerate(kinds)]
    groups = [{"params": one.parameters(), "lr": rate * batch / 256} for one, (_, rate) in zip(layers, kinds)]
    optimizer = torch.optim.SGD(groups, momentum=0.9, weight_decay=0)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, iterations, eta_min=0)
    order, epoch = [], 0
    for _ in range(iterations):
        while len(order) < batch:
            order, epoch = order + shuffled(case["rows"], epoch), epoch + 1
        rows, order = order[:batch], order[batch:]
        losses = [torch.nn.CrossEntropyLoss()(one(poolings[p][rows]), target[rows]) for one, (p, _) in zip(layers, kinds)]
        optimizer.zero_grad()
        sum(losses).backward()
        optimizer.step()
        scheduler.step()
    weights = [one.weight.detach().numpy().ravel().tolist() for one in layers]
    biases = [one.bias.detach().numpy().tolist() for one in layers]
    return {**case, "second": second, "rates": rates, "iterations": iterations, "batch": batch, "weights": weights,
            "intercepts": biases}


def batch_norm(case, epochs, warm_up, batch):
    """MAE's head, optimiser and schedule."""
    x, y, z, _ = sets(**case)
    x, z, y = torch.from_numpy(x.astype(np.float64)), torch.from_numpy(z.astype(np.float64)), torch.from_numpy(y)
    batch_used = min(batch, len(x))
    linear = layer(case["classes"], case["columns"], 0)
    model = torch.nn.Sequential(torch.nn.BatchNorm1d(case["columns"], affine=False, eps=1e-6).double(), linear)
    memory = {name: torch.zeros_like(p) for name, p in linear.named_parameters()}
    steps = len(x) // batch_used
    for epoch in range(epochs):
        order = shuffled(len(x), epoch)
        for step in range(steps):
            at = epoch + step / steps
            rate = 0.1 * batch_used / 256
            if at < warm_up:
                rate *= at / warm_up
            else:
                rate *= 0.5 * (1 + math.cos(math.pi * (at - warm_up) / (epochs - warm_up)))
            rows = order[step * batch_used : (step + 1) * batch_used]
            model.train()
            model.zero_grad()
            torch.nn.CrossEntropyLoss()(model(x[rows]), y[rows]).backward()
            with torch.no_grad():
                for name, p in linear.named_parameters():
                    change = p.grad
                    if p.ndim > 1 and p.norm() > 0 and change.norm() > 0:
                        change = change * (0.001 * p.norm() / change.norm())
                    memory[name] = 0.9 * memory[name] + change
                    p -= rate * memory[name]
    model.eval()
    scores = model(z).detach().numpy()
    return {**case, "epochs": epochs, "warm_up": warm_up, "batch": batch, "scores": scores[:20].ravel().tolist(),
            "predictions": word(scores.argmax(1))}


def mcnemar():
    """Exact below 25 discordant pairs, else chi-square with the continuity correction: statsmodels' two branches."""
    found = []
    for a, b in ((0, 1), (0, 6), (3, 12), (12, 12), (5, 19), (5, 20), (13, 13), (120, 170)):
        if a + b < 25:
            p = scipy.stats.binomtest(min(a, b), a + b, 0.5).pvalue
        else:
            p = scipy.stats.chi2.sf((abs(a - b) - 1) ** 2 / (a + b), 1)
        found.append({"first": a, "second": b, "p": float(p)})
    return found


def idx(path):
    data = gzip.decompress(path.read_bytes())
    axes = data[3]
    shape = [int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(axes)]
    return np.frombuffer(data, np.uint8, offset=4 + 4 * axes).reshape(shape)


def fashion(data, folder):
    """Raw pixels in [0, 1]: the first 10,000 of train, the first 2,000 of test."""
    data = pathlib.Path(data)
    x, z = (idx(data / f"{part}-images-idx3-ubyte.gz") for part in ("train", "t10k"))
    y, own = (idx(data / f"{part}-labels-idx1-ubyte.gz").astype(np.int64) for part in ("train", "t10k"))
    x, z = (v[:n].reshape(n, -1).astype(np.float32) / np.float32(255) for v, n in ((x, 10_000), (z, 2000)))
    y, own = y[:10_000], own[:2000]
    number = chosen_penalty(x, y, 10, 1e-6)
    c = 10 ** (-6 + number / 4)
    model, loss = fitted(x, y, c, tol=1e-8)
    predictions = model.predict(z.astype(np.float64))
    golden = {"c": c, "loss": loss, "accuracy": float((predictions == own).mean()), "predictions": word(predictions)}
    (folder / "fashion_mnist.json").write_text(json.dumps(golden, indent=1) + "\n")


def main():
    torch.manual_seed(0)
    of_fashion = sys.argv[1:2] == ["--fashion"]
    rest = sys.argv[3:] if of_fashion else sys.argv[1:]
    folder = pathlib.Path(rest[0] if rest else pathlib.Path(__file__).parent / "../golden/probes")
    folder.mkdir(parents=True, exist_ok=True)
    if of_fashion:
        return fashion(sys.argv[2], folder)
    many = spec(3000, 400, 96, 40, 7, 0.5)
    golden = {
        "logistic": [
            logistic(spec(300, 200, 20, 5, 1, 0.4), 1.0),
            logistic(spec(300, 200, 20, 5, 1, 0.4), 1e-3),
            logistic(spec(200, 150, 60, 2, 3, 0.3), 10.0),
            logistic(spec(120, 150, 200, 10, 5, 0.6), 0.1),
            logistic(many, 1.0),
            logistic(many, 100.0),
        ],
        "sweep": [sweep(spec(600, 300, 24, 6, 11, 0.3)), sweep(spec(400, 300, 50, 2, 13, 0.2))],
        "ridge": [
            ridge(spec(300, 200, 20, 5, 21, 0.4)),
            ridge(spec(1200, 150, 60, 2, 23, 0.1)),
            ridge(spec(90, 150, 200, 10, 25, 0.6)),
        ],
        "knn": [neighbours(spec(600, 300, 16, 7, 31, 0.5)), neighbours(spec(2500, 1300, 40, 30, 33, 0.5))],
        "heads": heads(spec(150, 1, 12, 5, 41, 0.6), 9, [1e-3, 0.02, 0.1], 60, 64),
        "batch_norm": [batch_norm(spec(200, 60, 12, 5, 51, 0.6), 12, 3, 64), batch_norm(spec(90, 60, 7, 3, 53, 0.6), 6, 1, 256)],
        "mcnemar": mcnemar(),
    }
    (folder / "probes.json").write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
