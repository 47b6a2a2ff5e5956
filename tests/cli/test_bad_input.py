"""Whatever is given wrong ends in one line that says what and where, with status 2, and nothing half-written."""

import json
import pickle
import resource
import shlex
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from cli_toys import SMALL, Command, tree
from safetensors.torch import save_file

NEW = f"train text text.txt --out new {shlex.join(SMALL)}"  # what each case changes, later options counting


def refused(gatework: Command, place: Path, arguments: str, *said: str) -> None:
    before = tree(place)
    done = gatework(*shlex.split(arguments))
    assert done.status == 2, done
    assert done.err.startswith("gatework")
    assert done.err.count("\n") == 1, "one line"
    for words in said:
        assert words in done.err
    assert tree(place) == before


TEXTS = [
    ("missing.txt", ["missing.txt does not exist"]),
    ("empty.txt", ["the text is empty: empty.txt"]),
    ("one.txt", ["too short", "3 streams of 7 steps need 22 characters, it has 1"]),
    ("short.txt", ["too short", "3 streams of 7 steps need 22 characters, it has 18", "fewer streams"]),
    ("latin.txt", ["latin.txt is not UTF-8", "bytes df at offset 3", "--level byte"]),
    ("nothing", ["directory nothing holds no file"]),
    ("folder --suffix .rst", ["holds no file ending in .rst", ".txt (2), .py (1)"]),
    ("folder missing.txt", ["missing.txt does not exist"]),
    ("-", ["the text is empty: standard input"]),
]


@pytest.mark.parametrize(("text", "said"), TEXTS, ids=[text for text, _ in TEXTS])
def test_a_text_that_cannot_be_used(gatework: Command, place: Path, text: str, said: list[str]) -> None:
    refused(gatework, place, f"train text {text} --out deep/new {shlex.join(SMALL)}", *said)


OPTIONS = [
    ("--cell lsmt", ["unknown cell 'lsmt'; closest are lstm"]),
    ("--cell transformer", ["unknown cell 'transformer'"]),
    ("--cell gru --equations mine.txt", ["--cell gru and --equations mine.txt: give one of them"]),
    ("--equations misspelt.txt", ["misspelt.txt, line 2: h = >>sigmod<<(W @ x", "did you mean 'sigmoid'"]),
    ("--equations broken.txt", ["broken.txt, line 1: h = tanh", "expected name = expression"]),
    ("--equations prose.txt", ["prose.txt, line 1: Dear >>S", "invalid syntax"]),
    ("--equations empty.txt", ["empty.txt, the equations are empty"]),
    ("--equations missing.txt", ["cannot read missing.txt: No such file"]),
    ("--equations folder", ["cannot read folder: Is a directory"]),
    ("--equations latin.txt", ["latin.txt is not UTF-8 at byte 3"]),
    ("--cell sru", ["input_size=4 and hidden_size=6; make them equal"]),
    ("--tied", ["tied output weights need an embedding of 6 units"]),
    ("--one-hot", ["--one-hot and --embedding 4: give one of them"]),
    ("--hidden abc", ["'--hidden'", "valid integer", "see gatework train text --help"]),
    ("--hidden 0", ["hidden is 0"]),
    ("--hidden 9999999999999999999999", ["hidden is 9999999999999999999999"]),
    ("--hidden 9000000", ["memory", "fewer --hidden units"]),
    ("--layers 0", ["layers is 0"]),
    ("--projection -1", ["projection is -1"]),
    ("--embedding 0", ["embedding is 0"]),
    ("--dropout 2", ["dropout is 2.0; expected a probability"]),
    ("--recurrent-dropout q=0.1", ["'q'"]),
    ("--recurrent-dropout g", ["--recurrent-dropout g: expected name=number"]),
    ("--zoneout nonsense", ["--zoneout nonsense: expected name=number, such as h=0.05"]),
    ("--zoneout h=much", ["--zoneout h=much"]),
    ("--zoneout h=2", ["zoneout['h'] is 2.0"]),
    ("--zoneout f=0.1", ["'f'"]),
    ("--splits 0.9,0.1", ["--splits 0.9,0.1: expected three shares"]),
    ("--splits a,b,c", ["--splits a,b,c: expected three shares"]),
    ("--splits 0.5,0.2,0.2", ["--splits 0.5,0.2,0.2", "add up to 1"]),
    ("--level letter", ["Invalid value for '--level': 'letter' is not one of", "'byte', 'char', 'word'"]),
    ("--vocabulary 1", ["vocabulary of 1"]),
    ("--level byte --vocabulary 7", ["vocabulary of 7 bytes"]),
    ("--streams 0", ["streams is 0"]),
    ("--bptt 0", ["steps is 0"]),
    ("--streams 900", ["900 streams of 7 steps need 6,301 characters, it has 810"]),
    ("--steps 0", ["steps = 0"]),
    ("--epochs 0", ["epochs = 0"]),
    ("--minutes 0", ["minutes = 0.0"]),
    ("--learning-rate -1", ["learning_rate = -1.0"]),
    ("--learning-rate nan", ["learning_rate = nan"]),
    ("--weight-decay -1", ["weight_decay = -1.0"]),
    ("--warmup -1", ["warmup = -1"]),
    ("--clip -1", ["clip = -1.0"]),
    ("--accumulate 0", ["accumulate = 0"]),
    ("--evaluate-every 0", ["evaluate_every = 0"]),
    ("--patience 0", ["patience = 0"]),
    ("--patience 1 --splits 1,0,0", ["early stopping needs validation data"]),
    ("--save-every -1", ["save_every = -1.0"]),
    ("--seed -1", ["seed = -1"]),
    ("--precision float8", ["'--precision'", "'float8'"]),
    ("--optimizer sgd", ["'--optimizer'", "'sgd'"]),
    ("--decay linear", ["'--decay'", "'linear'"]),
    ("--init gloroty", ["unknown rule 'gloroty'; did you mean 'glorot'"]),
    ("--init chrono(1)", ["T_max"]),
    ("--engine steam", ["engine='steam' is not here"]),
    ("--device nonsense", ["device 'nonsense' cannot be used"]),
    ("--hiden 6", ["No such option", "--hiden"]),
    ("--out", ["--out"]),
    ("--out run", ["run exists: --resume goes on with it, --overwrite starts anew"]),
    ("--out foreign", ["foreign exists and is no run"]),
    ("--out foreign --overwrite", ["foreign exists and is no run"]),
    ("--out text.txt --overwrite", ["text.txt exists and is no run"]),
    ("--out text.txt/new", ["cannot make text.txt/new: File exists"]),
    ("--out .", ["is the folder you are in"]),
    (f"--out {'x' * 300}", ["cannot make", "File name too long"]),
]


