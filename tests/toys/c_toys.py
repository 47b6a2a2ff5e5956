"""The C library as tests use it: built once, called by its functions, and files for it to open."""

import ctypes
import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from safetensors.numpy import save

from gatework.network import Network
from gatework.runtime.code import tensors_for_c

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "library"
Floats = npt.NDArray[np.float32]
COUNTS = ("batch", "input", "ids", "output", "state", "tokens")
OK, ARGUMENT, FILE, DAMAGED, UNSUPPORTED = range(5)


class Size(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int64) for name in COUNTS]


def tool(name: str) -> str:
    """A compiler or what builds with it; a test that needs it is skipped where it is not, but on CI fails."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    found = shutil.which(name, path=path)
    if found is None and os.environ.get("CI"):
        pytest.fail(f"there is no {name}")
    if found is None:
        pytest.skip(f"there is no {name}")
    return found


@cache
def installed() -> Path:
    """The folder that the library was built for and installed in, by the commands of docs/c.md."""
    cmake, ninja = tool("cmake"), tool("ninja")
    tool("cc")
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / ".lock").open("w") as lock:  # of several processes that test, one builds
        fcntl.flock(lock, fcntl.LOCK_EX)
        options = ["-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={ninja}", "-DGATEWORK_LIBRARY=ON"]
        run(cmake, "-S", str(ROOT / "native"), "-B", str(BUILD), *options)
        run(cmake, "--build", str(BUILD))
        run(cmake, "--install", str(BUILD), "--prefix", str(BUILD / "installed"))
    return BUILD / "installed"


def run(*words: str, environment: Mapping[str, str] | None = None) -> str:
    """What a command prints; its errors are the test's."""
    done = subprocess.run(words, text=True, capture_output=True, check=False, env=environment)
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@cache
def library() -> ctypes.CDLL:
    (path,) = installed().glob("lib*/libgatework.so")
    loaded = ctypes.CDLL(str(path))
    loaded.gatework_error.restype = ctypes.c_char_p
    return loaded


class CModel:
    """A model that the library has opened; what fails raises the status and the text."""

    def __init__(self, path: Path, batch: int = 1) -> None:
        self.c, self.handle = library(), ctypes.c_void_p()
        try:
            self.call("open", os.fsencode(path), ctypes.c_int64(batch), ctypes.byref(self.handle), model=False)
        except CError:
            self.close()
            raise
        size = Size()
        self.call("sizes", ctypes.byref(size))
        self.size = {name: getattr(size, name) for name in COUNTS}

    def call(self, name: str, *arguments: object, model: bool = True) -> None:
        status = getattr(self.c, f"gatework_{name}")(*([self.handle] if model else []), *arguments)
        if status != OK:
            raise CError(status, self.c.gatework_error(self.handle).decode())

    def close(self) -> None:
        self.c.gatework_close(self.handle)
        self.handle = ctypes.c_void_p()

    def run(self, x: npt.NDArray[np.float32] | npt.NDArray[np.int64]) -> Floats:
        """x [T,B,I] or [T,B] -> [T,B,N], in one call."""
        y = np.zeros((*x.shape[:2], self.size["output"]), np.float32)
        self.call("run", _address(x), ctypes.c_int64(len(x)), _address(y))
        return y

    def step(self, x: npt.NDArray[np.float32] | npt.NDArray[np.int64]) -> Floats:
        """x [B,I] or [B] -> [B,N]."""
        y = np.zeros((x.shape[0], self.size["output"]), np.float32)
        self.call("step", _address(x), _address(y))
        return y

    @property
    def state(self) -> Floats:
        state = np.zeros(self.size["state"], np.float32)
        self.call("state_get", _address(state))
        return state

    @state.setter
    def state(self, state: Floats | None) -> None:
        self.call("state_set", None if state is None else _address(state))

    def token(self, number: int) -> bytes:
        text, many = ctypes.c_void_p(), ctypes.c_size_t()
        self.call("token", ctypes.c_int64(number), ctypes.byref(text), ctypes.byref(many))
        return ctypes.string_at(text.value or 0, many.value)

    def find(self, text: bytes) -> int:
        number = ctypes.c_int64()
        self.call("find", text, ctypes.c_size_t(len(text)), ctypes.byref(number))
        return number.value


class CError(Exception):
    """What the library refused: status and text."""

    @property
    def status(self) -> int:
        return int(self.args[0])


def _address(array: npt.NDArray[np.generic]) -> ctypes.c_void_p:
    return np.ascontiguousarray(array).ctypes.data_as(ctypes.c_void_p)


def model_file(network: Network, weights: Mapping[str, Floats], tokens: Sequence[bytes] = ()) -> bytes:
    """A file of a network as C reads it."""
    more = tensors_for_c(network, {name: array.shape for name, array in weights.items()}, tokens)
    metadata = {"format": "gatework model 1", "network": json.dumps(network.to_json())}
    return save({**weights, **more}, metadata)
