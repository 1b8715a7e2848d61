"""Limner in Krita: draw what you type, stroke by stroke, as editable vectors.

Krita imports this package when the plugin is enabled. It says in one line why it can't run, where
it can't; else it puts its docker and its actions into Krita. Outside Krita (in tests) it does
nothing but make the carried packages importable.
"""

from __future__ import annotations

from limner_krita import vendored
from limner_krita.version import KRITA_LEAST

if _missing := vendored.prepare():
    raise ImportError(
        f"Limner: this copy of the plugin lacks {_missing}. Install the file limner-krita.zip by "
        "Tools > Scripts > Import Python Plugin from File, or run: limner install krita"
    )

try:
    from krita import Krita
except ImportError:
    Krita = None


def _krita_version(text: str) -> tuple[int, ...]:
    """(5, 1) of "5.1.5" or "5.1.0-prealpha (git 123)"."""
    digits = (part for part in text.split("-")[0].split(" ")[0].split(".") if part.isdigit())
    return tuple(map(int, digits))[:2]


if Krita is not None:
    if _krita_version(Krita.instance().version()) < KRITA_LEAST:
        raise ImportError(
            f"Limner needs Krita {'.'.join(map(str, KRITA_LEAST))} or newer; this one is "
            f"{Krita.instance().version()}."
        )
    from limner_krita.extension import register

    register(Krita.instance())
