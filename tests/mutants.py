"""Changes the source of a room in small ways, one at a time, and counts how many the room's tests notice.

`make mutants ROOM=notation` draws COUNT of the room's mutants with SEED, has mutmut run the tests that reach each,
prints the share killed and writes the survivors as diffs. Rooms are listed in pyproject.toml, under tool.mutants;
mutants that no test can kill, since they change nothing that can be seen, in mutants_equivalent.toml with the reason.
"""

import argparse
import gc
import os
import random
import shutil
import sys
import sysconfig
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import _lru_cache_wrapper
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
EQUIVALENT = Path(__file__).with_name("mutants_equivalent.toml")
BESIDE = ("native", "docs", "examples", "README.md", "CHANGELOG.md", "pyproject.toml")  # what tests read
PRELOADED = ("torch", "numpy", "rich", "typer", "narwhals")
FAILED: set[str] = set()  # tests
CACHES = pytest.StashKey[list[Any]]()
UNSEEN = {"survived", "no tests", "not checked", "not run"}  # all else is seen: a failure, no end, a crash
REFUSED = 255  # the exit code where mutmut's runner raised before any test ran
SETTINGS = """[mutmut]
source_paths=src
only_mutate=
    {code}
pytest_add_cli_args_test_selection=
    {tests}
pytest_add_cli_args=
    -p
    no:cacheprovider
    -p
    no:xdist
    -p
    mutants
also_copy=
    {beside}
process_isolation=forkserver
forkserver_warmup={warmup}
preload_modules_file=preload.txt
use_git_change_detection=false
timeout_multiplier=10
timeout_constant=20
"""


def gathering() -> bool:
    """Whether mutmut notes which test reaches what."""
    return os.environ.get("MUTANT_UNDER_TEST") == "stats"


def pytest_configure(config: pytest.Config) -> None:
    if gathering():
        config.option.maxfail = 0  # mutmut ends at the first failure; see pytest_sessionfinish


def pytest_collection_finish(session: pytest.Session) -> None:
    """What runs while test modules are imported is held by every test, not by the first alone."""
    from mutmut.state import state  # noqa: PLC0415 - this module is a plugin of the runs that mutmut starts

    for function in state()._stats:
        state().tests_by_mangled_function_name[function] |= {item.nodeid for item in session.items}
    state()._stats.clear()
    session.config.stash[CACHES] = [
        each
        for each in gc.get_objects()
        if type(each) is _lru_cache_wrapper and str(getattr(each, "__module__", "")).startswith("gatework")
    ]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """No test finds the answer of one before it, which would hide what it reaches."""
    if gathering():
        for each in item.config.stash[CACHES]:
            each.cache_clear()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed:
        FAILED.add(report.nodeid)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Leaves out what fails with nothing changed, and names it: such tests see mutmut's own calls and functions."""
    from mutmut.state import state  # noqa: PLC0415

    if gathering() and exitstatus == pytest.ExitCode.TESTS_FAILED:
        for tests in state().tests_by_mangled_function_name.values():
            tests.difference_update(FAILED)
        print("left out, since they fail in mutmut's copy:", *sorted(FAILED), sep="\n  ", file=sys.__stderr__)
        session.exitstatus = pytest.ExitCode.OK


@dataclass(frozen=True)
class Mutant:
    """One change: its name for mutmut, what became of it, and its diff."""

    name: str
    status: str
    diff: str

    @property
    def change(self) -> tuple[str, str, str]:
        """The function, the lines taken out and the lines put in, which outlive a move of the function."""
        lines = [line for line in self.diff.splitlines() if not line.startswith(("---", "+++"))]
        out, into = ("\n".join(line[1:].strip() for line in lines if line[:1] == sign) for sign in "-+")
        return self.name.partition("__mutmut_")[0], out, into


def rooms() -> dict[str, dict[str, Any]]:
    made: dict[str, dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mutants"]
    return made


def workplace(name: str, room: Mapping[str, Any]) -> Path:
    """The folder in which mutmut works on a room; its settings are written anew, its results are kept."""
    folder = ROOT / "build" / "mutants" / name
    folder.mkdir(parents=True, exist_ok=True)
    for each in ("src", "tests", *BESIDE):
        if not (folder / each).is_symlink():
            (folder / each).symlink_to(ROOT / each)
    lists = {"beside": BESIDE, **{key: room[key] for key in ("code", "tests")}}
    lines = {key: "\n    ".join(values) for key, values in lists.items()}
    settings = SETTINGS.format(warmup="import" if room.get("fresh") else "collect", **lines)
    (folder / "setup.cfg").write_text(settings)
    (folder / "preload.txt").write_text("\n".join(PRELOADED))
    return folder


def import_mutants_only(folder: Path) -> None:
    """Has `import gatework` find the mutated copy beside the compiled core, not the editable install."""
    copy = folder / "mutants" / "src" / "gatework" / "core"
    copy.mkdir(parents=True, exist_ok=True)
    for core in Path(sysconfig.get_path("platlib"), "gatework", "core").glob("_native*"):
        shutil.copy2(core, copy)
    sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in type(finder).__module__]


