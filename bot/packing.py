"""Frozen dataclasses as short bytes: msgpack arrays in the order of their fields, names left out.

Lives here: packing and unpacking by a class's annotations, worked out once for each class. Must not live here: what is packed
(`bot/sessions.py`). A field may be appended with a default (a minor version): what was packed before it lacks the field and gets the
default; older code does not look at what it does not know, and who writes the value again can give it back (`read`). Any other change of
shape is a major version.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from types import UnionType
from typing import Any, Final, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

T = TypeVar("T")
Convert = Callable[[Any], Any]

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder().decode
PLAIN: Final = (str, int, float, bool, bytes, type(None), datetime)


def pack(value: object, rest: Sequence[Any] = ()) -> bytes:
    """`rest` are the fields behind those that this code knows. Raises TypeError for an annotation that this module does not know."""
    return _encode([*_plan(type(value))[0](value), *rest])


def unpack(cls: type[T], packed: bytes) -> T:
    """The value that was packed. Raises msgspec.DecodeError for bytes that are no msgpack."""
    made: T = _plan(cls)[1](_decode(packed))
    return made


def fields(packed: bytes) -> list[Any]:
    """What any version has packed, in its order."""
    found: list[Any] = _decode(packed)
    return found


def read(cls: type[T], plain: list[Any]) -> tuple[T, tuple[Any, ...]]:
    """The value of these fields, and the rest: what newer code has appended."""
    rest = tuple(plain[len(cls.__dataclass_fields__) :])  # type: ignore[attr-defined]
    made: T = _plan(cls)[1](plain)
    return made, rest


_plans: Final[dict[type, tuple[Convert, Convert]]] = {}


def _plan(cls: type) -> tuple[Convert, Convert]:
    """How to turn an instance of a dataclass into a plain list, and back; worked out at the first use."""
    plan = _plans.get(cls)
    if plan is None:
        plan = _plans[cls] = _worked_out(cls)
    return plan


def _worked_out(cls: type) -> tuple[Convert, Convert]:
    hints = get_type_hints(cls)
    names = [field.name for field in dataclasses.fields(cls)]
    steps = [_converters(hints[name]) for name in names]
    get = attrgetter(*names) if len(names) > 1 else lambda value: (getattr(value, names[0]),)
    down = [(position, step[0]) for position, step in enumerate(steps) if step is not None]
    up = [(position, step[1]) for position, step in enumerate(steps) if step is not None]
    known = len(names)

    def to_plain(value: object) -> list[Any]:
        plain = list(get(value))
        for position, convert in down:
            plain[position] = convert(plain[position])
        return plain

    def from_plain(plain: list[Any]) -> object:
        del plain[known:]
        have = len(plain)
        for position, convert in up:
            if position < have:
                plain[position] = convert(plain[position])
        return cls(*plain)

    return to_plain, from_plain


def _converters(hint: Any) -> tuple[Convert, Convert] | None:
    """None where the value is plain already."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in PLAIN or origin is Literal:
        return None
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return _plan(hint)
    if origin in (Union, UnionType):
        return _optional(arguments)
    if origin is tuple:
        return _tuple(arguments)
    if origin in (Mapping, dict) or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return _mapping(arguments)
    raise TypeError(f"{hint!r} cannot be packed")


def _optional(arguments: tuple[Any, ...]) -> tuple[Convert, Convert] | None:
    inner = [argument for argument in arguments if argument is not type(None)]
    steps = [_converters(argument) for argument in inner]
    if all(step is None for step in steps):
        return None
    if len(inner) != 1 or steps[0] is None:
        raise TypeError(f"a choice of {inner!r} cannot be packed")
    down, up = steps[0]
    return (lambda value: None if value is None else down(value)), (lambda value: None if value is None else up(value))


def _tuple(arguments: tuple[Any, ...]) -> tuple[Convert, Convert]:
    step = _converters(arguments[0]) if len(arguments) == 2 and arguments[1] is ... else None
    if step is None:
        return list, tuple
    down, up = step
    return (lambda values: [down(value) for value in values]), (lambda values: tuple(up(value) for value in values))


def _mapping(arguments: tuple[Any, ...]) -> tuple[Convert, Convert] | None:
    step = _converters(arguments[1])
    if step is None:
        return dict, dict
    down, up = step
    return (
        lambda values: {key: down(value) for key, value in values.items()},
        lambda values: {key: up(value) for key, value in values.items()},
    )
