"""A box for the card, as large as its parts need and no smaller than a bank card: `enclosure.py FOLDER` writes STL, STEP and a picture.

Parametric: change a size here, or in a board's file, and run `make hardware`. Dimensions are the parts' own, in mm; nobody has
printed one yet."""

from __future__ import annotations

import json
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
CARD_MM = (85.6, 54.0)  # ISO/IEC 7810 ID-1
WALL_MM, FLOOR_MM, LID_MM, GAP_MM, ROOM_MM = 1.6, 1.2, 1.2, 1.0, 0.5
STEM_MM = 3.5  # across
STEM_OUT_MM = (0.3, 1.5)  # enough for a finger to find, too little to be pressed in a pocket
LIP_MM, FENCE_MM, FENCE_HIGH_MM, SLACK_MM = 1.5, 0.8, 1.6, 0.15
USB_HIGH_MM = 3.8  # a USB-C socket with room for its plug's rim
PLA_G_PER_CM3 = 1.24


@dataclass(frozen=True)
class Part:
    """A part lying flat; `window` is what the lid leaves open over its middle: width and depth, or a diameter.

    `stem_mm`: how high above the floor the plunger of a key ends that stands in that window."""

    name: str
    width_mm: float
    depth_mm: float
    height_mm: float
    window: tuple[float, ...] = ()
    stem_mm: float = 0.0


DISPLAY = Part("display", 27.3, 27.8, 4.2, (23.0, 12.5))  # 0.96 inch modules; the window is what lights up
BATTERY = Part("battery", 36.0, 29.0, 4.75)  # 500 mAh
MICROPHONE = Part("microphone", 14.0, 14.0, 3.5, (2.0,))
KEY = Part("key", 6.2, 6.2, 3.6, (4.2,), stem_mm=7.3)  # a long plunger: it must stand out of the lid


@dataclass(frozen=True)
class Placed:
    """`x`, `y`: the corner nearest to the box's inner lower left corner, in mm."""

    part: Part
    x: float
    y: float


@dataclass(frozen=True)
class Layout:
    """Where everything lies, and the box around it; the board's USB socket is at its left end."""

    placed: tuple[Placed, ...]
    outer_mm: tuple[float, float, float]
    usb_mm: float


def board_part(name: str) -> tuple[Part, float]:
    """The board out of its file, pin headers not fitted, and how wide its USB sockets are."""
    path = _HERE / "board.toml" if name == "devkitc" else _HERE / "boards" / f"{name}.toml"
    about = tomllib.loads(path.read_text(encoding="utf-8"))
    return Part(about["name"], *about["size_mm"]), about["usb_mm"]


def layout(board: Part, usb_mm: float) -> Layout:
    """Board and keys in the lower row; battery, display and microphone above. Raises ValueError if no finger could press a key."""
    rows = ([board, KEY, KEY], [BATTERY, DISPLAY, MICROPHONE])
    placed: list[Placed] = []
    y = 0.0
    for row in rows:
        x = 0.0
        for part in row:
            placed.append(Placed(part, x, y))
            x += part.width_mm + (3 * GAP_MM if part is KEY else GAP_MM)
        y += max(part.depth_mm for part in row) + GAP_MM
    width = max(p.x + p.part.width_mm for p in placed) + 2 * WALL_MM + GAP_MM
    depth = y + 2 * WALL_MM
    height = FLOOR_MM + max(p.part.height_mm for p in placed) + ROOM_MM + LID_MM
    out_mm = FLOOR_MM + KEY.stem_mm - height
    if not STEM_OUT_MM[0] <= out_mm <= STEM_OUT_MM[1]:
        raise ValueError(f"the keys' plungers end {out_mm:.1f} mm above the lid: choose keys with others")
    return Layout(tuple(placed), (max(width, CARD_MM[0]), max(depth, CARD_MM[1]), height), usb_mm)


