"""Labels as numbers that a network predicts, and back: classes, amounts, several of these. All of it is JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from gatework.errors import InputError, shown
from gatework.labels.data.columns import Name
from gatework.labels.data.examples import Examples

LARGEST = 1e100  # numbers beyond it, or below its inverse, have no squares in float64
SHOWN = 8  # labels that an error lists
LEAST_ALIKE = 20  # texts as labels among which one must occur twice, so that they are no names of the rows


@dataclass(frozen=True)
class Classes:
    """K labels, numbered in their order; `dtype` is numpy's name of their type."""

    values: tuple[str | int | float | bool, ...]
    dtype: str

    @classmethod
    def of(cls, labels: Sequence[Any]) -> Self:
        """The labels that occur, each once; InputError where all are one."""
        values = np.unique(np.asarray(labels))
        if len(values) < 2:
            raise InputError(f"all {len(labels):,} labels are {shown(values[0].item())}; expected at least two kinds")
        if values.dtype.kind == "U" and len(values) == len(labels) >= LEAST_ALIKE:
            raise InputError(
                f"all {len(labels):,} labels differ, such as {shown(values[0].item())} and {shown(values[1].item())}: "
                "expected classes that several sequences have; are they names of the rows?"
            )
        return cls(tuple(values.tolist()), values.dtype.str)

    @property
    def sizes(self) -> tuple[int, ...]:
        """(K,), the outputs of the network."""
        return (len(self.values),)

    @property
    def array(self) -> npt.NDArray[Any]:
        """The labels [K] as scikit-learn's classes_."""
        return np.asarray(self.values, self.dtype)

    @cached_property
    def numbers(self) -> dict[Any, int]:
        return {value: number for number, value in enumerate(self.values)}

    def encode(self, labels: Sequence[Any], at: Callable[[int], str]) -> npt.NDArray[np.int64]:
        """The numbers of labels; InputError, naming the row, for one that is not among them."""
        try:
            return np.fromiter((self.numbers[label] for label in labels), np.int64, len(labels))
        except KeyError:
            row = next(k for k, label in enumerate(labels) if label not in self.numbers)
            raise InputError(f"{at(row)}: the label {_unknown(labels[row], self.values)}") from None

    def to_json(self) -> dict[str, Any]:
        return {"classes": list(self.values), "dtype": self.dtype}


def _unknown(label: Any, known: Sequence[Any]) -> str:
    """That a label is new, and those that are not."""
    more = ", ..." if len(known) > SHOWN else ""
    return f"{shown(label)} did not occur in training; the labels are {', '.join(map(shown, known[:SHOWN]))}{more}"


