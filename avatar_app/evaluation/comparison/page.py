"""Write the comparison as a page: tables, contact sheet, and their limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

COLUMNS = {"l1": "L1", "akd": "AKD", "mkr": "MKR", "aed": "AED", "psnr": "PSNR", "ssim": "SSIM"}
DIGITS = {"l1": 4, "akd": 2, "mkr": 3, "aed": 3, "psnr": 2, "ssim": 3}

PUBLISHED = """| | VoxCeleb L1 | AKD | AED | UvA-Nemo L1 | AKD | AED | BAIR L1 | Tai-Chi-HD L1 | AKD | MKR | AED |
|---|---|---|---|---|---|---|---|---|---|---|---|
| X2Face | 0.078 | 7.687 | 0.405 | 0.031 | 3.539 | 0.221 | 0.065 | 0.080 | 17.654 | 0.109 | 0.272 |
| Monkey-Net | 0.049 | 1.878 | 0.199 | 0.018 | 1.285 | 0.077 | 0.034 | 0.077 | 10.798 | 0.059 | 0.228 |
| FOMM | 0.043 | 1.294 | 0.140 | 0.016 | 1.119 | 0.048 | 0.027 | 0.063 | 6.862 | 0.036 | 0.179 |"""


def page(report: Mapping[str, Any], sheet: str) -> str:
    """Return the page in Markdown.

    Args:
        report: the command's JSON.
        sheet: name of the contact sheet's file.
    """
    parts = [
        _head(report),
        _table(report),
        _sizes(report),
        _notes(report),
        f"![Contact sheet]({sheet})\n",
        SHEET,
        _published(),
    ]
    return "\n".join(parts)


def _head(report: Mapping[str, Any]) -> str:
    terms = report["terms"]
    return f"""# X2Face, Monkey-Net, First Order Motion Model and our model, on the same data

Each method was trained from scratch for {terms["minutes"]:g} minutes on {report["hardware"]}.
All used the same {report["train_clips"]} clips: {report["train_frames"]} frames of {terms["size"]} pixels, {terms["batch"]} pairs per step.
Then each reconstructed {report["clips"]} held-out clips of other people from their first frames ({report["frames"]} frames).
The three published architectures have {terms["width"]:g} times their channels; ours has its own size. Command:

```
{report["command"]}
```
"""


def _table(report: Mapping[str, Any]) -> str:
    lines = ["| | " + " | ".join(COLUMNS.values()) + " |", "|---|" + "---|" * len(COLUMNS)]
    for row in report["rows"]:
        cells = [_cell(row["figures"].get(name), DIGITS[name]) for name in COLUMNS]
        lines.append(f"| {row['title']} | " + " | ".join(cells) + " |")
    judge = report["judge"]
    aed = "" if report["embedding"] else " AED needs an identity network, which was not given."
    return "\n".join(
        [
            *lines,
            "",
            "Lower is better for L1, AKD, MKR and AED; higher is better for PSNR and SSIM. "
            f"AKD and MKR use {judge}.{aed}",
            "",
        ]
    )


def _sizes(report: Mapping[str, Any]) -> str:
    lines = ["| | Parameters | GMAC per frame | GMAC per photo | Steps |", "|---|---|---|---|---|"]
    for row in report["rows"]:
        size = row.get("size")
        if size:
            macs = " | ".join(f"{size[name] / 1e9:.2f}" for name in ("frame_macs", "photo_macs"))
            counts = f"{size['parameters'] / 1e6:.2f} M | {macs}"
            lines.append(f"| {row['title']} | {counts} | {row['steps']} |")
    return "\n".join([*lines, ""])


def _notes(report: Mapping[str, Any]) -> str:
    return "\n".join(["## How to read it", "", *(f"- {note}" for note in [*NOTES, *report["notes"]]), ""])


NOTES: Sequence[str] = (
    "The photo without motion and the photo warped with the driver's landmarks need no training. A method that does not "
    "beat the first does not show that it has learned anything; one that does not beat the second does not show more "
    "than landmarks do without training.",
    "Such a short training, such narrow networks and so few people show how fast each method learns, not how good it "
    "becomes. The published figures took days on several GPUs and tens of thousands of clips: do not compare figures "
    "between the two tables.",
    "The methods do not start equal. Our model receives face landmarks, which its detector learned from other data. The "
    "First Order Motion Model and ours use a perceptual loss from a network trained on ImageNet. Monkey-Net and "
    "X2Face have neither.",
    "X2Face has only the first stage of its training, with Adam instead of the released script's SGD.",
)

SHEET = """All but X2Face receive the driver's motion relative to the clip's first frame; X2Face has no relative motion and
shows the driver's absolute pose.
"""


def _published() -> str:
    return f"""## The published table

Quoted from the First Order Motion Model's paper (video reconstruction), not measured here.

{PUBLISHED}
"""


def _cell(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
