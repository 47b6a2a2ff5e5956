"""Commands whose options are fields of dataclasses: what typer reads of a field, and what was given for it."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, dataclass
from functools import wraps
from inspect import Parameter, signature
from typing import Annotated, Any, Generic, TypeVar, get_args, get_origin

import typer

from gatework.cells import Cell
from gatework.cli.arguments import CELL, Constants, Equations
from gatework.cli.values import SPELLINGS, Spelling, by_name, chosen_cell, rules, shown
from gatework.errors import InputError
from gatework.options import Option, Switch, alternatives, option, options_of

T = TypeVar("T")
Given = Mapping[str, Any]  # what the command line has, by the name of the parameter


@dataclass(frozen=True)
class CellChoice:
    """The cell of a command that asks for one."""

    cell: Cell = option(None)


def _as_given(_: str, value: Any) -> Any:
    return value


def _as_is(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Asked:
    """An option of the command line that says something of a field.

    read: what was given for it, as a value to compare; view: the same of a value of the field.
    """

    parameter: Parameter
    read: Callable[[Given], Any]
    view: Callable[[Any], Any] = _as_is

    @property
    def name(self) -> str:
        """As users write it."""
        return "--" + self.parameter.name.replace("_", "-")


@dataclass(frozen=True)
class Form:
    """How the command line asks for a field: its options, and the value that they make together."""

    asked: tuple[Asked, ...]
    value: Callable[[Given, frozenset[str]], Any]  # from what is given, and the names of what is not by default


class Chosen(Generic[T]):
    """The options of a dataclass as a command line gave them."""

    def __init__(self, kind: type[T], raw: Given, named: Iterable[str]) -> None:
        self.kind, self.raw, self.named, self.forms = kind, raw, frozenset(named), _forms(kind)

    def values(self) -> dict[str, Any]:
        """The fields' values."""
        return {field: form.value(self.raw, self.named) for field, form in self.forms.items()}

    def made(self, **others: Any) -> T:
        """The dataclass; others: fields that the command line does not have as options."""
        return self.kind(**(self.values() | others))

    def changes(self) -> dict[str, Any]:
        """The values of those fields of which something was said."""
        return {
            field: form.value(self.raw, self.named)
            for field, form in self.forms.items()
            if any(asked.parameter.name in self.named for asked in form.asked)
        }

    def refuse_other(self, begun: T, why: Callable[[str, str], str], free: Iterable[str] = ()) -> None:
        """Raises InputError for the first option that says something else than a run was begun with.

        why: what the error says, from the option and what was begun with. free: fields that may be otherwise.
        """
        for field, form in self.forms.items():
            for asked in form.asked if field not in free else ():
                if asked.parameter.name in self.named:
                    was, now = asked.view(getattr(begun, field)), asked.read(self.raw)
                    if isinstance(was, dict) and isinstance(now, dict) and asked.parameter.name == "constant":
                        now = was | now  # those of the cell that are not named stay as they are
                    if now != was:
                        raise InputError(f"{asked.name} {shown(now)}: {why(asked.name, shown(was))}")


CHANGEABLE = ("epochs", "steps", "minutes", "patience")  # with --resume


def lengthened(options: Chosen[Any], named: set[str]) -> dict[str, Any]:
    """What a command says of a run that goes on with what it was started with: only its length may change."""
    if other := sorted(named - {*CHANGEABLE, "out", "resume", "device"}):
        option = "FILE" if other[0] == "file" else "--" + other[0].replace("_", "-")
        raise InputError(
            f"{option}: a run goes on with what it was started with; leave {option} out, or start a new run in another "
            "folder"
        )
    return options.changes()


# -- what a command asks for


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """A command that has, in the place of each argument Chosen[K], the options of the dataclass K."""
    arguments = signature(command).parameters
    kinds = {
        name: get_args(each.annotation)[0] for name, each in arguments.items() if get_origin(each.annotation) is Chosen
    }

    @wraps(command)
    def asked(context: typer.Context, **raw: Any) -> None:
        named = named_in(context)
        chosen = {}
        for name, kind in kinds.items():
            own = {each.name: raw.pop(each.name) for each in _parameters(kind)}
            chosen[name] = Chosen(kind, own, named & own.keys())
        if "context" in arguments:
            raw["context"] = context
        command(**raw, **chosen)

    parameters = [Parameter("context", Parameter.KEYWORD_ONLY, annotation=typer.Context)]
    for name, each in arguments.items():
        if name == "context":
            continue
        parameters += _parameters(kinds[name]) if name in kinds else [each.replace(kind=Parameter.KEYWORD_ONLY)]
    asked.__signature__ = signature(command).replace(parameters=parameters)  # type: ignore[attr-defined]
    asked.__annotations__ = {each.name: each.annotation for each in parameters}
    return asked


