"""Plain data out of pickles, without executing anything in them.

A pickle is a program for a small stack machine. Here the program is read by an interpreter that
knows plain containers, text, bytes, numbers and NumPy arrays, builds those arrays from their raw
bytes by itself, and refuses every other instruction and every other name: nothing is imported,
called or constructed because a file asks for it. A value that is referred to twice must be a
scalar, a text or an array, so that what comes back is a tree no larger than the file.
"""

from __future__ import annotations

import io
import math
import pickletools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from facelign.errors import DatasetMalformed

#: instructions read at most unless told otherwise: a list of 5 million numbers
MAX_ITEMS = 5_000_000

_MARK = object()
_OPCODES = {opcode.code: opcode for opcode in pickletools.opcodes}
_ESCAPE = re.compile(rb"\\(x[0-9a-fA-F]{2}|.?)", re.DOTALL)
_ESCAPES = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"\\": b"\\", b"'": b"'", b'"': b'"'}


class _Symbol:
    """A name that the file refers to; it stands for itself and is never looked up."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name


class _Array:
    """An array of which only the existence is known until its state arrives."""

    __slots__ = ()


class _Dtype:
    """A dtype under construction: ``code`` such as ``f4``, and its byte order."""

    __slots__ = ("code", "order")

    def __init__(self, code: str) -> None:
        self.code = code
        self.order = "|" if code in ("b1", "O8", "O") else "="

    def numpy(self) -> np.dtype[Any]:
        kind, size = self.code[:1], self.code[1:]
        if kind not in "biufSU" or not size.isdecimal() or len(size) > 6 or self.code == "b8":
            raise _refused(f"an array of type {self.code[:20]!r}")
        try:
            return np.dtype(self.order + self.code)
        except TypeError as error:
            raise _refused(f"an array of type {self.code[:20]!r}") from error


# NumPy 2 moved the modules; files of both ages are about. copy_reg/_codecs: how protocol 2 spells
# bytes. Nothing of this list is ever imported.
_SYMBOLS = {
    ("numpy.core.multiarray", "_reconstruct"): "reconstruct",
    ("numpy._core.multiarray", "_reconstruct"): "reconstruct",
    ("numpy.core.multiarray", "scalar"): "scalar",
    ("numpy._core.multiarray", "scalar"): "scalar",
    ("numpy.core.numeric", "_frombuffer"): "frombuffer",
    ("numpy._core.numeric", "_frombuffer"): "frombuffer",
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): "dtype",
    ("_codecs", "encode"): "encode",
    ("__builtin__", "bytes"): "bytes",
    ("builtins", "bytes"): "bytes",
    ("builtins", "bytearray"): "bytes",
    ("__builtin__", "bytearray"): "bytes",
}


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a kind of pickle says beyond plain data; still nothing is looked up or executed.

    symbols: names that it may refer to, by (module, name), each with what it is called here.
    makers: what stands for a call of a symbol; they check their arguments. persistent: what stands
    for an object that is kept elsewhere, by its id, or None. kinds: types that makers and
    ``persistent`` give, which may be referred to twice.
    """

    symbols: Mapping[tuple[str, str], str] = field(default_factory=dict)
    makers: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    persistent: Callable[[Any], Any] | None = None
    kinds: tuple[type, ...] = ()

    def named(self, value: object) -> str:
        """Return what a name that the file refers to is called here; raises for other values."""
        if not isinstance(value, _Symbol):
            raise _refused("a value where a name should be")
        return value.name


PLAIN = Dialect()


def _refused(what: str) -> DatasetMalformed:
    return DatasetMalformed(
        f"The pickle holds {what}, which is no plain data.",
        "Only lists, tuples, dicts, text, bytes, numbers and NumPy arrays are read from pickles.",
    )