def mutmut_in(folder: Path) -> ModuleType:
    """mutmut, which takes its settings from the current folder: without its spinners, the quickest tests first.

    Nor does it run the room's tests twice more before it starts: gathering which test reaches what has run them.
    """
    os.chdir(folder)
    import mutmut.__main__ as tool  # noqa: PLC0415

    gather = tool.collect_or_load_stats

    def gather_in_order(*args: object, **options: object) -> None:
        gather(*args, **options)
        stats = tool.state()
        for function, tests in stats.tests_by_mangled_function_name.items():
            stats.tests_by_mangled_function_name[function] = sorted(tests, key=stats.duration_by_test.__getitem__)

    tool.collect_or_load_stats = gather_in_order
    tool.print_status = lambda *_, **__: None
    tool.run_forced_fail_test = lambda _: None
    tool.tests_for_mutant_names = lambda _: {"--version"}
    return tool


def drawn(tool: ModuleType, count: int, seed: int) -> list[str]:
    """The names of mutants: a larger count goes on where a smaller one ended."""
    found, _ = tool.collect_source_file_mutation_data(mutant_names=())
    names = sorted(name for _, name, _ in found)
    random.Random(seed).shuffle(names)
    return names[:count] if count else names


def outcomes(tool: ModuleType, names: Sequence[str], fresh: bool) -> list[Mutant]:
    """What became of mutants; in a room that is imported anew for each, one that cannot be imported is noticed."""
    every, _ = tool.collect_source_file_mutation_data(mutant_names=())
    codes = {name: code for _, name, code in every if name in names}
    refused = "killed" if fresh else "not run"
    if set(codes.values()) == {REFUSED}:
        raise SystemExit(f"no test ran: `debug = true` in {Path.cwd() / 'setup.cfg'} shows why")
    status = {name: refused if codes[name] == REFUSED else tool.status_by_exit_code[codes[name]] for name in names}
    return [
        Mutant(name, what, tool.get_diff_for_mutant(name) if what in UNSEEN else "") for name, what in status.items()
    ]


def report(room: str, mutants: Sequence[Mutant], folder: Path) -> str:
    """The share in one line; the survivors, equivalent ones apart, go to survivors.txt."""
    known = {(e["function"], e["out"], e["in"]) for e in tomllib.loads(EQUIVALENT.read_text()).get("mutant", [])}
    left = [mutant for mutant in mutants if mutant.status in UNSEEN]
    survivors = [mutant for mutant in left if mutant.change not in known]
    (folder / "survivors.txt").write_text("\n".join(f"# {m.name}: {m.status}\n{m.diff}" for m in survivors))
    killed, equivalent = len(mutants) - len(left), len(left) - len(survivors)
    share = killed / max(1, killed + len(survivors))
    return (
        f"{room}: {killed} of {killed + len(survivors)} mutants killed, {share:.1%}; {equivalent} more change nothing; "
        f"survivors in {folder.relative_to(ROOT) / 'survivors.txt'}"
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("room")
    options.add_argument("--count", type=int, default=100, help="how many mutants are drawn; 0 for all")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--jobs", type=int, default=2)
    options.add_argument("--again", action="store_true", help="of those drawn only the ones not killed yet")
    chosen = options.parse_args()
    room = rooms().get(chosen.room)
    if room is None:
        raise SystemExit(f"ROOM={chosen.room}: there are {', '.join(rooms())}")
    folder, fresh = workplace(chosen.room, room), room.get("fresh", False)
    import_mutants_only(folder)
    sys.setrecursionlimit(4 * sys.getrecursionlimit())  # mutmut's calls stand between the room's own
    tool = mutmut_in(folder)
    with tool.CatchOutput():
        tool.copy_src_dir()
        tool.create_mutants(chosen.jobs)
    names = drawn(tool, chosen.count, chosen.seed)
    left = [m.name for m in outcomes(tool, names, fresh) if m.status in UNSEEN] if chosen.again else names
    if left:
        tool._run(left, chosen.jobs)
    print(report(chosen.room, outcomes(tool, names, fresh), folder))


if __name__ == "__main__":
    main()
