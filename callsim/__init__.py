"""The face of callsim: command line, scenario files, studies and reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from callsim.agreements.at_risk import Promises
    from callsim.agreements.promising import promise
    from callsim.api import load, simulate
    from callsim.comparison import Comparison, compare
    from callsim.result import Result
    from results.estimates import Estimate

__version__ = "0.1.0"

__all__ = [
    "Comparison",
    "Estimate",
    "Promises",
    "Result",
    "__version__",
    "compare",
    "load",
    "promise",
    "simulate",
]

_HOME = {
    "Comparison": "callsim.comparison",
    "Estimate": "results.estimates",
    "Promises": "callsim.agreements.at_risk",
    "Result": "callsim.result",
    "compare": "callsim.comparison",
    "load": "callsim.api",
    "promise": "callsim.agreements.promising",
    "simulate": "callsim.api",
}
"""Where each name lives; it is imported when it is first asked for, so that `import callsim` is quick."""


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415 - only where a name is used

    from callsim.neighbours import in_the_way  # noqa: PLC0415

    trouble = in_the_way()
    if trouble is not None:
        raise ImportError(trouble)
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
