"""A small service of trained models: text as server-sent events, scores and forecasts as JSON.

By Starlette on uvicorn: the smallest maintained framework that streams, and stops writing when a client goes away.
Run: python examples/serve.py --text runs/demo --series runs/air; needs pip install 'gatework[serve]'.

    curl -N 'localhost:8000/text?prompt=def%20&length=200&temperature=0.8&seed=4&client=me'
    curl -N 'localhost:8000/text?client=me&length=100'        the text of that client goes on
    curl localhost:8000/score -d '{"text": "def f(self):"}'
    curl localhost:8000/forecast -d '{"rows": [{"ds": "1961-01", "y": 450}]}'
    curl localhost:8000/status

None of it needs torch. What cannot be answered is {"error": ...} with status 400; a text that fails later ends with an
event "error", any other with an event "end".
"""

import argparse
import json
import os
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from itertools import islice
from queue import SimpleQueue
from typing import Any, TypeVar, get_args

import uvicorn
from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from gatework import InputError
from gatework.runtime import ForecastSession, Model, TextSession
from gatework.text.options import Draw
from gatework.text.writing import write

MOST_BYTES = 1 << 20  # of a request
TOGETHER = 8  # tokens that a thread writes before another client's turn, and an event of text has
ENDLESS = 1 << 62  # tokens of a text that a client may go on with
WANTED = {str: "text", int: "a whole number", float: "a number", list: "a list of rows"}


@dataclass(frozen=True)
class Limits:
    """How many clients' texts are kept to go on with, for how long after their last request; tokens read or written."""

    clients: int = 1000
    minutes: float = 30.0
    length: int = 10_000


@dataclass(frozen=True)
class Wish:
    """What a client asks for: `gatework sample` has the same options.

    client: a name of its own choice, under which its text is kept with the model's states and the draws. With a prompt
    a text begins, without one the text of that name goes on, as one text.
    """

    prompt: str = ""
    length: int = 200
    temperature: float = Draw.temperature
    seed: int | None = None
    condition: str | None = None
    client: str = ""


@dataclass(frozen=True)
class ToScore:
    """A text, of which is asked how well the model knows it."""

    text: str = ""


@dataclass(frozen=True)
class ToForecast:
    """Rows that came after those of the training, a JSON object each: see Forecaster.predict."""

    rows: list = field(default_factory=list)


class Writer:
    """A language model that writes several texts at once: each token borrows one of its sessions."""

    def __init__(self, run: str, threads: int) -> None:
        model = Model.open(run)
        self.idle = SimpleQueue[TextSession]()
        for _ in range(threads):
            self.idle.put(session := TextSession(model))
        self.vocabulary = session.vocabulary

    @contextmanager
    def session(self) -> Iterator[TextSession]:
        """A session that no other thread uses meanwhile."""
        session = self.idle.get()
        try:
            yield session
        finally:
            self.idle.put(session)

    def predict(self, ids: Any, state: Any) -> Any:
        with self.session() as session:
            return session.predict(ids, state)

    def text(self, wish: Wish) -> Iterator[str]:
        """Yields its tokens, as `TextSession.stream` does; without an end where the client may go on."""
        draw, length = Draw(temperature=wish.temperature), ENDLESS if wish.client else wish.length
        begin = {"prompt": wish.prompt, "condition": wish.condition}
        return write(self.predict, self.vocabulary, length=length, draw=draw, seed=wish.seed, **begin)

    def score(self, text: str) -> dict[str, Any]:
        with self.session() as session:
            return session.score(text).to_json()


