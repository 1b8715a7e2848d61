"""The head itself: face, ears, neck, and what shows on the skin."""

from __future__ import annotations

from limner.training.portraits.attributes import Portrait
from limner.training.portraits.marks import (
    Mark,
    ellipse,
    fill,
    glow,
    line,
    mirrored,
    moved,
    shade,
    smooth,
)
from limner.training.portraits.palette import (
    BLUSH,
    Floats,
    colour,
    darker,
    form,
    lighter,
    mixed,
    ramp,
)

# Half widths at the cheek, the jaw and the chin, and where the chin ends, by the face's form.
CHEEK = {"pointed": 0.178, "oval": 0.175, "round": 0.190, "square": 0.180}
JAW = {"pointed": 0.128, "oval": 0.146, "round": 0.172, "square": 0.172}
CHIN = {"pointed": 0.045, "oval": 0.075, "round": 0.095, "square": 0.118}
END = {"pointed": 0.242, "oval": 0.232, "round": 0.218, "square": 0.228}

LINES = {"smooth": 0.0, "lined": 0.55, "wrinkled": 1.0}


def outline(p: Portrait, grown: float = 0.0) -> Floats:
    """The face's outline, all of it further out by `grown`."""
    cheek, jaw, chin = (form(p, "face", table) + grown for table in (CHEEK, JAW, CHIN))
    end = form(p, "face", END) + grown
    return smooth(mirrored([
        (0, -0.225 - grown), (0.105, -0.205 - grown), (0.168 + grown, -0.115), (cheek, 0.02),
        (jaw, 0.125), (chin, 0.205 + (end - 0.232) * 0.6), (0, end),
    ]))  # fmt: skip


def jaw_width(p: Portrait) -> float:
    """Half the width of the face at the mouth."""
    return form(p, "face", JAW)


def chin_end(p: Portrait) -> float:
    """Where the chin ends."""
    return form(p, "face", END)


def face(p: Portrait) -> Mark:
    """The bare face."""
    return fill(outline(p), colour(p, "skin"))


def ears(p: Portrait) -> list[Mark]:
    """Both ears, behind the face."""
    skin = colour(p, "skin")
    out = []
    for side in (-1, 1):
        x = side * form(p, "face", CHEEK)
        out += [
            fill(ellipse(x, 0.03, 0.036, 0.05), skin, depth=-0.3),
            line(
                smooth([(x + side * 0.004, 0.005), (x + side * 0.018, 0.012),
                        (x + side * 0.012, 0.045)], closed=False),
                darker(skin, 0.3), 0.008, depth=-0.3,
            ),
        ]  # fmt: skip
    return out


def side(face: Mark) -> Mark:
    """The shadow down one side of the face."""
    shape = smooth([(0.30, -0.3), (0.10, -0.24), (0.138, -0.05), (0.12, 0.12), (0.04, 0.25),
                    (0.30, 0.3)])  # fmt: skip
    return shade(shape, darker(face.rgb, 0.13), face)


def cheeks(face: Mark) -> list[Mark]:
    """A little red."""
    skin = face.rgb
    warm = mixed(skin, BLUSH, 0.30 + 0.20 * ramp(float(skin.mean()), 0.45, 0.6))
    return [glow((s * 0.112, 0.095), (0.062, 0.046), warm, face, 0.52) for s in (-1, 1)]


def age(p: Portrait, skin: Floats) -> list[Mark]:
    """Folds beside the nose first, then the forehead, the eyes' corners and below the eyes."""
    depth = form(p, "age", LINES)
    if depth <= 0.02:
        return []
    ink, out = darker(skin, 0.36), []
    much = max(0.0, depth * 2 - 1)
    for s in (-1, 1):
        folds = [([(0.052, 0.085), (0.074, 0.115), (0.078, 0.15)], depth),
                 ([(0.05, 0.066), (0.08, 0.078), (0.108, 0.066)], depth),
                 ([(0.140, 0.006), (0.162, -0.012)], much),
                 ([(0.142, 0.022), (0.166, 0.026)], much)]  # fmt: skip
        for points, opacity in folds:
            curve = smooth([(s * x, y) for x, y in points], closed=False)
            out.append(line(curve, ink, 0.0075, min(1.0, opacity * 1.2), depth=0.5))
    for k, reach in enumerate((0.085, 0.07)):
        y = -0.118 - 0.026 * k
        waves = [(-reach, y + 0.004), (-reach / 2, y - 0.004), (0, y), (reach / 2, y - 0.004),
                 (reach, y + 0.004)]  # fmt: skip
        curve = smooth(waves, closed=False)
        out.append(line(curve, ink, 0.0075, min(1.0, 1.2 * (depth if k == 0 else much)), depth=0.5))
    return [m for m in out if m.opacity > 0.02]


def neck(p: Portrait) -> list[Mark]:
    """The neck with the hollow of its base, and the head's shadow on it; in the picture's place."""
    skin = colour(p, "skin")
    right = [(0, 0.60), (0.072, 0.60), (0.072, 0.76), (0.078, 0.815), (0.115, 0.845), (0.075, 0.9),
             (0, 0.925)]  # fmt: skip
    if p.clothes == "sweater":
        right = [(0, 0.60), (0.072, 0.60), (0.072, 0.76), (0.072, 0.85), (0, 0.86)]
    body = fill(moved(smooth(mirrored(right)), 0.5, 0.0), skin)
    shadow = smooth([(0.40, 0.6), (0.60, 0.6), (0.60, 0.77), (0.5, 0.822), (0.40, 0.77)])
    return [body, shade(shadow, darker(skin, 0.2), body)]


def scalp(p: Portrait, face: Mark) -> list[Mark]:
    """The light on a bald head."""
    spot = smooth([(-0.11, -0.155), (-0.06, -0.195), (-0.005, -0.205), (-0.055, -0.175)])
    return [shade(spot, lighter(face.rgb, 0.45), face, 0.8)]