def build(plan: Layout) -> tuple[Any, Any]:
    """(tray, lid) as solids."""
    from build123d import Align, Axis, Box, Cylinder, Location, fillet

    low = (Align.MIN, Align.MIN, Align.MIN)
    width, depth, height = plan.outer_mm
    inner = (width - 2 * WALL_MM, depth - 2 * WALL_MM)

    def box(x: float, y: float, z: float, at: tuple[float, float, float]) -> Any:
        return Box(x, y, z, align=low).moved(Location(at))

    tray = box(width, depth, height - LID_MM, (0, 0, 0))
    tray = fillet(tray.edges().filter_by(Axis.Z), 3)
    tray -= box(*inner, height, (WALL_MM, WALL_MM, FLOOR_MM))
    for placed in plan.placed:
        x, y = WALL_MM + placed.x, WALL_MM + placed.y
        fence = box(
            placed.part.width_mm + 2 * FENCE_MM, placed.part.depth_mm + 2 * FENCE_MM, FENCE_HIGH_MM,
            (x - FENCE_MM, y - FENCE_MM, FLOOR_MM),
        )  # fmt: skip
        fence -= box(placed.part.width_mm, placed.part.depth_mm, FENCE_HIGH_MM, (x, y, FLOOR_MM))
        tray += fence & box(*inner, height, (WALL_MM, WALL_MM, 0))
    board = plan.placed[0].part
    beside = (board.depth_mm - plan.usb_mm) / 2
    tray -= box(WALL_MM + FENCE_MM, plan.usb_mm, USB_HIGH_MM, (0, WALL_MM + beside, FLOOR_MM + 0.8))

    lid = box(width, depth, LID_MM, (0, 0, 0))
    lid = fillet(lid.edges().filter_by(Axis.Z), 3)
    rim = (inner[0] - 2 * SLACK_MM, inner[1] - 2 * SLACK_MM)
    lip = box(*rim, LIP_MM, (WALL_MM + SLACK_MM, WALL_MM + SLACK_MM, -LIP_MM))
    lip -= box(rim[0] - 2 * FENCE_MM, rim[1] - 2 * FENCE_MM, LIP_MM, (WALL_MM + SLACK_MM + FENCE_MM,) * 2 + (-LIP_MM,))
    for placed in plan.placed:  # the rim gives way to parts as high as the box
        lip -= box(
            placed.part.width_mm, placed.part.depth_mm, LIP_MM, (WALL_MM + placed.x, WALL_MM + placed.y, -LIP_MM)
        )
    lid += lip
    for placed in plan.placed:
        if placed.part.window:
            middle = (WALL_MM + placed.x + placed.part.width_mm / 2, WALL_MM + placed.y + placed.part.depth_mm / 2)
            if len(placed.part.window) == 1:
                hole = Cylinder(placed.part.window[0] / 2, 3 * LID_MM).moved(Location((*middle, LID_MM / 2)))
            else:
                hole = Box(*placed.part.window, 3 * LID_MM).moved(Location((*middle, LID_MM / 2)))
            lid -= hole
    return tray, lid


def write(folder: Path, name: str) -> dict[str, Any]:
    """STL and STEP of both halves for a board, and a picture of them apart; returns size and mass."""
    from build123d import Compound, Location, export_step, export_stl

    plan = layout(*board_part(name))
    tray, lid = build(plan)
    folder.mkdir(parents=True, exist_ok=True)
    for part, solid in (("tray", tray), ("lid", lid)):
        export_stl(solid, str(folder / f"{name}-{part}.stl"))
    apart = Compound(children=[tray, lid.moved(Location((0, 0, plan.outer_mm[2] + 18)))])
    export_step(apart, str(folder / f"{name}.step"))
    _draw(folder, name, plan)
    grams = (tray.volume + lid.volume) / 1000 * PLA_G_PER_CM3
    return {"outer_mm": [round(size, 1) for size in plan.outer_mm], "mass_g": round(grams, 1)}


def _draw(folder: Path, name: str, plan: Layout) -> None:
    import pyvista

    scene = pyvista.Plotter(off_screen=True, window_size=(1200, 800))
    tray = pyvista.read(str(folder / f"{name}-tray.stl"))
    lid = pyvista.read(str(folder / f"{name}-lid.stl")).translate((0, 0, plan.outer_mm[2] + 18))
    scene.add_mesh(tray, color="#c9d3df", show_edges=False)
    scene.add_mesh(lid, color="#7fa6c9", opacity=0.92)
    colors = {"battery": "#b9b4ae", "display": "#1b2a3a", "microphone": "#7a4fa0", "key": "#333333"}
    for placed in plan.placed:
        x, y = WALL_MM + placed.x, WALL_MM + placed.y
        bounds = (x, x + placed.part.width_mm, y, y + placed.part.depth_mm, FLOOR_MM, FLOOR_MM + placed.part.height_mm)
        scene.add_mesh(pyvista.Box(bounds), color=colors.get(placed.part.name, "#2f7d4f"))
        if placed.part.stem_mm:
            middle = (x + placed.part.width_mm / 2, y + placed.part.depth_mm / 2, FLOOR_MM + placed.part.stem_mm / 2)
            scene.add_mesh(
                pyvista.Cylinder(center=middle, direction=(0, 0, 1), radius=STEM_MM / 2, height=placed.part.stem_mm),
                color="#8a8a8a",
            )
    scene.set_background("white")
    scene.camera_position = [(-60, -120, 130), (plan.outer_mm[0] / 2, plan.outer_mm[1] / 2, 10), (0, 0, 1)]
    scene.screenshot(str(folder / f"{name}.png"))


if __name__ == "__main__":
    target = Path(sys.argv[1])
    sizes = {board_name: write(target, board_name) for board_name in ("devkitc", "xiao")}
    (target / "sizes.json").write_text(json.dumps(sizes, indent=2) + "\n", encoding="utf-8")
