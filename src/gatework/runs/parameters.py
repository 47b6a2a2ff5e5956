"""Arguments by name, as scikit-learn's tools ask for them; scikit-learn itself is not needed."""

import importlib
import secrets
from collections.abc import Collection, Iterable
from dataclasses import MISSING, fields
from inspect import signature
from typing import Any, Self

from gatework.errors import InputError
from gatework.runs.arguments import plain


class Parameters:
    """get_params, set_params and repr of an object that keeps what it was made with, as given, in `given`."""

    given: dict[str, Any]

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002, nothing is nested
        """The arguments by name, as they were given."""
        return dict(self.given)

    def set_params(self, **params: Any) -> Self:
        """Changes arguments by name, forgets what was learned with others, and returns itself.

        Raises InputError for a name or a value that the class does not take; then nothing has changed.
        """
        check_known(self, params, self.given)
        if params:
            self.__dict__ = type(self)(**{**self.given, **params}).__dict__
        return self

    def __repr__(self) -> str:
        usual = {name: parameter.default for name, parameter in signature(type(self)).parameters.items()}
        values = (f"{name}={value!r}" for name, value in self.given.items() if not _same(value, usual[name]))
        return f"{type(self).__name__}({', '.join(values)})"


class FieldParameters:
    """get_params, set_params and repr of a dataclass, whose fields are its arguments."""

    @classmethod
    def with_options(cls, options: object) -> Self:
        """The estimator whose arguments are what the options of a run say, where both have them."""
        known = vars(options)
        return cls(**{field.name: known[field.name] for field in fields(cls) if field.name in known})  # type: ignore[arg-type]

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002, nothing is nested
        """Returns the arguments by name; deep: for scikit-learn, nothing is nested."""
        return {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]

    def set_params(self, **params: Any) -> Self:
        """Changes arguments by name.

        Returns:
            The estimator itself.

        Raises:
            InputError: for the name of no argument.
        """
        check_known(self, params, self.get_params())
        for name, value in params.items():
            setattr(self, name, value)
        return self

    def __repr__(self) -> str:
        usual = {field.name: field.default for field in fields(self) if field.default is not MISSING}  # type: ignore[arg-type]
        values = (f"{name}={value!r}" for name, value in self.get_params().items() if value != usual[name])
        return f"{type(self).__name__}({', '.join(values)})"


def chosen(estimator: FieldParameters, options: type) -> dict[str, Any]:
    """The arguments that are fields of the options, numpy's values as Python's; a random_state of None is drawn."""
    names = {field.name for field in fields(options)}
    values = {name: plain(value) for name, value in estimator.get_params().items() if name in names}
    return values | ({"random_state": secrets.randbits(31)} if values["random_state"] is None else {})


def check_known(estimator: object, params: Iterable[str], known: Collection[str]) -> None:
    """Raises InputError for the name of an argument that an estimator has not."""
    for name in params:
        if name not in known:
            raise InputError(f"a {type(estimator).__name__} has no argument {name!r}; there are {', '.join(known)}")


def _same(value: Any, usual: Any) -> bool:
    """Whether an argument is as it is where nothing is said; arrays, which compare by element, are not."""
    return value is usual or (type(value) is type(usual) and bool(value == usual))


def tags(estimator_type: str | None, *, required: bool, **inputs: bool) -> Any:
    """What scikit-learn (1.6 and later) wants to know of an estimator, in its own words; only it calls this."""
    utils = importlib.import_module("sklearn.utils")
    return utils.Tags(
        estimator_type=estimator_type,
        target_tags=utils.TargetTags(required=required),
        classifier_tags=utils.ClassifierTags() if estimator_type == "classifier" else None,
        regressor_tags=utils.RegressorTags() if estimator_type == "regressor" else None,
        input_tags=utils.InputTags(**inputs),
    )