@pytest.mark.parametrize(("options", "said"), OPTIONS, ids=[options[:40] for options, _ in OPTIONS])
def test_options_that_cannot_be(gatework: Command, place: Path, options: str, said: list[str]) -> None:
    refused(gatework, place, f"{NEW} {options}", *said)


def test_options_are_judged_before_the_text_is_read(gatework: Command, place: Path) -> None:
    for options, said in (("--dropout 2", "dropout"), ("--cell sru", "hidden_size"), ("--splits 2,2,2", "--splits")):
        refused(gatework, place, f"train text missing.txt --out new {shlex.join(SMALL)} {options}", said)


def test_a_cell_for_as_many_units_as_characters(gatework: Command, place: Path) -> None:
    said = "input_size=8 and hidden_size=6; make them equal"
    refused(gatework, place, "train text text.txt --out new --one-hot --hidden 6 --cell sru --streams 3 --bptt 7", said)


@pytest.mark.parametrize("options", ["--cell sru", "--patience 1 --splits 1,0,0", "--device nonsense", "--streams 900"])
def test_a_run_that_was_to_be_replaced_is_still_there(gatework: Command, place: Path, options: str) -> None:
    refused(gatework, place, f"{NEW} --out run --overwrite {options}")


RESUMING = [
    ("--out missing", ["missing does not exist"]),
    ("--out foreign", ["foreign/run.json does not exist: is foreign the folder of a run?"]),
    ("--out text.txt", ["text.txt is no folder"]),
    ("--out run --overwrite", ["--resume goes on with a run, --overwrite replaces it"]),
    ("--out run --hidden 7", ["--hidden 7: the run in run was started with 6", "leave out --hidden"]),
    ("--out run --embedding 5", ["--embedding 5", "was started with 4"]),
    ("--out run --one-hot", ["--one-hot True", "was started with False"]),
    ("--out run --cell gru", ["--cell gru: the run in run was started with lstm"]),
    ("--out run --equations mine.txt", ["--equations 'h = tanh(W @ x + U @ h + b)'", "i = sigmoid("]),
    ("--out run --equations misspelt.txt", ["misspelt.txt, line 2"]),
    ("--out run other.txt", ["the text other.txt: the run in run was started with text.txt"]),
    ("--out run --splits 0.8,0.1,0.1", ["--splits 0.8 0.1 0.1", "was started with 0.9 0.05 0.05"]),
    ("--out run --zoneout h=0.1", ["--zoneout h=0.1", "was started with none"]),
    ("--out run --suffix .py", ["--suffix .py", "was started with none"]),
    ("--out run --clip 0", ["--clip 0.0", "was started with 1.0"]),
    ("--out run --seed 3", ["--seed 3", "was started with 0"]),
    ("--out run --streams 4", ["--streams 4", "was started with 3"]),
    ("--out run --steps -3", ["steps = -3"]),
    ("--out run --minutes -3", ["further_minutes = -3.0"]),
    ("--out run --device nonsense", ["device 'nonsense' cannot be used"]),
]


