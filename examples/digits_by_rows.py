"""Handwritten digits read row by row, many-to-one: 8 steps of 8 pixels, then the label.

The 1,797 pictures come with scikit-learn; every third is held out. Run: python examples/digits_by_rows.py
"""

import time

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import gatework as gw
from gatework.labels.report import class_report


def main(seed: int = 0, **options: object) -> float:
    """Trains and judges; the options are those of gw.SequenceClassifier. Returns the accuracy."""
    pixels, y = load_digits(return_X_y=True)
    X = pixels.reshape(-1, 8, 8)  # [N,T,I]: a row is a time step
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=1 / 3, stratify=y, random_state=seed)

    began = time.perf_counter()
    chosen = {"summary": "mean", **options}  # no row says more than another, the last no more than the first
    model = gw.SequenceClassifier(random_state=seed, **chosen).fit(X_train, y_train)  # type: ignore[arg-type]
    print(f"{model}: {len(y_train):,} digits learnt in {time.perf_counter() - began:.1f} s")

    report = class_report(range(10), y_test, np.asarray(model.predict(X_test)))
    print("\n".join(report.lines()))
    return report.accuracy


if __name__ == "__main__":
    main()
