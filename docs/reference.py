"""Make ``docs/reference.md`` from the code: ``make reference``.

Every public name is listed with its signature and its docstring, so that the page cannot differ from the
code: a test compares the two.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from enum import Enum
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeGuard

from farscope.engine.core.reserved import Reserved, gives_way

PAGE: Final = Path(__file__).parent / "reference.md"
WIDTH: Final = 100

HEAD: Final = """\
# API reference

Made from the code by `make reference`: every public name, its signature, and what its callers need to
know. The [tutorial](tutorial.md) and the how-tos say how they go together. Names that are not here are not
public.
"""


class Section(NamedTuple):
    """Public names of one kind."""

    title: str
    module: str
    """What the names are imported from; empty if they are not imported but returned."""
    names: tuple[str, ...]
    """``NAME``, or ``MODULE:NAME`` for what lies elsewhere."""


SECTIONS: Final = (
    Section(
        "Charts",
        "farscope",
        ("Event", "signals", "return_status", "spy_on", "Hsm", "ActiveObject", "Factory", "pp", "stripped"),
    ),
    Section(
        "More charts",
        "farscope.engine",
        (
            "Chart",
            "State",
            "Final",
            "History",
            "AsyncChart",
            "Runner",
            "Fabric",
            "Shared",
            "locked",
            "Cancellation",
        ),
    ),
    Section(
        "Options of charts, and what building them returns",
        "",
        (
            "farscope.engine.options:ChartOptions",
            "farscope.engine.drivers.options:ActiveOptions",
            "farscope.engine.definition.builder:Blueprint",
            "farscope.engine.core.recorder:Rings",
            "farscope.engine.core.allowed:Allowed",
            "farscope.engine.core.allowed:Allowance",
            "farscope.engine.core.allowed:Verdict",
        ),
    ),
    Section(
        "For programs written for miros", "farscope.engine.miros", ("ActiveFabric", "state_method_template")
    ),
    Section("Broadcasting", "farscope", ("broadcast",)),
    Section(
        "What broadcasting returns",
        "",
        (
            "farscope.probe.broadcast:Probe",
            "farscope.probe.accounting:ProbeStats",
            "farscope.probe.service:OriginProcess",
        ),
    ),
    Section("Causes across processes", "farscope", ("cause", "caused_by")),
    Section("Values", "farscope", ("fields", "payload")),
    Section("Log records", "farscope.log_records", ("StepFilter",)),
    Section("Watching", "farscope", ("Scope", "ForeignHsm", "Step")),
    Section(
        "What watching returns",
        "",
        (
            "farscope.records.step:ChartId",
            "farscope.records.step:Cause",
            "farscope.records.facts:Fact",
            "farscope.records.facts:FactKind",
            "farscope.records.shape:StepKind",
            "farscope.records.structure:ChartStructure",
            "farscope.scope.chart:ChartView",
            "farscope.scope.notice:Notice",
            "farscope.scope.notice:NoticeKind",
            "farscope.scope.stats:ScopeStats",
            "farscope.scope.unknown:Unknown",
            "farscope.scope.unknown:Why",
        ),
    ),
    Section(
        "Tests of charts", "farscope.testing.assertions", ("assert_trace", "assert_spy", "assert_in_order")
    ),
    Section("A clock for tests", "farscope.testing.clock", ("VirtualClock",)),
    Section("Waiting in tests", "farscope.testing.waiting", ("eventually",)),
)


class _Text:
    """An annotation that is shown as it is written."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def reference() -> str:
    """Return the page."""
    parts = [HEAD]
    for section in SECTIONS:
        parts.append(f"## {section.title}\n")
        if section.module:
            parts.append(f"Imported from `{section.module}`.\n")
        for name in section.names:
            home, _, own = name.rpartition(":")
            thing = getattr(import_module(home or section.module), own)
            parts += _entry(own, thing)
    parts.append("## Errors\n")
    parts.append("Imported from `farscope.errors`.\n")
    parts += _errors()
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts)).rstrip() + "\n"


def _errors() -> Iterator[str]:
    errors = import_module("farscope.errors")
    yield _rendered(inspect.getdoc(errors))
    for name, thing in vars(errors).items():
        if isinstance(thing, type) and issubclass(thing, errors.FarscopeError):
            yield f"- `{name}`, exit code {thing.exit_code}: {_one_line(thing.__doc__)}"


def _entry(name: str, thing: Any) -> Iterator[str]:
    yield f"### {name}\n"
    if isinstance(thing, type):
        yield _fenced(_class_signature(name, thing))
        yield _rendered(thing.__doc__)
        init = vars(thing).get("__init__")
        if init is not None and init.__doc__ and thing.__doc__ != init.__doc__:
            yield _rendered(init.__doc__)
        yield from _members(thing)
    elif callable(thing):
        yield _fenced(_signature(name, thing))
        yield _rendered(thing.__doc__)
    else:
        yield _rendered(type(thing).__doc__)
        yield from _members(type(thing), _set_attributes(type(thing)))


def _members(cls: type, set_attributes: dict[str, str] | None = None) -> Iterator[str]:
    described = _described_attributes(cls) | (set_attributes or {})
    found = {name: value for base in reversed(_own_bases(cls)) for name, value in vars(base).items()}
    names = dict.fromkeys(name for base in _own_bases(cls) for name in vars(base))
    shown = [line for name in names for line in _member(name, found[name], described)]
    if described or shown:
        yield "Members:\n"
    for signature, text in described.items():
        yield f"- `{signature}`: {_one_line(text)}" if text else f"- `{signature}`"
    yield from shown
    yield ""


