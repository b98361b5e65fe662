"""Documents say what the program says of itself, and what the scripts compute."""

import json
import re
import runpy
import subprocess
import sys

from interpreters import ROOT
from voicecard import errors
from voicecard.device.boards import load_board


def test_commands_and_settings_in_the_readme_are_those_of_the_program() -> None:
    check = [sys.executable, "-m", "cogapp", "-I", "host", "--check", "--diff", "host/README.md"]
    done = subprocess.run(check, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout}\nhost/README.md is stale: run `make docs`"


def test_the_build_guides_tables_are_those_of_its_sources() -> None:
    check = [sys.executable, "-m", "cogapp", "-I", "hardware", "--check", "--diff", "hardware/README.md"]
    done = subprocess.run(check, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout}\nhardware/README.md is stale: run `make docs`"


def test_the_wiring_diagram_shows_the_wires_of_the_default_board() -> None:
    guide = runpy.run_path(str(ROOT / "hardware" / "guide.py"))
    drawing = (ROOT / "hardware" / "wiring.svg").read_text(encoding="utf-8")
    for part, pin, to in guide["wires"](load_board()):
        assert f">{to}<" in drawing and f">{pin}<" in drawing and f">{part}<" in drawing, "run `make hardware`"


def test_the_schematic_shows_every_pin_and_net_of_the_default_board() -> None:
    drawing = (ROOT / "hardware" / "schematic.svg").read_text(encoding="utf-8")
    for (part, signal), pin in load_board().pins.items():
        assert drawing.count(f">{part}.{signal}<") >= 2 and f">GPIO{pin}<" in drawing, "run `make hardware`"


def test_every_part_has_its_place_in_the_enclosure() -> None:
    enclosure = runpy.run_path(str(ROOT / "hardware" / "enclosure.py"))
    sizes = json.loads((ROOT / "hardware" / "enclosure" / "sizes.json").read_text(encoding="utf-8"))
    for name, size in sizes.items():
        plan = enclosure["layout"](*enclosure["board_part"](name))
        assert [round(mm, 1) for mm in plan.outer_mm] == size["outer_mm"], "run `make hardware`"
        width_mm, depth_mm, height_mm = plan.outer_mm
        for n, one in enumerate(plan.placed):
            right, top = one.x + one.part.width_mm, one.y + one.part.depth_mm
            assert right + 2 * enclosure["WALL_MM"] <= width_mm and top + 2 * enclosure["WALL_MM"] <= depth_mm
            assert one.part.height_mm + enclosure["FLOOR_MM"] + enclosure["LID_MM"] <= height_mm
            for other in plan.placed[n + 1 :]:
                beside = right <= other.x or other.x + other.part.width_mm <= one.x
                assert beside or top <= other.y or other.y + other.part.depth_mm <= one.y, f"{one} lies on {other}"


def test_the_power_budget_is_what_the_script_computes() -> None:
    folder = ROOT / "hardware"
    text = (folder / "power-budget.md").read_text(encoding="utf-8")
    assert runpy.run_path(str(folder / "power_budget.py"))["budget"]() == text, "run `make docs`"


def test_every_exit_code_is_in_the_readme() -> None:
    text = (ROOT / "host" / "README.md").read_text(encoding="utf-8")
    told = {int(code) for code in re.findall(r"^\| (\d+) \| ", text.partition("## Exit codes")[2], re.MULTILINE)}
    kinds = [errors.VoicecardError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    used = {kind.exit_code for kind in kinds}
    for path in (ROOT / "host" / "voicecard").rglob("*.py"):
        used |= {
            int(code) for code in re.findall(r"(?:typer\.Exit|SystemExit)\((\d+)\)", path.read_text(encoding="utf-8"))
        }
    assert used | {0, 130} == told