def read_plain(
    data: bytes | io.BytesIO, *, max_items: int = MAX_ITEMS, dialect: Dialect = PLAIN
) -> Any:
    """Return the plain object in ``data``, a pickle of protocol 0 to 5.

    A stream is read from where it stands, and stands behind the pickle afterwards.

    Lists, tuples, dicts, sets, str, bytes, int, float, bool, None, NumPy arrays and scalars of
    numbers or text. Strings of Python 2 come back as bytes; one-dimensional arrays of objects come
    back as lists, those without an axis as their one object. Raises DatasetMalformed for anything
    else, and for more than ``max_items`` instructions.
    """
    stream = io.BytesIO(data) if isinstance(data, bytes) else data
    machine = _Machine(len(stream.getbuffer()), dialect)
    try:
        for count, (name, arg) in enumerate(_instructions(stream)):
            if count > max_items:
                raise DatasetMalformed(
                    f"The pickle has more than {max_items} items.", "Split the file."
                )
            machine.step(name, arg)
    except DatasetMalformed:
        raise
    except (ValueError, TypeError, IndexError, KeyError, OverflowError, RecursionError) as error:
        raise DatasetMalformed(
            "The file is no pickle, or a damaged one.", "Copy it again from where it came."
        ) from error
    return machine.result()


def _instructions(stream: io.BytesIO) -> Iterator[tuple[str, Any]]:
    """Yield (name, argument) of each instruction, up to and with the last one.

    As ``pickletools.genops``, which however takes Python 2's quoted strings for ASCII and so fails
    at the first name with an accent, and undoes escapes where there are none.
    """
    name = ""
    while name != "STOP":
        opcode = _OPCODES.get(stream.read(1).decode("latin-1"))
        if opcode is None:
            raise ValueError("no such instruction")
        name = opcode.name
        if name == "STRING":
            quoted: Any = pickletools.read_stringnl(stream, decode=False)
            yield name, _ESCAPE.sub(_unescaped, quoted).decode("latin-1")
        elif name == "GLOBAL":
            yield name, " ".join(_line(stream) for _ in range(2))
        elif name in ("INST", "PERSID"):
            raise _refused(f"the instruction {name}")
        else:
            yield name, None if opcode.arg is None else opcode.arg.reader(stream)


def _line(stream: io.BytesIO) -> str:
    return stream.readline().removesuffix(b"\n").decode("latin-1")


def _unescaped(match: re.Match[bytes]) -> bytes:
    """Return the byte behind an escape that ``repr`` of Python 2 writes."""
    word = match[1]
    return bytes([int(word[1:], 16)]) if len(word) == 3 else _ESCAPES[word]


