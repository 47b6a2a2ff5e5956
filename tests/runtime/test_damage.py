"""A model's file that is damaged is refused in one line, which names it, and says what is wrong and what to do."""

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from forecast_toys import quick, seasonal
from label_toys import QUICK, waves
from pair_toys import capitals
from text_toys import start, write_text

import gatework as gw
from gatework.errors import InputError
from gatework.files.tensors import as_bytes, read_tensors
from gatework.runtime import ForecastSession, LabelSession, Model, PairSession, Session, TextSession
from gatework.runtime.model import DIGEST

SESSIONS = {
    "layer": Session,
    "text": TextSession,
    "labels": LabelSession,
    "pairs": PairSession,
    "ctc": PairSession,
    "series": ForecastSession,
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An exported file of each kind."""
    folder = tmp_path_factory.mktemp("files")
    start(folder / "text", write_text(folder), steps=1)
    gw.SequenceClassifier(**QUICK | {"steps": 1, "hidden": 3}).fit(*waves(20)).save(folder / "labels")
    small: dict[str, Any] = {"hidden": 3, "layers": 1, "embedding": 3, "steps": 1, "device": "cpu"}
    gw.Transducer(**small).fit(*capitals(40)).save(folder / "pairs")
    gw.Transducer(**small, align="ctc").fit(*capitals(40)).save(folder / "ctc")
    quick(3, steps=1).fit(seasonal(48)).save(folder / "series")
    made = {kind: folder / f"{kind}.gw" for kind in SESSIONS}
    for kind, file in made.items():
        gw.export(gw.LSTM(3, 4) if kind == "layer" else folder / kind, file)
    return made


def without_digest(file: Path, to: Path) -> Path:
    """A file as those of before digests were."""
    read = read_tensors(file)
    to.write_bytes(as_bytes(read.arrays, {name: text for name, text in read.metadata.items() if name != DIGEST}))
    return to


@pytest.mark.parametrize("kind", SESSIONS)
def test_a_bit_of_the_tensors_that_is_another_is_noticed(files: dict[str, Path], tmp_path: Path, kind: str) -> None:
    whole, file, drawn = files[kind].read_bytes(), tmp_path / "model.gw", random.Random(0)
    numbers = sum(array.nbytes for array in read_tensors(files[kind]).arrays.values())
    SESSIONS[kind](files[kind])
    for place in (0, numbers - 1, *drawn.choices(range(numbers), k=30)):
        data = bytearray(whole)
        data[len(whole) - numbers + place] ^= 1 << drawn.randrange(8)
        file.write_bytes(data)
        with pytest.raises(InputError) as raised:
            SESSIONS[kind](file)
        assert str(raised.value) == f"{file} is damaged: its content does not match its digest; export it again"


@pytest.mark.parametrize("kind", SESSIONS)
def test_a_file_of_before_digests_is_read_and_written_with_one(
    files: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    older = without_digest(files[kind], tmp_path / "older.gw")
    SESSIONS[kind](older)
    Model.open(older).save(tmp_path / "model.gw")
    assert (tmp_path / "model.gw").read_bytes() == files[kind].read_bytes()


# -- descriptions


def edits(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Where JSON may be another, and what is there then: keys lost, renamed and added, other types and names."""
    if isinstance(value, dict):
        for key in value:
            left = {name: each for name, each in value.items() if name != key}
            yield from ((place, left), (place, {**left, f"{key[:-1]}?": value[key]}))
            yield from edits(value[key], (*place, key))
        yield place, {**value, "more": 1}
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from edits(each, (*place, index))
    elif isinstance(value, str):
        yield place, f"{value[:-1]}?"
    if value is not None:
        yield place, {} if isinstance(value, str) else "?"


def edited(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    """JSON with another value at a place."""
    if not place:
        return new
    copy = value.copy()
    copy[place[0]] = edited(value[place[0]], place[1:], new)
    return copy


def refused(kind: str, file: Path) -> str | None:
    """What is said of a file that is refused, in one line that names it; None where it is opened."""
    try:
        SESSIONS[kind](file)
    except InputError as error:
        assert "\n" not in str(error)
        return str(error).removeprefix(f"{file} ")
    return None


@pytest.mark.parametrize("kind", SESSIONS)
def test_every_key_and_type_of_a_network_matters(files: dict[str, Path], tmp_path: Path, kind: str) -> None:
    read, file = read_tensors(without_digest(files[kind], tmp_path / "older.gw")), tmp_path / "model.gw"
    network = json.loads(read.metadata["network"])
    for place, new in edits(network):
        changed = edited(network, place, new)
        file.write_bytes(as_bytes(read.arrays, {**read.metadata, "network": json.dumps(changed)}))
        said = refused(kind, file)
        if said is None:  # as of a step that was written before it had this key
            assert place[0] == "steps" and len(place) == 2 and new.keys() < network["steps"][place[1]].keys()
        else:
            assert re.fullmatch(r"is damaged: .*\w+ .*", said), (place, new, said)


@pytest.mark.parametrize("kind", SESSIONS)
def test_what_else_is_said_of_a_model_is_read_or_refused(files: dict[str, Path], tmp_path: Path, kind: str) -> None:
    read, file = read_tensors(without_digest(files[kind], tmp_path / "older.gw")), tmp_path / "model.gw"
    about, drawn = json.loads(read.metadata["about"]), random.Random(0)
    every = list(edits(about))
    for place, new in drawn.sample(every, min(len(every), 150)):
        changed = edited(about, place, new)
        file.write_bytes(as_bytes(read.arrays, {**read.metadata, "about": json.dumps(changed)}))
        said = refused(kind, file)
        assert said is None or re.fullmatch(r"is damaged: .*\w+ .*", said), (place, new, said)


def with_header(file: Path, header: dict[str, Any]) -> bytes:
    """A file's numbers behind another header."""
    whole, text = file.read_bytes(), json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + whole[8 + int.from_bytes(whole[:8], "little") :]


@pytest.mark.parametrize("kind", SESSIONS)
def test_every_key_and_type_of_a_header_matters(files: dict[str, Path], tmp_path: Path, kind: str) -> None:
    file, whole = tmp_path / "model.gw", files[kind].read_bytes()
    header = json.loads(whole[8 : 8 + int.from_bytes(whole[:8], "little")])
    for place, new in edits(header):
        file.write_bytes(with_header(files[kind], edited(header, place, new)))
        said = refused(kind, file)
        if place == ("__metadata__",) and DIGEST not in new and not any("?" in key for key in new):
            assert said is None
        else:
            assert said is not None, (place, new)
            assert re.match(r"(is damaged|is no model that this gatework reads)", said), (place, new, said)


def test_a_token_in_anothers_place_is_noticed(files: dict[str, Path], tmp_path: Path) -> None:
    read, file = read_tensors(files["text"]), tmp_path / "model.gw"
    about = json.loads(read.metadata["about"])
    about["vocabulary"]["tokens"][1:3] = about["vocabulary"]["tokens"][2:0:-1]
    file.write_bytes(as_bytes(read.arrays, {**read.metadata, "about": json.dumps(about)}))
    with pytest.raises(InputError, match=r"model\.gw is damaged: its content does not match its digest; export it"):
        TextSession(file)
