"""The drawing core, alone on an empty page of a real browser."""

from __future__ import annotations

import pytest

from abp.dashboard.components.scripts import GRID, script

pytest.importorskip("playwright.sync_api")

THEME = {
    "scale": "#000000,#ffffff",
    "background": "#ff0000",
    "text": "#00ff00",
    "muted": "#0000ff",
    "accent": "#00ffff",
    "font": "sans-serif",
}
NETWORKS = [[1], [20, 10], [300, 200, 100, 50], [4096], [784, 2, 784], [64] * 8]
SIZES = {"projector": (848, 250), "desktop": (1200, 250), "phone": (358, 250)}

# What a cell shows at its middle, as [red, green, blue].
SHOWN = """neuron => {
  const { x, y, side } = grid.boxOf(neuron)
  return [...grid.context.getImageData((x + side / 2) * grid.scale, (y + side / 2) * grid.scale, 1, 1).data.slice(0, 3)]
}"""


@pytest.fixture
def page(visit):
    """A page with the core loaded and a grid of its own."""
    page = visit("about:blank")
    page.set_content("<canvas></canvas>")
    page.add_script_tag(content=script(*GRID) + "\nwindow.NeuronGrid = NeuronGrid")
    page.evaluate(
        """theme => {
          window.still = false
          window.grid = new NeuronGrid(document.querySelector("canvas"), { moves: () => !still })
          grid.setTheme(theme)
        }""",
        THEME,
    )
    return page


def arrange(page, hidden: list[int], width: int = 848, height: int = 250, scale: int = 1) -> None:
    page.evaluate("([hidden, ...size]) => grid.arrange(hidden, ...size)", [hidden, width, height, scale])


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("hidden", NETWORKS, ids=str)
def test_every_neuron_has_its_own_cell_on_the_canvas_and_is_found_there(hidden, size, page):
    arrange(page, hidden, *size)
    boxes = page.evaluate("Array.from({ length: grid.neurons }, (_, neuron) => grid.boxOf(neuron))")
    assert len(boxes) == sum(hidden)
    assert len({(box["x"], box["y"]) for box in boxes}) == len(boxes)
    side = boxes[0]["side"]
    assert side >= 4 and all(box["side"] == side for box in boxes)
    width, height = page.evaluate("[grid.size.width, grid.size.height]")
    assert width <= size[0]
    assert all(0 <= box["x"] <= width - side and 0 <= box["y"] <= height - side for box in boxes)
    found = page.evaluate(
        """Array.from({ length: grid.neurons }, (_, neuron) => {
          const { x, y, side } = grid.boxOf(neuron)
          return grid.neuronAt(x + side / 2, y + side / 2)
        })"""
    )
    assert found == list(range(sum(hidden)))


def test_the_published_network_stands_in_one_row_on_a_projector_and_is_stacked_on_a_phone(page):
    arrange(page, [300, 200, 100, 50], *SIZES["projector"])
    tops, height = page.evaluate("[grid.blocks.map(block => block.y), grid.size.height]")
    assert len(set(tops)) == 1 and height <= 250
    assert page.evaluate("grid.cell") >= 12
    arrange(page, [300, 200, 100, 50], *SIZES["phone"])
    assert page.evaluate("new Set(grid.blocks.map(block => block.y)).size") == 4


def test_a_cell_shows_its_shade_and_a_removed_neuron_a_cross(page):
    arrange(page, [3])
    page.evaluate("grid.show([0, 0.5, 1], [1, 1, 1]), grid.paint(performance.now())")
    assert [page.evaluate(SHOWN, neuron)[0] for neuron in range(3)] == pytest.approx([0, 128, 255], abs=1)
    page.evaluate("grid.show([0, 0.5, 1], [1, 0, 1]), grid.paint(performance.now())")
    red, green, blue = page.evaluate(SHOWN, 1)
    assert red > blue > green  # the background under a faint stroke
    assert page.evaluate(SHOWN, 2) == [255, 255, 255]