@pytest.mark.parametrize(("options", "said"), RESUMING, ids=[options for options, _ in RESUMING])
def test_what_cannot_be_resumed(gatework: Command, place: Path, options: str, said: list[str]) -> None:
    refused(gatework, place, f"train text --resume {options}", *said)


USING = [
    ("trian", ["No such command 'trian'"]),
    ("train music", ["No such command 'music'"]),
    ("train text --out new", ["no text was given"]),
    ("train text text.txt", ["Missing option", "--out", "see gatework train text --help"]),
    ("sample", ["Missing argument", "RUN"]),
    ("sample missing", ["missing does not exist"]),
    ("sample foreign", ["foreign/run.json does not exist"]),
    ("sample run/best.safetensors", ["run/best.safetensors is no model that this gatework reads"]),
    ("sample run --top-p 3", ["top-p is 3.0"]),
    ("sample run --top-k 0", ["top-k is 0"]),
    ("sample run --temperature -1", ["temperature is -1.0"]),
    ("sample run --length -1", ["length is -1"]),
    ("sample run --length many", ["'--length'", "valid integer"]),
    ("sample run --device nonsense", ["device 'nonsense' cannot be used"]),
    ("sample run --seed 99999999999999999999", ["seed is 99999999999999999999"]),
    ("score run", ["Missing argument", "FILE"]),
    ("score missing text.txt", ["missing does not exist"]),
    ("score run missing.txt", ["missing.txt does not exist"]),
    ("score run empty.txt", ["the text is empty: empty.txt"]),
    ("score run one.txt", ["one.txt is too short", "at least 2 characters, it has 1"]),
    ("score run one.txt --each", ["one.txt is too short", "at least 2 characters, it has 1"]),
    ("score run latin.txt", ["latin.txt is not UTF-8"]),
    ("score run text.txt --streams 0", ["0 streams"]),
    ("score run text.txt --each --streams 2", ["--each reads the text as one stream"]),
    ("cells lsmt", ["unknown cell 'lsmt'; closest are lstm"]),
    ("cells --backward", ["give its name"]),
    ("cells --latex", ["give its name"]),
    ("cells --constant a=1", ["--constant is about one cell", "give its name"]),
    ("cells lstm --equations mine.txt", ["give one of them"]),
    ("cells --equations misspelt.txt", ["misspelt.txt, line 2: h = >>sigmod<<"]),
    ("cells --equations missing.txt", ["cannot read missing.txt"]),
    ("verify lsmt", ["unknown cell 'lsmt'"]),
]


@pytest.mark.parametrize(("arguments", "said"), USING, ids=[arguments for arguments, _ in USING])
def test_what_the_other_commands_cannot_do(gatework: Command, place: Path, arguments: str, said: list[str]) -> None:
    refused(gatework, place, arguments, *said)


# -- files that are damaged, or not gatework's


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-9] ^= 1
    path.write_bytes(data)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def remove(path: Path) -> None:
    path.unlink()


def foreign(path: Path) -> None:
    save_file({"weight": torch.zeros(2)}, path)


class Trap:
    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        return shutil.copy, ("text.txt", "executed")


def trap(path: Path) -> None:
    path.write_bytes(pickle.dumps(Trap()))


def of_another_model(path: Path) -> None:
    values = json.loads((path.parent / "run.json").read_text())
    values["shape"]["hidden"] = 5
    (path.parent / "run.json").write_text(json.dumps(values))


CHECKPOINTS = [
    (truncate, "is damaged"),
    (flip, "does not match its digest"),
    (empty, "is damaged"),
    (foreign, "not a checkpoint that gatework wrote"),
    (trap, "is damaged or no checkpoint"),
    (of_another_model, "does not fit this model"),
]


@pytest.mark.parametrize("command", ["sample run", "score run text.txt", "train text --resume --out run --steps 9"])
@pytest.mark.parametrize(("harm", "said"), CHECKPOINTS, ids=[harm.__name__ for harm, _ in CHECKPOINTS])
def test_a_checkpoint_that_is_damaged_or_foreign(
    gatework: Command, place: Path, command: str, harm: Callable[[Path], None], said: str
) -> None:
    path = Path("run", "last.safetensors" if "--resume" in command else "best.safetensors")
    harm(path)
    refused(gatework, place, command, str(path), said)
    assert not Path("executed").exists()