class Kept:
    """Texts by client: those asked for longest ago make way, and all that have waited too long.

    A text is taken out while it is written, and comes back when the request has ended; one that is broken off does not.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits, self.clock = limits, clock
        self.texts: OrderedDict[str, tuple[float, Iterator[str]]] = OrderedDict()  # that of the longest wait first

    def put(self, client: str, text: Iterator[str]) -> None:
        self.texts.pop(client, None)
        self.texts[client] = self.clock(), text
        self.tidy()

    def take(self, client: str) -> Iterator[str] | None:
        self.tidy()
        return self.texts.pop(client, (0, None))[1]

    def tidy(self) -> None:
        oldest = self.clock() - 60 * self.limits.minutes
        while self.texts and (len(self.texts) > self.limits.clients or next(iter(self.texts.values()))[0] < oldest):
            self.texts.popitem(last=False)


class TextService:
    """What is asked of a language model."""

    def __init__(self, run: str, limits: Limits = Limits(), threads: int = os.cpu_count() or 1) -> None:
        self.writer, self.limits, self.kept = Writer(run, threads), limits, Kept(limits)
        self.threads = CapacityLimiter(threads)
        self.writing = 0

    async def write(self, request: Request) -> Response:
        wish = await read(request, Wish)
        most = self.limits.length
        if not 0 <= wish.length <= most:
            raise InputError(f"length is {wish.length}; expected 0 to {most} tokens")
        if len(wish.prompt) > most:
            raise InputError(f"prompt has {len(wish.prompt)} characters; expected {most} or fewer")
        text = self.gone_on(wish) if wish.client and not wish.prompt else self.writer.text(wish)
        headers = {"Cache-Control": "no-store"}
        return StreamingResponse(self.events(wish, text), media_type="text/event-stream", headers=headers)

    def gone_on(self, wish: Wish) -> Iterator[str]:
        """The text of a client, to go on with."""
        if wish != Wish(length=wish.length, client=wish.client):
            raise InputError("a text goes on as it was begun: leave out temperature and seed, or give a prompt")
        text = self.kept.take(wish.client)
        if text is None:
            raise InputError(f"no text of client {wish.client!r} waits to go on: begin one with a prompt")
        return text

    async def events(self, wish: Wish, text: Iterator[str]) -> AsyncIterator[str]:
        """The text as events, a few tokens each; it stops between two of them when the client goes away."""
        self.writing += 1
        try:
            part = islice(text, wish.length) if wish.client else text
            while tokens := await self.in_thread(list, islice(part, TOGETHER)):
                yield event("text", "".join(tokens))
            if wish.client:
                self.kept.put(wish.client, text)
            yield event("end", "")
        except InputError as error:
            yield event("error", str(error))
        finally:
            self.writing -= 1

    async def score(self, request: Request) -> Response:
        wish = await read(request, ToScore)
        return JSONResponse(await self.in_thread(self.writer.score, wish.text))

    async def status(self, _request: Request) -> Response:
        return JSONResponse({"writing": self.writing, "kept": len(self.kept.texts)})

    async def in_thread(self, call: Callable[..., Any], *arguments: Any) -> Any:
        return await to_thread.run_sync(call, *arguments, limiter=self.threads)

    def routes(self) -> list[Route]:
        return [
            Route("/text", self.write, methods=["GET", "POST"]),
            Route("/score", self.score, methods=["POST"]),
            Route("/status", self.status),
        ]


class ForecastService:
    """What is asked of a run of series, one request after another."""

    def __init__(self, run: str) -> None:
        self.forecaster, self.one = ForecastSession(run).forecaster, CapacityLimiter(1)

    async def forecast(self, request: Request) -> Response:
        wish = await read(request, ToForecast)
        made = await to_thread.run_sync(self.forecaster.forecasts, wish.rows or None, limiter=self.one)
        return JSONResponse({"forecasts": [self.as_json(each) for each in made]})

    def as_json(self, forecast: Any) -> dict[str, Any]:
        """Times, the median, and the borders of each band by its level in percent."""
        bands = {f"{level:g}": [border.tolist() for border in forecast.band(level)] for level in self.forecaster.bands}
        times = [str(each) for each in forecast.times]
        return {"id": forecast.id, "times": times, "forecast": forecast.median.tolist(), "bands": bands}

    def routes(self) -> list[Route]:
        return [Route("/forecast", self.forecast, methods=["GET", "POST"])]


def event(kind: str, data: str) -> str:
    """A server-sent event; its data are a JSON string, so that new lines in it stay."""
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n"


W = TypeVar("W")


async def read(request: Request, wish: type[W]) -> W:
    """What is asked for, from the address or a JSON object; raises InputError for what does not fit."""
    values = dict(request.query_params) if request.method == "GET" else as_object(await body(request))
    kinds = {each.name: (get_args(each.type) or [each.type])[0] for each in fields(wish)}
    if unknown := sorted(values.keys() - kinds.keys()):
        raise InputError(f"{unknown[0]!r} is unknown; expected {', '.join(kinds)}")
    return wish(**{name: converted(name, value, kinds[name]) for name, value in values.items()})


async def body(request: Request) -> bytes:
    """The body of a request, MOST_BYTES of it at most."""
    read = b""
    async for part in request.stream():
        read += part
        if len(read) > MOST_BYTES:
            raise InputError(f"a request has more than {MOST_BYTES:,} bytes: send less at once")
    return read


def as_object(text: bytes) -> dict[str, Any]:
    """A JSON object; nothing is an empty one."""
    try:
        values = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise InputError(f"the request is no JSON: {error}") from error
    if not isinstance(values, dict):
        raise InputError(f"the request is {type(values).__name__} in JSON; expected an object")
    return values


def converted(name: str, value: Any, kind: type) -> Any:
    """A value as it is wanted: numbers may come as text, whole numbers for others."""
    try:
        made = kind(value) if type(value) in (str, int) and kind in (int, float) else value
    except (ValueError, OverflowError):
        made = None
    if type(made) is not kind:
        raise InputError(f"{name} is {value!r}; expected {WANTED[kind]}")
    return made


async def refused(_request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, status_code=400)


def application(*services: TextService | ForecastService) -> Starlette:
    """What uvicorn serves."""
    routes = [route for service in services for route in service.routes()]
    return Starlette(routes=routes, exception_handlers={InputError: refused})


def main() -> None:
    parser = argparse.ArgumentParser(description="Serves trained models: text, scores, forecasts.")
    parser.add_argument("--text", metavar="RUN", help="a run of `gatework train text`, or a file exported from it")
    parser.add_argument("--series", metavar="RUN", help="a run of `gatework train series`; needs torch")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    for each in fields(Limits):
        parser.add_argument(f"--{each.name}", type=each.type, default=each.default, help=f"default: {each.default}")
    options = parser.parse_args()
    limits = Limits(**{each.name: getattr(options, each.name) for each in fields(Limits)})
    services = [TextService(options.text, limits)] if options.text else []
    services += [ForecastService(options.series)] if options.series else []
    if not services:
        parser.error("expected --text RUN, --series RUN or both")
    uvicorn.run(application(*services), host=options.host, port=options.port)


if __name__ == "__main__":
    main()
