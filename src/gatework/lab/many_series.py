"""How long a panel of many short series takes, forecast in this process and in parts by workers of Dask.

python -m gatework.lab.many_series 2000                 one process
python -m gatework.lab.many_series 2000 --workers 2     and two workers; needs pip install 'fugue[dask]' distributed

Each process computes in one thread: OMP_NUM_THREADS=1.
"""

import argparse
import time
from collections.abc import Callable
from importlib import import_module

import numpy as np
import pandas as pd

from gatework.adapters.nixtla import NixtlaForecaster
from gatework.lab.bench.machine import machine
from gatework.lab.report import machine_line

LENGTH, HORIZON = 36, 6  # months
SCHEMA = "unique_id:str,ds:datetime,gatework:double,`gatework-lo-80`:double,`gatework-hi-80`:double"


def panel(series: int) -> pd.DataFrame:
    """Made sales: a level of each series, a season of a year that begins where it likes, a tenth of noise."""
    rng = np.random.default_rng(0)
    month = np.arange(LENGTH) + rng.integers(0, 12, (series, 1))
    level = rng.uniform(20, 200, (series, 1))
    y = level * (1 + 0.3 * np.sin(2 * np.pi * month / 12) + 0.1 * rng.standard_normal((series, LENGTH)))
    return pd.DataFrame(
        {
            "unique_id": np.repeat([f"series {number:05}" for number in range(series)], LENGTH),
            "ds": np.tile(pd.date_range("2021-01", periods=LENGTH, freq="MS"), series),
            "y": y.ravel().round(3),
        }
    )


def forecast(part: pd.DataFrame) -> pd.DataFrame:
    """The forecasts of a part of the panel, by one model of it."""
    forecaster = NixtlaForecaster(HORIZON, "MS", season=12, members=1)
    return forecaster.forecast(part[["unique_id", "ds", "y"]], level=[80])


def spread(df: pd.DataFrame, workers: int) -> tuple[pd.DataFrame, float]:
    """The forecasts by as many workers, each of a part, and the seconds once they have started."""
    client, fa = import_module("dask.distributed").Client, import_module("fugue.api")
    parts = df.assign(part=df["unique_id"].factorize()[0] % workers)

    def together() -> pd.DataFrame:
        made: pd.DataFrame = fa.as_pandas(
            fa.transform(parts, forecast, schema=SCHEMA, partition={"by": "part"}, engine=started)
        )
        return made

    with client(n_workers=workers, threads_per_worker=1) as started:
        started.run(import_module, "gatework.adapters.nixtla")
        return timed(together)


def timed(work: Callable[[], pd.DataFrame]) -> tuple[pd.DataFrame, float]:
    """What it returns, and how many seconds that took."""
    began = time.perf_counter()
    return work(), time.perf_counter() - began


def main() -> None:
    """Measures and prints."""
    asked = argparse.ArgumentParser(
        prog="python -m gatework.lab.many_series", description=(__doc__ or "").split("\n")[0]
    )
    asked.add_argument("series", type=int, help="how many")
    asked.add_argument("--workers", type=int, default=0, help="of Dask, beside the one process")
    options = asked.parse_args()
    df = panel(options.series)
    made, alone = timed(lambda: forecast(df))
    print(f"{options.series:,} series of {LENGTH}: one process {alone:.1f} s, {len(made):,} forecasts")
    if options.workers:
        made, together = spread(df, options.workers)
        faster = f"one / {options.workers}: {alone / together:.2f}"
        print(f"{options.workers} workers {together:.1f} s, {len(made):,} forecasts; {faster}")
    print(machine_line(machine(1, "auto", 0)))


if __name__ == "__main__":
    main()