class _Machine:
    """The stack machine: a stack with marks, and a memo of values that may be referred to again."""

    def __init__(self, size: int, dialect: Dialect = PLAIN) -> None:
        self.dialect = dialect
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.done = False
        # bytes that may be made beyond those that lie in the file: a file cannot ask for more
        # memory than a few times its own size
        self.budget = 4 * size + 65_536
        self.actions: dict[str, Callable[[Any], None]] = {
            **dict.fromkeys(("PROTO", "FRAME"), lambda _: None),
            **dict.fromkeys(
                (
                    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4"),
                    *("FLOAT", "BINFLOAT", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE"),
                    *("BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
                ),
                self.stack.append,
            ),
            **dict.fromkeys(("STRING", "BINSTRING", "SHORT_BINSTRING"), self.old_string),
            "BYTEARRAY8": lambda arg: self.stack.append(bytes(arg)),
            "NONE": lambda _: self.stack.append(None),
            "NEWTRUE": lambda _: self.stack.append(True),
            "NEWFALSE": lambda _: self.stack.append(False),
            "MARK": lambda _: self.stack.append(_MARK),
            "EMPTY_LIST": lambda _: self.stack.append([]),
            "EMPTY_TUPLE": lambda _: self.stack.append(()),
            "EMPTY_DICT": lambda _: self.stack.append({}),
            "EMPTY_SET": lambda _: self.stack.append(set()),
            "LIST": lambda _: self.stack.append(self.marked()),
            "TUPLE": lambda _: self.stack.append(tuple(self.marked())),
            "FROZENSET": lambda _: self.stack.append(frozenset(self.marked())),
            "TUPLE1": lambda _: self.tuple_of(1),
            "TUPLE2": lambda _: self.tuple_of(2),
            "TUPLE3": lambda _: self.tuple_of(3),
            "DICT": lambda _: self.stack.append(_pairs(self.marked())),
            "APPEND": lambda _: self.extend([self.pop()]),
            "APPENDS": lambda _: self.extend(self.marked()),
            "SETITEM": self.set_item,
            "SETITEMS": lambda _: self.update(self.marked()),
            "ADDITEMS": self.add_items,
            **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), self.put),
            "MEMOIZE": lambda _: self.put(len(self.memo)),
            **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), self.get),
            "GLOBAL": lambda arg: self.name(*str(arg).split(" ", 1)),
            "STACK_GLOBAL": lambda _: self.name(*self.pop_many(2)),
            "BINPERSID": lambda _: self.persistent(),
            "REDUCE": lambda _: self.reduce(),
            "BUILD": lambda _: self.build(),
            "STOP": self.stop,
        }

    def step(self, name: str, arg: Any) -> None:
        action = self.actions.get(name)
        if action is None:
            raise _refused(f"the instruction {name}")
        action(arg)

    def result(self) -> Any:
        if not self.done or len(self.stack) != 1:
            raise DatasetMalformed("The pickle ends in the middle.", "Copy the file again.")
        value = self.stack[0]
        if isinstance(value, _Symbol | _Array | _Dtype) or value is _MARK:
            raise _refused("a name instead of a value")
        return value

    def stop(self, _: object) -> None:
        self.done = True

    def pop(self) -> Any:
        value = self.stack.pop()
        if value is _MARK:
            raise ValueError("a mark where a value should be")
        return value

    def pop_many(self, n: int) -> list[Any]:
        return [self.pop() for _ in range(n)][::-1]

    def marked(self) -> list[Any]:
        """Return what lies above the last mark, and take both away."""
        for place in range(len(self.stack) - 1, -1, -1):
            if self.stack[place] is _MARK:
                items = self.stack[place + 1 :]
                del self.stack[place:]
                return items
        raise ValueError("no mark")

    def tuple_of(self, n: int) -> None:
        self.stack.append(tuple(self.pop_many(n)))

    def old_string(self, arg: str) -> None:
        self.stack.append(arg.encode("latin-1"))

    def extend(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, list):
            raise _refused("an object that is filled like a list")
        target.extend(items)

    def set_item(self, _: object) -> None:
        self.update(self.pop_many(2))

    def update(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict):
            raise _refused("an object that is filled like a dict")
        target.update(_pairs(items))

    def add_items(self, _: object) -> None:
        items = self.marked()
        target = self.stack[-1]
        if not isinstance(target, set):
            raise _refused("an object that is filled like a set")
        target.update(items)

    def put(self, place: int) -> None:
        if self.stack[-1] is _MARK:
            raise ValueError("a mark cannot be kept")
        self.memo[place] = self.stack[-1]

    def get(self, place: int) -> None:
        value = self.memo[place]
        if not isinstance(value, self.dialect.kinds) and not _may_be_shared(value):
            raise _refused("a container that is part of two others, or of itself")
        self.stack.append(value)

    def name(self, module: str, name: str) -> None:
        symbol = _SYMBOLS.get((module, name)) or self.dialect.symbols.get((module, name))
        if symbol is None:
            raise _refused(f"the name {module[:60]}.{name[:60]}")
        self.stack.append(_Symbol(symbol))

    def spend(self, n: int) -> None:
        self.budget -= n
        if self.budget < 0:
            raise _refused("more data than its size allows")

    def persistent(self) -> None:
        if self.dialect.persistent is None:
            raise _refused("an object that is kept elsewhere")
        self.stack.append(self.dialect.persistent(self.pop()))

    def reduce(self) -> None:
        args = self.pop()
        function = self.pop()
        if not isinstance(function, _Symbol) or not isinstance(args, tuple):
            raise _refused("a call")
        makers: dict[str, Callable[..., Any]] = {
            "reconstruct": lambda *_: _Array(),
            "scalar": lambda dtype, raw=b"": _raw(raw, dtype, (), "C")[()],
            "frombuffer": lambda raw, dtype, shape, order: _raw(raw, dtype, shape, order),
            "dtype": lambda code, *_: _Dtype(_text(code)),
            "encode": self.encode,
            "bytes": self.as_bytes,
            **self.dialect.makers,
        }
        if function.name not in makers:
            raise _refused("a call")
        self.stack.append(makers[function.name](*args))

    def encode(self, text: object, encoding: object = "latin1") -> bytes:
        if not isinstance(text, str) or encoding not in ("latin1", "latin-1"):
            raise _refused("a call of encode")
        self.spend(len(text))
        return text.encode("latin-1")

    def as_bytes(self, *args: object) -> bytes:
        if not args:
            return b""
        if len(args) == 1 and isinstance(args[0], bytes):
            return args[0]
        raise _refused("a call of bytes")

    def build(self) -> None:
        state = self.pop()
        target = self.pop()
        if isinstance(target, _Dtype) and isinstance(state, tuple) and len(state) >= 2:
            order = _text(state[1])
            if order not in "<>|=" or len(order) != 1:
                raise _refused("an array of odd byte order")
            target.order = order
            self.stack.append(target)
        elif isinstance(target, _Array) and isinstance(state, tuple) and len(state) == 5:
            _, shape, dtype, fortran, raw = state
            array = _raw(raw, dtype, shape, "F" if fortran else "C")
            # later references must see the finished array, not the shell that was kept
            for place, kept in self.memo.items():
                if kept is target:
                    self.memo[place] = array
            self.stack.append(array)
        elif isinstance(target, dict) and isinstance(state, dict) and self.dialect.makers:
            self.stack.append(target)  # remarks on an OrderedDict
        else:
            raise _refused("an object with a state")