def test_between_two_pictures_a_cell_moves_evenly_and_then_rests(page):
    arrange(page, [1])
    page.evaluate("grid.show([0], [1]), grid.paint(performance.now())")
    seen = page.evaluate(
        f"""(() => {{
          const start = performance.now() + 1000
          grid.show([1], [1], 100, start)
          return [0, 50, 100, 150].map(after => [grid.paint(start + after), ({SHOWN})(0)[0]])
        }})()"""
    )
    assert [moving for moving, _ in seen] == [True, True, False, False]
    assert [shade for _, shade in seen] == pytest.approx([0, 128, 255, 255], abs=1)


def test_with_reduced_motion_a_cell_is_at_once_what_it_shall_be(page):
    arrange(page, [2])
    page.evaluate("still = true, grid.show([0, 0], [1, 1])")
    page.evaluate("grid.show([1, 1], [1, 0], 1000), grid.went([1]), grid.paint(performance.now())")
    assert page.evaluate(SHOWN, 0) == [255, 255, 255]
    assert page.evaluate("grid.paint(performance.now())") is False
    assert page.evaluate(SHOWN, 1) == [0, 255, 255]  # its cross is marked, without a movement


def test_a_neuron_that_goes_lights_up_then_stays_marked_and_is_a_faint_cross_in_the_end(page):
    arrange(page, [1])
    shades = page.evaluate(
        f"""(() => {{
          const start = performance.now()
          grid.show([1], [1], 0, start)
          grid.paint(start)
          grid.show([1], [0], 0, start)
          grid.went([0], start)
          return [100, 3000, 8000].map(after => [grid.paint(start + after), ({SHOWN})(0)])
        }})()"""
    )
    (goes, light), (marked, cross), (ended, faint) = shades
    assert goes and not marked and not ended
    assert light[1] > 100 and cross == [0, 255, 255]  # text's colour over red, then the accent's
    assert faint[0] > faint[2] > 0 and faint[1] == 0


def test_a_neuron_that_goes_stays_within_its_cell_even_in_a_frame_that_began_before(page):
    """The time of an animation frame is that of its beginning, which may lie before the message that it draws."""
    arrange(page, [2])
    outside = page.evaluate(
        """(() => {
          const start = performance.now()
          grid.show([1, 1], [1, 0], 0, start)
          grid.went([1], start)
          const { x, y, side } = grid.boxOf(1)
          grid.paint(start - 50)
          const pixel = (left, top) => [...grid.context.getImageData(left, top, 1, 1).data]
          return [pixel(x - 1, y + side / 2), pixel(x + side + 1, y + side / 2)]
        })()"""
    )
    assert outside == [[255, 0, 0, 255]] * 2  # the background


def test_only_cells_that_changed_are_painted(page):
    arrange(page, [300, 200, 100, 50])
    painted = page.evaluate(
        """(() => {
          const all = new Float32Array(650).fill(0.5), live = new Uint8Array(650).fill(1)
          grid.show(all, live)
          grid.paint(performance.now())
          let cells = 0
          const draw = grid.drawCell.bind(grid)
          grid.drawCell = (...cell) => (cells++, draw(...cell))
          grid.paint(performance.now())
          all[7] = all[400] = 0.9
          grid.show(all, live)
          grid.paint(performance.now())
          return cells
        })()"""
    )
    assert painted == 2


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_arrow_keys_reach_every_neuron(size, page):
    arrange(page, [7, 5, 30], *size)
    reached = page.evaluate(
        """(() => {
          const reached = new Set([0]), waiting = [0]
          while (waiting.length) {
            const here = waiting.pop()
            for (const step of [[-1, 0], [1, 0], [0, -1], [0, 1]]) {
              const next = grid.beside(here, ...step)
              if (!reached.has(next)) reached.add(next), waiting.push(next)
            }
          }
          return [...reached].sort((one, other) => one - other)
        })()"""
    )
    assert reached == list(range(42))