@dataclass(frozen=True)
class Amounts:
    """Numbers to predict: (y - mean) / scale, with the training part's mean and deviation."""

    mean: float
    scale: float

    @classmethod
    def of(cls, labels: Sequence[float]) -> Self:
        values = np.asarray(labels, np.float64)
        largest = float(np.abs(values).max())
        if largest > LARGEST or 0 < largest < 1 / LARGEST:
            raise InputError(f"the largest label is {largest:.3g}; expected {1 / LARGEST:g} to {LARGEST:g}: scale them")
        deviation = float(values.std())
        if deviation <= 1e-12 * abs(float(values.mean())):
            raise InputError(f"all {len(labels):,} labels are {values[0]}; expected numbers that differ")
        return cls(float(values.mean()), deviation)

    @property
    def sizes(self) -> tuple[int, ...]:
        """(1,), the outputs of the network."""
        return (1,)

    def encode(self, labels: Sequence[float], at: Callable[[int], str]) -> npt.NDArray[np.float32]:  # noqa: ARG002
        """Scaled numbers."""
        return ((np.asarray(labels, np.float64) - self.mean) / self.scale).astype(np.float32)

    def amounts(self, scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The numbers that scaled ones stand for."""
        return scores * self.scale + self.mean

    def to_json(self) -> dict[str, Any]:
        return {"mean": self.mean, "scale": self.scale}


WHETHER = Classes((False, True), "|b1")  # a label of a set: is it there


@dataclass(frozen=True)
class Several:
    """M targets of one kind, each with its name; sets: they are labels, each of which a sequence has or has not."""

    names: tuple[Name, ...]
    each: tuple[Classes | Amounts, ...]
    sets: bool = False

    @classmethod
    def of(cls, examples: Examples) -> Self:
        """The targets of examples; InputError, with the name, for one that cannot be predicted."""
        labels, names = examples.labels, examples.columns
        assert labels is not None
        if examples.kind == "set":
            if len(set(labels)) < 2:
                raise InputError(f"all {len(labels):,} sets of labels are {shown(sorted(labels[0]))}; expected several")
            known = sorted(frozenset().union(*labels)) if names is None else names
            return cls(tuple(known), (WHETHER,) * len(known), sets=True)
        assert names is not None
        kind = Amounts if examples.kind == "number" else Classes
        each = []
        for name, column in zip(names, zip(*labels, strict=True), strict=True):
            try:
                each.append(kind.of(column))
            except InputError as error:
                raise InputError(f"target {shown(name)}: {error}") from None
        return cls(names, tuple(each))

    @property
    def sizes(self) -> tuple[int, ...]:
        """The outputs of the network for each target."""
        return tuple(size for one in self.each for size in one.sizes)

    @property
    def array(self) -> npt.NDArray[Any]:
        """The names [M] as numpy has them."""
        return np.asarray(self.names)

    def encode(self, examples: Examples) -> npt.NDArray[Any]:
        """The targets [N,M]; InputError, naming the row, for what is not among them."""
        labels, columns = examples.labels, examples.columns
        assert labels is not None
        if columns is not None and set(columns) != set(self.names):
            raise InputError(
                f"{examples.at(0)}: the targets are {_listed(columns)}; the model was trained on {_listed(self.names)}"
            )
        if self.sets:
            return self._encode_sets(labels, examples.at)
        assert columns is not None
        by_name = dict(zip(columns, zip(*labels, strict=True), strict=True))
        return np.stack(
            [one.encode(by_name[name], examples.at) for name, one in zip(self.names, self.each, strict=True)], 1
        )

    def _encode_sets(self, labels: Sequence[Any], at: Callable[[int], str]) -> npt.NDArray[np.int64]:
        place = {name: number for number, name in enumerate(self.names)}
        there = np.zeros((len(labels), len(place)), np.int64)
        for row, label in enumerate(labels):
            for name in sorted(label):
                if name not in place:
                    raise InputError(f"{at(row)}: the label {_unknown(name, self.names)}")
                there[row, place[name]] = 1
        return there

    def to_json(self) -> dict[str, Any]:
        names = list(self.names)
        return {"sets": names} if self.sets else {"names": names, "each": [one.to_json() for one in self.each]}


def _listed(names: Sequence[Name]) -> str:
    return ", ".join(map(shown, names[:SHOWN])) + (", ..." if len(names) > SHOWN else "")


Targets = Classes | Amounts | Several


def targets_of(examples: Examples) -> Targets:
    """What the labels of examples are."""
    labels = examples.labels
    assert labels is not None
    if examples.several:
        return Several.of(examples)
    if examples.kind == "number":
        return Amounts.of(labels)
    return Classes.of(list(chain.from_iterable(labels)) if examples.kind == "tag" else labels)


def targets_from_json(values: Mapping[str, Any]) -> Targets:
    """What `to_json` gave; ValueError, TypeError or KeyError for anything else."""
    if "sets" in values:
        return _several(values["sets"], [WHETHER] * len(values["sets"]), sets=True)
    if "each" in values:
        return _several(values["names"], [targets_from_json(one) for one in values["each"]])
    if "classes" not in values:
        return Amounts(float(values["mean"]), float(values["scale"]))
    classes = Classes(tuple(values["classes"]), str(values["dtype"]))
    if len(classes.values) < 2 or tuple(classes.array.tolist()) != classes.values:
        raise ValueError("its classes are none")
    return classes


def _several(names: Sequence[Any], each: Sequence[Targets], *, sets: bool = False) -> Several:
    single = [one for one in each if not isinstance(one, Several)]
    if not names or len(set(names)) != len(single) or len({type(one) for one in each}) > 1:
        raise ValueError("its targets are none")
    return Several(tuple(names), tuple(single), sets)


def check_several(targets: Targets, examples: Examples) -> None:
    """Raises InputError where sequences have several labels and the model predicts one, or the other way round."""
    if examples.labels is not None and examples.several != isinstance(targets, Several):
        what = "one label" if examples.several else "several"
        label = shown(examples.labels[0])
        raise InputError(f"{examples.at(0)}: the label is {label}; the model was trained on {what} a sequence")


def encode_labels(targets: Targets, examples: Examples) -> npt.NDArray[Any]:
    """The labels as the network's targets: whole or scaled numbers, [N], of several targets [N,M], of tags [sum T]."""
    labels = examples.labels
    assert labels is not None
    check_several(targets, examples)
    if isinstance(targets, Several):
        return targets.encode(examples)
    if examples.kind != "tag" or isinstance(targets, Amounts):
        return targets.encode(labels, examples.at)
    rows = np.repeat(np.arange(len(labels)), [len(tags) for tags in labels])
    every = list(chain.from_iterable(labels))
    return targets.encode(every, lambda place: examples.at(int(rows[place])))