def named_in(context: typer.Context) -> set[str]:
    """The names of the arguments that the command line sets."""
    return {
        name
        for name in context.params
        if (source := context.get_parameter_source(name)) is not None and source.name == "COMMANDLINE"
    }


def _parameters(kind: type) -> list[Parameter]:
    return [asked.parameter for form in _forms(kind).values() for asked in form.asked]


def _forms(kind: type) -> dict[str, Form]:
    """How the command line asks for each field of an options' dataclass that it has."""
    form_of = {field.name: _form(field, hint, known) for field, hint, known in options_of(kind)}
    return {name: form for name, form in form_of.items() if form.asked}


def _form(field: Field[Any], hint: Any, known: Option) -> Form:
    """The options of one field: one that has its value, if it has a help, and its switches."""
    if Cell in alternatives(hint):
        return Form(_CELL, _cell)
    if hint == Mapping[str, Any] | None:
        return Form(_RECURRENT, _recurrent)
    if hint is bool and known.help:
        known = Option(switches=(Switch((known.name or field.name).replace("_", "-"), not field.default, known.help),))
    switches = {each.name.replace("-", "_"): each for each in known.switches}
    main, meant = _main(field, hint, known) if known.help else (None, lambda _: _default(field))

    def value(raw: Given, named: frozenset[str]) -> Any:
        for name, switch in switches.items():
            if raw[name]:
                if main is not None and main.parameter.name in named:
                    raise InputError(f"--{switch.name} and {main.name} {shown(main.read(raw))}: give one of them")
                return switch.value
        return meant(raw)

    asked = [_switch(name, each) for name, each in switches.items()]
    return Form((*([] if main is None else [main]), *asked), value)


def _default(field: Field[Any]) -> Any:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return Parameter.empty if field.default is MISSING else field.default


def _switch(name: str, switch: Switch) -> Asked:
    annotation = Annotated[bool, typer.Option(f"--{switch.name}", help=switch.help)]
    return Asked(_parameter(name, annotation, False), lambda raw: raw[name], lambda value: value == switch.value)


def _main(field: Field[Any], hint: Any, known: Option) -> tuple[Asked, Callable[[Given], Any]]:
    """The option that has a field's value, and what is meant by what is given for it."""
    name, *other = (known.name or field.name).split("/")  # "documents/plain" is --documents/--plain
    default, off = _default(field), known.off
    spelling = SPELLINGS.get(hint, Spelling(hint, _as_given, _as_is))
    kind = spelling.kind if off is None else alternatives(hint)[0]
    about = typer.Option(*([f"--{name}/--{other[0]}"] if other else []), help=known.help, metavar=known.metavar)
    about.show_default = not other
    written = default if default is Parameter.empty else spelling.write(default)
    option_name = "--" + name.replace("_", "-")

    def meant(raw: Given) -> Any:
        return None if off is not None and raw[name] == off else spelling.read(option_name, raw[name])

    def view(value: Any) -> Any:
        return off if value is None and off is not None else value

    return Asked(_parameter(name, Annotated[kind, about], written), lambda raw: view(meant(raw)), view), meant


def _parameter(name: str, annotation: Any, default: Any = None) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _cell(raw: Given, named: frozenset[str]) -> Cell:
    if "cell" in named and raw["equations"] is not None:
        raise InputError(f"--cell {raw['cell']} and --equations {raw['equations']}: give one of them")
    return chosen_cell(raw["cell"], raw["equations"], raw["constant"])


_CELL = (
    Asked(_parameter("cell", Annotated[str, CELL], "lstm"), lambda raw: raw["cell"], lambda cell: cell.name),
    Asked(_parameter("equations", Equations), lambda raw: _cell(raw, frozenset())),
    Asked(
        _parameter("constant", Constants),
        lambda raw: by_name("--constant", raw["constant"]),
        lambda cell: dict(cell.constants),
    ),
)


def _recurrent(raw: Given, _: frozenset[str]) -> dict[str, Any] | None:
    values = {each.parameter.name: each.read(raw) for each in _RECURRENT}
    return {name: value for name, value in values.items() if value} or None


def _listed(name: str, read: Callable[[str, Any], Any], help: str) -> Asked:
    annotation = Annotated[list[str] | None, typer.Option(help=help)]
    option_name = "--" + name.replace("_", "-")
    return Asked(_parameter(name, annotation), lambda raw: read(option_name, raw[name]))


_RECURRENT = (
    _listed("recurrent_dropout", by_name, "Inside the cell, by value: g=0.1"),
    _listed("zoneout", by_name, "States that stand still at random: h=0.05"),
    _listed("init", rules, "How weights start: torch, chrono(100), ..., or by name: 'b_f=1'."),
)
