"""Desktop programs: windows, menus, forms with steps and tables, by pixels as they are drawn and by their trees."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from tests.tree_screens import box, node, place, white
from tools.gui.grounding import PIXELS, locate
from tools.gui.grounding.locate import items_of
from tools.gui.types import Node, Rect, Screen

pytest_plugins = ["tests.fixtures.browser"]

STYLE = """<style>*{box-sizing:border-box}
body{margin:0;background:#111;font:14px sans-serif}
.w{position:absolute;background:#f4f4f2;border:1px solid #888}
.t{height:22px;border-bottom:1px solid #888;
background:#dcdad6;text-align:center;font-size:12px;line-height:21px;color:#8a8a88}
.on .t{background:#8fb0dc;color:#000}
.t i{float:right;width:11px;height:11px;margin:5px 3px;border:1px solid #333} .m{height:26px;padding-left:8px}
.m span{display:inline-block;padding:4px 8px} .p{position:absolute;background:#fff;border:1px solid #999;padding:1px 0}
.p div{height:25px;padding:4px 26px} .b{position:absolute;border:1px solid #999;border-radius:4px;background:#fff;
text-align:center;padding-top:7px;height:32px} .l{position:absolute} .c{position:absolute;width:15px;height:15px;
border:1px solid #777;background:#fff} .o{border-radius:50%}</style>"""
BUTTONS = "<i></i><i></i><i></i>"
PICTURE = f"""<div class=w style="left:20px;top:20px;width:520px;height:420px"><div class=t>{BUTTONS}head.nii</div>
<div class=l style="left:60px;top:60px">coronal 1</div>
<div class=b style="left:16px;top:370px;width:160px">Labels</div>
<div class=b style="left:190px;top:370px;width:160px">Render</div></div>"""


def spin(left: int, top: int, value: str) -> str:
    step = "position:absolute;top:0;height:32px;width:34px;border-left:1px solid #ddd;padding:6px 12px"
    return f"""<div class=b style="left:{left}px;top:{top}px;width:130px;text-align:left;padding-left:9px">{value}
    <div style="{step};left:60px">&minus;</div><div style="{step};left:94px">+</div></div>"""


PAGES = {
    "menus": f"""{PICTURE}<div class="w on" style="left:640px;top:60px;width:330px;height:110px">
    <div class=t>{BUTTONS}Viewer</div>
    <div class=m><span>File</span><span>Images</span><span>Options</span><span>Help</span></div></div>
    <div class=p style="left:697px;top:109px;width:150px"><div>View</div><div>Extract</div><div>Flip</div>
    <div>Matrix</div></div>
    <div class=p style="left:846px;top:134px;width:130px"><div>Normal</div><div>Ecat</div></div>""",
    "dialog": f"""{PICTURE}<div class="w on" style="left:560px;top:240px;width:520px;height:400px">
    <div class=t>{BUTTONS}Series Dialog</div>
    <div class=l style="left:20px;top:40px">View Type:</div>
    <div class="c o" style="left:130px;top:41px"></div><div class=l style="left:152px;top:40px">transverse</div>
    <div class="c o" style="left:130px;top:71px"></div><div class=l style="left:152px;top:70px">coronal</div>
    <div class=l style="left:20px;top:120px">ROI Width (pixels)</div>{spin(200, 112, "2")}
    <div class=l style="left:20px;top:170px">Transparency</div>{spin(200, 162, "0.5")}
    <div class=l style="left:20px;top:222px">Keep the view size:</div>
    <div class=c style="left:210px;top:222px"></div>
    <div class=b style="left:16px;top:350px;width:120px">Cancel</div>
    <div class=b style="left:150px;top:350px;width:120px">Execute</div></div>""",
}


def take(page: Page) -> Screen:
    with Image.open(io.BytesIO(page.screenshot())) as picture:
        return Screen(rgb=np.asarray(picture.convert("RGB")))


@pytest.fixture(scope="module")
def drawn(browser: Browser) -> Iterator[dict[str, Screen]]:
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    screens = {}
    for name, html in PAGES.items():
        page.set_content(STYLE + html)
        screens[name] = take(page)
    yield screens
    page.close()


@pytest.mark.parametrize(
    ("name", "said", "bounds"),
    [
        ("menus", "Open the Options menu", (774, 83, 838, 108)),
        ("menus", "Open the menu between Images and Help", (774, 83, 838, 108)),
        ("menus", "Choose Flip from the Images menu", (697, 160, 846, 186)),
        ("menus", "Choose the last entry of the Images menu", (697, 185, 846, 211)),
        ("menus", "Choose the last entry of the open menu", (846, 160, 976, 186)),
        ("menus", "Select Normal in the Extract submenu", (846, 134, 976, 160)),
        ("dialog", "Select coronal as the view type", (688, 308, 770, 330)),
        ("dialog", "Choose coronal in the Series Dialog", (688, 308, 770, 330)),
        ("dialog", "Click Cancel in the Series Dialog", (575, 590, 697, 623)),
        ("dialog", "Tick the box Keep the view size", (769, 461, 787, 480)),
        ("dialog", "Click the Render button in the head.nii window", (210, 390, 371, 423)),
    ],
)
def test_windows_and_menus_are_known_by_how_they_are_drawn(
    drawn: dict[str, Screen], name: str, said: str, bounds: tuple[int, int, int, int]
) -> None:
    found = locate(said, drawn[name], layers=PIXELS)
    assert found.targets
    assert not found.abstained
    assert Rect(**dict(zip(("left", "top", "right", "bottom"), bounds, strict=True))).holds(found.targets[0].point)


@pytest.mark.parametrize("said", ["Enter 3 into the ROI Width field", "Set the ROI width to 3"])
def test_a_number_is_typed_beside_its_steps(drawn: dict[str, Screen], said: str) -> None:
    found = locate(said, drawn["dialog"], layers=PIXELS)
    assert found.targets
    assert not found.abstained
    # The minus begins at 820.
    assert Rect(left=761, top=353, right=818, bottom=384).holds(found.targets[0].point)


def test_words_of_a_menu_bar_are_read_as_one_line_and_are_several_menus(drawn: dict[str, Screen]) -> None:
    items = items_of(drawn["menus"])
    assert [item.title for item in items if item.role == "menu"] == ["File", "Images", "Options", "Help", "Extract"]
    assert [item.title for item in items if item.role == "menuitem"] == ["View", "Flip", "Matrix", "Normal", "Ecat"]
    assert [item.title for item in items if item.role == "window"] == ["Viewer", "head.nii"]


def listed(role: str, rows: list[tuple[str, ...]], heads: tuple[str, ...] = ()) -> list[Node]:
    """The tree of a window with a table."""
    nodes = [box("window", "Options", 0, 0, 800, 600), box(role, "", 20, 40, 700, 400, depth=1)]
    nodes += [node("table column header", head, 20 + 200 * at, 40, 198, depth=2) for at, head in enumerate(heads)]
    for line, row in enumerate(rows):
        nodes += [node("cell", cell, 20 + 200 * at, 70 + 30 * line, 198, depth=2) for at, cell in enumerate(row)]
    return nodes


KEYS = listed("table", [("Save", "Ctrl+S"), ("Refresh", "F5"), ("Print", "")], ("Action", "Key sequence"))
PAGES_OF_OPTIONS = [*listed("table", [("General",), ("Layout",), ("Advanced",)]),
                    node("slider", "Delay before advanced tips", 300, 150, depth=1)]  # fmt: skip


@pytest.mark.parametrize(
    ("nodes", "said", "left", "top"),
    [
        (KEYS, "Click the key sequence of Refresh", 220, 100),
        (KEYS, "Click the empty key sequence in the row Print", 220, 130),
        (KEYS, "Select the second row of the table", 20, 100),
        (PAGES_OF_OPTIONS, "Select Advanced in the list on the left", 20, 130),
        (PAGES_OF_OPTIONS, "Go to the last page in the list", 20, 130),
    ],
)
def test_cells_of_a_table_are_told_by_row_and_column(nodes: list[Node], said: str, left: float, top: float) -> None:
    found = place(said, nodes)
    assert found is not None
    assert (found.left, found.top) == (left, top)


def test_a_tab_is_not_called_by_what_is_on_its_page() -> None:
    nodes = [
        box("window", "Format", 0, 0, 800, 600),
        node("page tab", "Font", 20, 40, depth=1),
        node("label", "Underline:", 40, 120, depth=2),
        node("page tab", "Border", 120, 40, depth=1),
    ]
    assert place("Click on Underline", nodes) != nodes[1].rect
    assert place("Go to the Font tab", nodes) == nodes[1].rect


def test_a_number_is_typed_into_the_left_of_its_field_in_a_tree() -> None:
    nodes = [
        box("dialog", "Copies", 0, 0, 400, 300),
        node("label", "Copies:", 20, 50, depth=1),
        node("spinbutton", "", 120, 50, 130, depth=1),
    ]
    for said in ("Set the number of copies to 2", "Enter 2 into the Copies field"):
        found = locate(said, white(nodes), layers=frozenset({"tree"}))
        assert found.targets
        assert not found.abstained
        # The steps take up the right half.
        assert nodes[2].rect.left < found.targets[0].point.x_px < nodes[2].rect.center.x_px - 20


MENUS = [
    box("window", "Sheet", 0, 0, 800, 600),
    node("menu", "Format", 100, 20, depth=1),
    node("menu", "Row", 100, 50, depth=2),
    node("menuitem", "Hide", 200, 50, depth=3),
    node("menuitem", "Height", 200, 80, depth=3),
    node("menuitem", "Autoformat", 100, 80, depth=2),
]


@pytest.mark.parametrize(
    ("said", "name"),
    [("Choose the last entry of the Format menu", "Autoformat"), ("Choose the last entry of the menu", "Height")],
)
def test_entries_are_counted_in_the_menu_that_is_named(said: str, name: str) -> None:
    assert place(said, MENUS) == next(each.rect for each in MENUS if each.name == name)


RADIOS = [
    box("dialog", "Render", 0, 0, 400, 300),
    node("label", "Interpolation Type", 20, 20, 200, depth=1),
    *(node("radio", name, 40, 50 + 30 * at, 200, depth=1) for at, name in enumerate(("Nearest", "Tiles", "Bilinear"))),
]


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("Choose the first interpolation type in the list", "Nearest"),
        ("Select Bilinear as the interpolation type", "Bilinear"),
        ("Select the radio button directly below Nearest", "Tiles"),
    ],
)
def test_choices_are_told_by_what_they_are_for_and_where_they_stand(said: str, name: str) -> None:
    assert place(said, RADIOS) == next(each.rect for each in RADIOS if each.name == name)


@pytest.mark.parametrize("rows", [False, True])
@pytest.mark.parametrize("role", ["table", "tree table", "list box", "tree", "list"])
def test_a_cell_is_found_whatever_holds_it(role: str, rows: bool) -> None:
    nodes = [box("window", "Options", 0, 0, 800, 600), box(role, "", 20, 40, 700, 400, depth=1)]
    nodes += [box("table row", "", 20, 70, 420, 96, depth=2)] if rows else []
    nodes += [node("cell", "Refresh", 20, 70, 198, depth=3)]
    assert place("Click on Refresh", nodes) == nodes[-1].rect


def test_cells_with_an_icon_and_a_name_stay_in_their_row() -> None:
    nodes = [box("window", "Patients", 0, 0, 800, 600), box("table", "", 20, 40, 700, 400, depth=1)]
    for at, (name, state) in enumerate((("Alpha", "stable"), ("Beta", "critical"), ("Gamma", "stable"))):
        top = 70 + 40 * at
        nodes += [
            box("cell", "", 20, top, 218, top + 36, depth=2),
            box("cell", name, 60, top + 8, 200, top + 28, depth=3),
            box("cell", state, 220, top, 418, top + 36, depth=2),
        ]
    found = place("Select the second row of the table", nodes)
    assert found is not None
    assert (found.top, found.bottom) == (110, 146)


@pytest.mark.parametrize("said", ["Take the first item from the Edit menu", "In the Edit menu, choose the last entry"])
def test_entries_of_a_menu_that_is_shut_are_not_those_of_another(said: str) -> None:
    found = place(said, [*MENUS, node("menu", "Edit", 40, 20, 50, depth=1)])
    assert found not in [each.rect for each in MENUS]


def test_rows_behind_a_dialog_are_not_counted() -> None:
    nodes = [
        box("window", "Patients", 0, 0, 800, 600),
        box("table", "", 120, 190, 620, 590, depth=1),
        node("cell", "Okafor", 130, 200, depth=2),
        node("cell", "Silva", 130, 240, depth=2),
        box("dialog", "Confirm", 100, 100, 600, 400, depth=1),
        node("button", "OK", 200, 360, depth=2),
    ]
    assert place("Click the second row", nodes) is None