def _pairs(items: list[Any]) -> dict[Any, Any]:
    if len(items) % 2:
        raise ValueError("a key without a value")
    return dict(zip(items[::2], items[1::2], strict=True))


def _may_be_shared(value: object) -> bool:
    scalars = str | bytes | int | float | None
    if isinstance(value, tuple):  # the shape of an array, for one
        return len(value) <= 8 and all(isinstance(v, scalars | _Symbol) for v in value)
    return isinstance(value, scalars | np.ndarray | np.generic | _Symbol | _Array | _Dtype)


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, str):
        return value
    raise _refused("a type that is not named by text")


def _raw(raw: object, dtype: object, shape: object, order: object) -> Any:
    """Return an array over ``raw`` (no copy; read-only); what an array of objects holds, as a list
    where it has a length.
    """
    if not isinstance(dtype, _Dtype) or not isinstance(shape, tuple):
        raise _refused("an array without type or shape")
    if isinstance(raw, list) and dtype.code.startswith("O") and len(shape) == 1:
        return raw
    if isinstance(raw, list) and dtype.code.startswith("O") and shape == () and len(raw) == 1:
        return raw[0]
    if not isinstance(raw, bytes) or not all(type(n) is int and n >= 0 for n in shape):
        raise _refused("an array without bytes")
    kind = dtype.numpy()
    count = math.prod(shape)
    if kind.itemsize * count != len(raw) or len(shape) > 8:
        raise DatasetMalformed(
            f"The pickle holds an array of shape {shape} with {len(raw)} bytes.",
            "Copy the file again from where it came.",
        )
    if not count:
        return np.zeros(shape, kind)
    return np.frombuffer(raw, kind, count).reshape(shape, order="F" if order == "F" else "C")