def _member(name: str, value: Any, described: dict[str, str]) -> Iterator[str]:
    if name.startswith("_") or any(re.match(rf"{name}\b", each) for each in described):
        return
    if isinstance(value, Reserved):
        value = inspect.unwrap(value)
    if isinstance(value, (property, gives_way)):
        yield f"- `{name}`: {_one_line(value.__doc__)}"
    elif inspect.isfunction(value) or isinstance(value, (classmethod, staticmethod)):
        function = getattr(value, "__func__", value)
        text = _rendered(function.__doc__)
        signature = _signature(name, function, method=not isinstance(value, staticmethod))
        yield f"- `{signature}`\n\n{textwrap.indent(text, '  ')}"


def _own_bases(cls: type) -> list[type]:
    """Return the class and those of ours above it, up to one that has an entry of its own."""
    bases: list[type] = []
    for base in cls.__mro__:
        if base is not cls and (not base.__module__.startswith("farscope.") or base.__name__ in _LISTED):
            if base.__name__ in _LISTED:
                break
            continue
        bases.append(base)
    return bases


_LISTED: Final = {name.rpartition(":")[2] for section in SECTIONS for name in section.names}


def _described_attributes(cls: type) -> dict[str, str]:
    """Return the attributes that a class declares, with the string behind each; enumerations have values."""
    found: dict[str, str] = {}
    for base in reversed(_own_bases(cls)):
        try:
            (tree,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        except (OSError, TypeError):
            continue
        body = tree.body if isinstance(tree, ast.ClassDef) else []
        for statement, following in zip(body, [*body[1:], None], strict=True):
            shown = _attribute(statement, is_enum=issubclass(cls, Enum))
            if shown and not shown.startswith("_"):
                found[shown] = _string(following)
    return found


def _set_attributes(cls: type) -> dict[str, str]:
    """Return the public attributes that ``__init__`` sets and describes in a string after each."""
    (init,) = ast.parse(textwrap.dedent(inspect.getsource(cls.__init__))).body
    body = init.body if isinstance(init, ast.FunctionDef) else []
    found: dict[str, str] = {}
    for statement, following in pairwise(body):
        text = _string(following)
        if isinstance(statement, ast.Assign) and text:
            names = [
                node.attr for target in statement.targets for node in ast.walk(target) if _is_public(node)
            ]
            found[", ".join(names)] = text
    return found


def _is_public(node: ast.AST) -> TypeGuard[ast.Attribute]:
    return isinstance(node, ast.Attribute) and not node.attr.startswith("_")


def _attribute(statement: ast.stmt, *, is_enum: bool) -> str | None:
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return f"{statement.target.id}: {ast.unparse(statement.annotation)}"
    if is_enum and isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id
    return None


def _string(statement: ast.stmt | None) -> str:
    if (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    ):
        return statement.value.value
    return ""


def _class_signature(name: str, cls: type) -> str:
    if issubclass(cls, Enum) or "__init__" not in dir(cls) or cls.__init__ is object.__init__:
        return f"class {name}"
    try:
        return f"class {_signature(name, cls, method=False)}"
    except (ValueError, TypeError):
        return f"class {name}"


def _signature(name: str, function: Any, *, method: bool = False) -> str:
    signature = inspect.signature(function)
    parameters = list(signature.parameters.values())[1 if method else 0 :]
    shown = [str(_plain(parameter)) for parameter in _with_marks(parameters)]
    answer = signature.return_annotation
    arrow = (
        "" if answer is inspect.Signature.empty or inspect.isclass(function) else f" -> {_as_text(answer)}"
    )
    line = f"{name}({', '.join(shown)}){arrow}"
    if method or len(line) <= WIDTH:
        return line
    inside = "".join(f"    {each},\n" for each in shown)
    return f"{name}(\n{inside}){arrow}"


def _with_marks(parameters: list[inspect.Parameter]) -> Iterator[inspect.Parameter | str]:
    keywords_begun = False
    for parameter in parameters:
        if parameter.kind is parameter.VAR_POSITIONAL:
            keywords_begun = True
        if parameter.kind is parameter.KEYWORD_ONLY and not keywords_begun:
            keywords_begun = True
            yield "*"
        yield parameter


def _plain(parameter: inspect.Parameter | str) -> inspect.Parameter | str:
    if isinstance(parameter, str):
        return parameter
    if parameter.annotation is not parameter.empty:
        parameter = parameter.replace(annotation=_Text(_as_text(parameter.annotation)))
    if parameter.default is not parameter.empty and " at 0x" in repr(parameter.default):
        parameter = parameter.replace(default=_Text("..."))
    return parameter


def _as_text(annotation: Any) -> str:
    if isinstance(annotation, str):
        return annotation
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)


def _fenced(text: str) -> str:
    return f"```text\n{text}\n```\n"


def _one_line(text: str | None) -> str:
    return _code(" ".join((text or "").split()))


def _rendered(text: str | None) -> str:
    """Return a docstring as Markdown: sections become lists, literal blocks stay indented."""
    lines: list[str] = []
    section = ""
    for line in inspect.cleandoc(text or "").splitlines():
        if line in ("Args:", "Raises:", "Returns:"):
            section = line
            lines += [{"Args:": "Arguments:"}.get(line, line), ""]
        elif section and line.startswith("    "):
            inner = line[4:]
            named = re.match(r"(\*{0,2}[\w, ]+): (.*)", inner) if section != "Returns:" else None
            lines.append(f"- `{named[1]}`: {named[2]}" if named else f"  {inner.strip()}")
        else:
            section = section if not line else ""
            lines.append(line[:-1] if line.endswith("::") else line)
    return _code("\n".join(lines)) + "\n"


def _code(text: str) -> str:
    return text.replace("``", "`")


if __name__ == "__main__":
    page = reference()
    if "--check" in sys.argv:
        sys.exit(page != PAGE.read_text())
    PAGE.write_text(page)