@pytest.mark.parametrize("command", ["sample run", "train text --resume --out run"])
def test_a_run_without_any_checkpoint(gatework: Command, place: Path, command: str) -> None:
    for name in ("best", "last"):
        Path("run", f"{name}.safetensors").unlink()
    refused(gatework, place, command, "run/last.safetensors does not exist")


DESCRIPTIONS = [
    (b"", "run/run.json is damaged: not JSON"),
    (b"[1, 2]", "run/run.json is damaged: a JSON object is expected"),
    (b"\xff", "run/run.json is damaged: not UTF-8"),
    (b'{"format": "gatework run 99"}', "run/run.json is no run that this gatework reads"),
    (b'{"name": "another tool"}', "run/run.json is no run that this gatework reads"),
    (b'{"format": "gatework run 1", "task": "forecast"}', "run is a run of task 'forecast'"),
    (b'{"format": "gatework run 1", "task": "language"}', "run/run.json is damaged: 'cell' is missing"),
]


@pytest.mark.parametrize("command", ["sample run", "score run text.txt", "train text --resume --out run"])
@pytest.mark.parametrize(("data", "said"), DESCRIPTIONS, ids=[said for _, said in DESCRIPTIONS])
def test_a_description_that_is_damaged_or_foreign(
    gatework: Command, place: Path, command: str, data: bytes, said: str
) -> None:
    Path("run", "run.json").write_bytes(data)
    refused(gatework, place, command, said)


@pytest.mark.parametrize(
    ("name", "harm", "said"),
    [
        ("tokens.bin", truncate, "run/tokens.bin is damaged: it has 880 bytes where 900 tokens take 900"),
        ("tokens.bin", remove, "cannot read run/tokens.bin: No such file"),
        ("tokens.bin", lambda path: path.write_bytes(b"\xff" * 900), "run/tokens.bin is damaged: it holds token 255"),
        ("metrics.csv", lambda path: path.write_bytes(b"\xff\n"), "run/metrics.csv is damaged"),
        ("metrics.csv", lambda path: path.write_bytes(b"a,b\n1,2\n"), "run/metrics.csv is not the metrics"),
    ],
)
def test_what_else_a_resumed_run_needs(
    gatework: Command, place: Path, name: str, harm: Callable[[Path], None], said: str
) -> None:
    harm(Path("run", name))
    refused(gatework, place, "train text --resume --out run --steps 9", said)


# -- a full disk


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Lets no file grow above `size` bytes, as if the disk were full."""
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, former[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)


@pytest.mark.parametrize(
    ("size", "file"),
    [(600, "tokens.bin"), (1000, "run.json"), (3000, "last.safetensors")],
)
@pytest.mark.parametrize("there", [False, True])
def test_a_full_disk_at_the_start(gatework: Command, place: Path, size: int, file: str, there: bool) -> None:
    with files_of_at_most(size):
        refused(gatework, place, f"{NEW} {'--out run --overwrite' if there else ''}", "cannot write", file)


def test_a_full_disk_on_the_way_leaves_the_last_good_checkpoint(gatework: Command, place: Path) -> None:
    room = Path("run/last.safetensors").stat().st_size + 2000  # for checkpoints, not for a thousand lines of metrics
    with files_of_at_most(room):
        done = gatework(*shlex.split(NEW), "--steps", 1000, "--evaluate-every", 50, "--save-every", "0.02")
    assert done.status == 2
    assert done.err.startswith("gatework: cannot write new/metrics.csv: ")
    assert gatework("sample", "new", "--length", 3).status == 0
    step = int(Path("new/metrics.csv").read_text().splitlines()[-2].split(",")[0])
    done = gatework("train", "text", "--resume", "--out", "new", "--steps", step + 3)
    assert done.status == 0
    assert f"finished at step {step + 3}" in done.out


def test_a_full_disk_while_scoring(gatework: Command, place: Path) -> None:
    with files_of_at_most(600):
        refused(gatework, place, "score run text.txt", "cannot write")


def test_a_full_disk_while_resuming(gatework: Command, place: Path) -> None:
    with files_of_at_most(4000):
        done = gatework("train", "text", "--resume", "--out", "run", "--steps", 10)
    assert done.status == 2
    assert "cannot write run/" in done.err
    assert gatework("sample", "run", "--length", 3).status == 0
    assert gatework("train", "text", "--resume", "--out", "run").status == 0
