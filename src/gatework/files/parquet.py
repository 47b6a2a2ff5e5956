"""Tables in Parquet, read by what is installed."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import narwhals as nw

from gatework.errors import InputError
from gatework.files.reading import blamed

MAGIC = b"PAR1"
BACKENDS: tuple[Literal["polars", "pyarrow", "pandas"], ...] = ("polars", "pyarrow", "pandas")


def is_parquet(path: Path, name: str) -> bool:
    """Whether a file says of itself that it is Parquet, by its first bytes or by the end of its name."""
    with blamed("read", name), path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC or Path(name).suffix.lower() == ".parquet"


def read_parquet(path: Path, name: str) -> nw.DataFrame[Any]:
    """The table in a file that errors call `name`; InputError where it is damaged, or nothing here reads it."""
    backend = next((backend for backend in BACKENDS if find_spec(backend)), None)
    if backend is None:
        raise InputError(f"{name}: reading Parquet needs polars: pip install 'gatework[parquet]', or save it as CSV")
    try:
        return nw.read_parquet(str(path), backend=backend)
    except (OSError, MemoryError):
        raise
    except BaseException as error:  # polars' own errors are of the core, some of them panics
        if isinstance(error, KeyboardInterrupt):
            raise
        raise InputError(f"{name} is a damaged Parquet file: {' '.join(str(error).split())[:200]}") from error
