"""The example of a service writes what a session writes, for many clients at once, and keeps no more than it says."""

import asyncio
import contextlib
import json
import runpy
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from text_toys import start, write_text

from gatework.errors import InputError
from gatework.forecast.forecaster import Forecaster
from gatework.runtime import TextSession
from gatework.text.options import Draw

pytest.importorskip("starlette", reason="starlette is not installed")
httpx = pytest.importorskip("httpx", reason="httpx is not installed")
uvicorn = pytest.importorskip("uvicorn", reason="uvicorn is not installed")

SERVE: dict[str, Any] = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "serve.py"))
CLIENTS = 200
PATIENCE = 30.0  # seconds until a test fails that waits for something
ENDLESS = 1 << 40  # tokens


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    start(folder / "run", write_text(folder))
    return folder / "run"


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("series") / "run"
    values = np.array([10 + k % 4 + 0.1 * (k % 3) for k in range(40)])
    Forecaster(horizon=3, season=4, members=1, hidden=2, steps=2, levels=(80,)).fit(values).save(folder)
    return folder


@contextlib.contextmanager
def served(*services: Any) -> Iterator[str]:
    """The address of an application that uvicorn serves on a free port; it accepts from the beginning."""
    with socket.create_server(("127.0.0.1", 0), backlog=CLIENTS) as door:
        config = uvicorn.Config(SERVE["application"](*services), log_level="error", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [door]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{door.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(PATIENCE)
            assert not thread.is_alive()


@pytest.fixture(scope="module")
def address(run: Path, series: Path) -> Iterator[str]:
    limits = SERVE["Limits"](length=ENDLESS)
    with served(SERVE["TextService"](str(run), limits), SERVE["ForecastService"](str(series))) as address:
        yield address


def events(answer: str) -> list[tuple[str, str]]:
    """The events of an answer: kind and data."""
    lines = [event.split("\n") for event in answer.split("\n\n")[:-1]]
    return [(kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for kind, data in lines]


def written(answer: Any) -> str:
    """The text of an answer that came whole."""
    assert answer.status_code == 200, answer.text
    *texts, last = events(answer.text)
    assert last == ("end", "")
    assert {kind for kind, _ in texts} <= {"text"}
    return "".join(data for _, data in texts)


def refusal(answer: Any) -> str:
    assert answer.status_code == 400
    return answer.json()["error"]


def status(address: str) -> dict[str, int]:
    return httpx.get(f"{address}/status").json()


KILLED = """
import sys, httpx
with httpx.stream("GET", sys.argv[1], timeout=None) as answer:
    for line in answer.iter_lines():
        print(line, flush=True)
"""


def test_200_clients_at_once_get_their_texts_though_one_is_killed(run: Path, address: str) -> None:
    url = f"{address}/text?prompt=ab&length={ENDLESS}&seed=1&client=killed"
    killed = subprocess.Popen([sys.executable, "-c", KILLED, url], stdout=subprocess.PIPE)
    assert killed.stdout is not None
    assert killed.stdout.readline() == b"event: text\n"
    encryption = ssl.create_default_context()  # which nobody uses, made once
    writing = []

    async def ask(k: int) -> str:
        wish = {"prompt": "ab", "length": 20 + k % 7, "seed": k, "client": f"client {k}"}
        async with httpx.AsyncClient(timeout=PATIENCE, verify=encryption) as client:
            answer = await client.get(f"{address}/text", params=wish)
            if k == CLIENTS // 2:
                writing.append((await client.get(f"{address}/status")).json()["writing"])
                killed.kill()
        return written(answer)

    async def ask_all() -> list[str]:
        return await asyncio.gather(*map(ask, range(CLIENTS)))

    session = TextSession(run)
    assert asyncio.run(ask_all()) == [session.sample("ab", 20 + k % 7, seed=k) for k in range(CLIENTS)]
    killed.communicate()
    assert writing[0] >= 1, "it was done before it was killed"
    until = time.monotonic() + PATIENCE
    while status(address)["writing"]:
        assert time.monotonic() < until, "what the killed client asked for is still written"
    assert "no text of client 'killed' waits to go on" in refusal(httpx.get(f"{address}/text?client=killed"))


@pytest.mark.parametrize("temperature", [0, 0.7])
def test_a_text_that_is_gone_on_with_is_one_text(run: Path, address: str, temperature: float) -> None:
    begun = {"prompt": "ab", "length": 13, "seed": 5, "temperature": temperature, "client": "me"}
    with httpx.Client(base_url=address, timeout=PATIENCE) as client:
        parts = [written(client.post("/text", json=begun))]
        client.get("/text", params={"prompt": "cd", "client": "someone else"})
        parts += [written(client.get("/text", params={"client": "me", "length": length})) for length in (0, 1, 30)]
        again = written(client.post("/text", json=begun | {"length": 44}))
    whole = TextSession(run).sample("ab", 44, draw=Draw(temperature=temperature), seed=5)
    assert "".join(parts) == again == whole
    assert [len(part) for part in parts] == [13, 0, 1, 30]


def test_texts_that_wait_are_bounded_in_number_and_time() -> None:
    now = [0.0]
    kept = SERVE["Kept"](SERVE["Limits"](clients=3, minutes=1), lambda: now[0])
    for name in "abcd":
        kept.put(name, iter(name))
        now[0] += 10
    assert [kept.take(name) for name in "a"] == [None], "that of the longest wait makes way"
    kept.put("b", iter("B"))  # asked for again, at 40
    assert len(kept.texts) == 3
    now[0] = 95.0  # c waits since 20, d since 30
    assert [list(kept.take(name) or "") for name in "bcd"] == [["B"], [], []]
    assert not kept.texts


def test_a_service_keeps_no_more_texts_than_it_may(run: Path) -> None:
    with served(SERVE["TextService"](str(run), SERVE["Limits"](clients=2))) as address:
        for name in "abc":
            written(httpx.get(f"{address}/text?prompt=a&length=3&client={name}"))
        written(httpx.get(f"{address}/text?prompt=a&length=3"))
        assert status(address) == {"writing": 0, "kept": 2}
        assert "begin one with a prompt" in refusal(httpx.get(f"{address}/text?client=a"))
        assert len(written(httpx.get(f"{address}/text?client=b&length=4"))) == 4


def test_a_score_is_the_sessions(run: Path, address: str) -> None:
    text = "abcd\nfe" * 30
    answer = httpx.post(f"{address}/score", json={"text": text}).json()
    assert answer["bits_per_character"] == pytest.approx(TextSession(run).score(text).bits_per_character)
    assert answer["tokens"] == len(text) - 1


def test_a_forecast_is_the_runs_with_and_without_new_rows(series: Path, address: str) -> None:
    forecaster = Forecaster.load(series)
    for rows in ([], [{"y": 12.5}, {"y": 11.0}]):
        (made,) = httpx.post(f"{address}/forecast", json={"rows": rows}).json()["forecasts"]
        (expected,) = forecaster.forecasts(rows or None)
        low, high = expected.band(80)
        assert made["times"] == [str(each) for each in expected.times]
        for values, wanted in ((made["forecast"], expected.median), (made["bands"]["80"], [low, high])):
            np.testing.assert_allclose(values, wanted, rtol=1e-6)


REFUSED = [
    ("text", {"prompt": "a", "length": -1}, "length is -1; expected 0 to"),
    ("text", {"prompt": "a", "length": "many"}, "length is 'many'; expected a whole number"),
    ("text", {"prompt": "a", "length": 2.5}, "length is 2.5; expected a whole number"),
    ("text", {"prompt": "a", "length": True}, "length is True; expected a whole number"),
    ("text", {"prompt": "a", "temperature": -1}, "temperature is -1.0; expected 0"),
    ("text", {"prompt": "a", "temperature": "nan"}, "temperature is nan; expected 0"),
    ("text", {"prompt": "a", "seed": -3}, "seed is -3; expected a whole number of 0 or more"),
    ("text", {"prompt": ["a"]}, "prompt is ['a']; expected text"),
    ("text", {"prompt": "a", "lenght": 3}, "'lenght' is unknown; expected prompt, length"),
    ("text", {"prompt": "a", "condition": "x"}, "condition 'x': the model was trained on a text without any"),
    ("text", {"client": "nobody"}, "no text of client 'nobody' waits to go on"),
    ("text", {"client": "me", "seed": 3}, "leave out temperature and seed"),
    ("score", {"text": 3}, "text is 3; expected text"),
    ("score", {"text": "a"}, "the text"),
    ("score", {"text": "a" * (1 << 20)}, "more than 1,048,576 bytes"),
    ("score", ["a"], "the request is list in JSON; expected an object"),
    ("forecast", {"rows": "/etc/passwd"}, "rows is '/etc/passwd'; expected a list of rows"),
    ("forecast", {"rows": [{"y": "much"}]}, "much"),
]


@pytest.mark.parametrize(("path", "wish", "says"), REFUSED)
def test_what_cannot_be_answered_is_refused_in_a_line(address: str, path: str, wish: Any, says: str) -> None:
    error = refusal(httpx.post(f"{address}/{path}", json=wish))
    assert says in error
    assert "\n" not in error


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[" * 100_000], ids=["cut", "not UTF-8", "deep"])
def test_what_is_no_json_is_refused(address: str, content: bytes) -> None:
    assert "the request is no JSON" in refusal(httpx.post(f"{address}/text", content=content))


def test_a_prompt_has_a_bound(run: Path) -> None:
    with served(SERVE["TextService"](str(run), SERVE["Limits"](length=5))) as address:
        assert "prompt has 6 characters; expected 5 or fewer" in refusal(
            httpx.get(f"{address}/text?prompt=abcdef&length=1")
        )
        assert "length is 6; expected 0 to 5" in refusal(httpx.get(f"{address}/text?prompt=a&length=6"))


def test_a_text_that_fails_ends_with_its_error(run: Path) -> None:
    service = SERVE["TextService"](str(run))

    def fails(ids: Any, state: Any) -> Any:
        raise InputError("the weights overflow")

    service.writer.predict = fails
    with served(service) as address:
        answer = httpx.get(f"{address}/text?prompt=a&client=me")
        assert events(answer.text) == [("error", "the weights overflow")]
        assert status(address) == {"writing": 0, "kept": 0}


def test_text_needs_no_torch(run: Path) -> None:
    code = f"""
import runpy, sys
serve = runpy.run_path({str(Path(__file__).parents[2] / "examples" / "serve.py")!r})
service = serve["TextService"]({str(run)!r})
assert "".join(service.writer.text(serve["Wish"]("ab", 5))), "nothing was written"
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
