"""Writes the made tables of docs/series.md: trees that sell once a year, and three shops with a price."""

import csv
import random
from pathlib import Path
from typing import Any

MONTHS = (9, 0, 1, 0, 0, 1, 0, 2, 8, 60, 700, 4100)  # Christmas trees sold in each
SHOPS = {"north": 20, "south": 2000, "harbour": 300}  # and what they sell on a usual day
DAYS, AHEAD = 203, 7


def write(name: str, rows: list[list[Any]], delimiter: str = ",") -> None:
    with Path(name).open("w", newline="") as file:
        csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows(rows)


def trees() -> list[list[Any]]:
    """Eight years, the trade growing by 3 % a year; a month was not entered."""
    rows = [
        [f"{2016 + i // 12}-{i % 12 + 1:02}", round(MONTHS[i % 12] * 1.03 ** (i // 12) * random.uniform(0.9, 1.1))]
        for i in range(96)
    ]
    return [["month", "sold"], *rows[:18], *rows[19:]]


def shops() -> tuple[list[list[Any]], list[list[Any]]]:
    """What was sold at which price, and the prices of the week to come."""
    history, plan = [["shop", "day", "sold", "price"]], [["shop", "day", "price"]]
    for shop, size in SHOPS.items():
        for day in range(1, DAYS + AHEAD + 1):
            price = random.choice([2.0, 2.5, 3.0])
            weekend = 0.3 if day % 7 > 4 else 0.0
            sold = size * (1.5 - price / 4 + weekend) * random.uniform(0.9, 1.1)
            if day <= DAYS:
                history.append([shop, str(day), f"{sold:.1f}", str(price)])
            else:
                plan.append([shop, str(day), str(price)])
    return history, plan


random.seed(1)
write("trees.csv", trees(), delimiter=";")
history, plan = shops()
write("shops.csv", history)
write("plan.csv", plan)
