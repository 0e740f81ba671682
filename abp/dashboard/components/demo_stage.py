"""The guided demo's picture: a network whose neurons light up, go and move together, drawn by the browser.

An SVG of its own instead of a chart, since it has to fill a projector and fit a phone, and since what changes from one
frame to the next moves there by itself (CSS transitions).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

_CSS = """
.large { font-size: 1.25em; }
.stage { font-family: var(--st-font); color: var(--st-text-color); }
.steps { display: flex; gap: .5em; align-items: center; flex-wrap: wrap; list-style: none; margin: 0; padding: 0; }
.steps li { width: .8em; height: .8em; border-radius: 50%; border: 2px solid var(--st-text-color); }
.steps li.done { background: var(--st-text-color); }
.steps li.now { background: var(--st-primary-color); border-color: var(--st-primary-color); width: 1.9em;
  border-radius: .5em; }
.title { font-weight: 650; margin-left: .4em; font-size: 1.15em; }
.sentence { font-size: 1.3em; line-height: 1.35; margin: .35em 0 .5em; min-height: 2.7em; max-width: 62em; }
svg { display: block; width: 100%; height: min(36vh, 25em); }
.large svg { height: 44vh; }
circle { transition: fill .6s, transform .9s, opacity .6s, r .6s, stroke-opacity .4s; }
text { fill: var(--st-text-color); font-size: .75px; text-anchor: middle; }
.under { display: flex; flex-wrap: wrap; justify-content: space-between; gap: .2em 1.5em; font-size: .9em; }
.scale { display: inline-block; width: 6em; height: .7em; border-radius: .2em; vertical-align: -.05em; }
.bars { display: grid; grid-template-columns: repeat(2, 1fr); gap: .5em 2em; margin-top: .5em; min-height: 5.2em;
  align-content: start; }
.bars p { margin: 0 0 .15em; display: flex; justify-content: space-between; gap: 1em; line-height: 1.25; }
.bars b { font-weight: 650; white-space: nowrap; }
.track { height: .7em; border-radius: .35em; background: var(--st-secondary-background-color);
  border: 1px solid var(--st-border-color); overflow: hidden; }
.fill { height: 100%; width: 0; transition: width .7s; }
@media (max-width: 640px) {
  .bars { grid-template-columns: 1fr; min-height: 10.9em; }
  .sentence { font-size: 1.1em; min-height: 8.1em; }
  svg, .large svg { height: auto; aspect-ratio: 26 / 12; }
  .large { font-size: 1em; }
  text { font-size: 1.1px; }
}
@media (prefers-reduced-motion: reduce) { circle, .fill { transition: none; } }
"""

_HTML = """
<div class="stage">
  <ol class="steps"></ol>
  <p class="sentence" aria-live="polite"></p>
  <svg role="img" preserveAspectRatio="xMidYMid meet"></svg>
  <div class="under"><span class="note"></span>
    <span><span>fires for no picture</span> <span class="scale"></span> <span>for all</span></span></div>
  <div class="bars"></div>
</div>
"""

_JS = """
const drawn = new WeakMap();
const SVG = "http://www.w3.org/2000/svg";

function element(parent, name, text) {
  const made = parent.namespaceURI === SVG || name === "circle" || name === "text"
    ? document.createElementNS(SVG, name) : document.createElement(name);
  if (text !== undefined) made.textContent = text;
  parent.appendChild(made);
  return made;
}

function layOut(hidden) {
  const all = hidden.reduce((sum, width) => sum + width, 0);
  const rows = Math.max(4, Math.round(Math.sqrt(all / 2.4)));
  let left = 0;
  const layers = hidden.map(width => {
    const columns = Math.ceil(width / rows);
    const layer = { left, columns, width };
    left += columns + 1.5;
    return layer;
  });
  return { rows, layers, width: left - 1.5 };
}

function place(layer, index, rows) {
  return [layer.left + Math.floor(index / rows) + 0.5, (index % rows) + 0.5];
}

function build(root, hidden) {
  const svg = root.querySelector("svg");
  svg.replaceChildren();
  const plan = layOut(hidden);
  svg.setAttribute("viewBox", `-0.3 -0.3 ${plan.width + 0.6} ${plan.rows + 1.9}`);
  plan.layers.forEach((layer, number) => {
    const label = element(svg, "text", layer.columns > 3 ? `layer ${number + 1}` : number + 1);
    label.setAttribute("x", layer.left + layer.columns / 2);
    label.setAttribute("y", plan.rows + 1.1);
  });
  plan.dots = plan.layers.flatMap(layer => Array.from({ length: layer.width }, () => element(svg, "circle")));
  return plan;
}

function paint(root, plan, data, colours, style) {
  let index = 0;
  const grey = style.getPropertyValue("--st-gray-color") || "#8A8F98";
  for (const layer of plan.layers) {
    const alive = data.alive.slice(index, index + layer.width);
    const left = alive.filter(Boolean).length;
    const rows = data.packed ? Math.max(1, Math.round(Math.sqrt(left * plan.rows / Math.max(1, layer.columns))))
      : plan.rows;
    const columns = Math.ceil(left / rows);
    let rank = 0;
    for (let i = 0; i < layer.width; i++, index++) {
      const dot = plan.dots[index];
      let [x, y] = place(layer, i, plan.rows);
      if (data.packed && alive[i]) {
        x = layer.left + layer.columns / 2 - columns / 2 + Math.floor(rank / rows) + 0.5;
        y = plan.rows / 2 - rows / 2 + (rank % rows) + 0.5;
        rank++;
      }
      dot.style.transform = `translate(${x}px, ${y}px)`;
      dot.setAttribute("r", alive[i] ? (data.marked[index] ? 0.34 : 0.42) : 0.13);
      dot.style.fill = alive[i] ? colours[Math.min(9, Math.floor(data.glow[index] / 10))] : grey;
      dot.style.opacity = alive[i] ? (data.marked.includes(1) && !data.marked[index] ? 0.25 : 1)
        : (data.packed ? 0.25 : 0.6);
      dot.style.stroke = data.marked[index] ? style.getPropertyValue("--st-text-color") : "none";
      dot.style.strokeWidth = data.marked[index] ? 0.16 : 0;
      if (data.packed && alive[i]) dot.parentNode.appendChild(dot);
    }
  }
}

function bars(root, rows) {
  const box = root.querySelector(".bars");
  while (box.children.length > rows.length) box.lastChild.remove();
  rows.forEach((row, index) => {
    let bar = box.children[index];
    if (!bar) {
      bar = element(box, "div");
      const line = element(bar, "p");
      element(line, "span");
      element(line, "b");
      const track = element(bar, "div");
      track.className = "track";
      element(track, "div").className = "fill";
    }
    bar.querySelector("span").textContent = row.label;
    bar.querySelector("b").textContent = row.text;
    const fill = bar.querySelector(".fill");
    fill.style.background = row.colour;
    fill.style.width = `${100 * (row.share ?? 0)}%`;
  });
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".stage");
  const style = getComputedStyle(root);
  const colours = style.getPropertyValue("--st-chart-sequential-colors").split(",");
  const shape = data.hidden.join();
  let plan = drawn.get(root);
  if (!plan || plan.shape !== shape) {
    plan = build(root, data.hidden);
    plan.shape = shape;
    drawn.set(root, plan);
  }
  root.classList.toggle("large", data.large);
  const steps = root.querySelector(".steps");
  steps.replaceChildren();
  data.titles.forEach((title, index) => {
    const dot = element(steps, "li");
    dot.className = index + 1 < data.step ? "done" : index + 1 === data.step ? "now" : "";
    dot.setAttribute("aria-label", `Step ${index + 1}: ${title}`);
    if (index + 1 === data.step) dot.setAttribute("aria-current", "step");
  });
  const title = element(steps, "li", `${data.step}. ${data.titles[data.step - 1]}`);
  title.className = "title";
  title.style.cssText = "width: auto; height: auto; border: none;";
  const sentence = root.querySelector(".sentence");
  if (sentence.textContent !== data.sentence) sentence.textContent = data.sentence;
  root.querySelector("svg").setAttribute("aria-label", data.alt);
  root.querySelector(".note").textContent = data.note;
  root.querySelector(".scale").style.background = `linear-gradient(to right, ${colours.join(",")})`;
  paint(root, plan, data, colours, style);
  bars(root, data.bars);
}
"""

_component = st.components.v2.component("guided_demo_stage", html=_HTML, css=_CSS, js=_JS)


@dataclass(frozen=True)
class Bar:
    """A measure as a bar: `share` of the full width, from 0 to 1, or None while it is not known."""

    label: str
    share: float | None
    text: str
    colour: str


@dataclass(frozen=True)
class Frame:
    """One picture of the network.

    Attributes
    ----------
    note
        When in the run it is, in words.
    glow
        Share of pictures for which each hidden neuron fires, ``[neurons]`` of all layers joined, 0 to 1.
    alive
        Whether it is still there, bool ``[neurons]``.
    marked
        Whether it is pointed out, bool ``[neurons]``.
    bars
        Measures below the picture; as many in every frame of a scene.
    packed
        Whether what is left is drawn close together.
    """

    note: str
    glow: NDArray
    alive: NDArray
    marked: NDArray
    bars: tuple[Bar, ...]
    packed: bool = False


def stage(
    frame: Frame, *, hidden: Sequence[int], titles: Sequence[str], step: int, sentence: str, large: bool, key: str
) -> None:
    """Draw one frame with its words.

    Parameters
    ----------
    hidden
        Neurons of each hidden layer.
    titles, step
        Of all steps, and which of them this is, from 1.
    large
        For a projector.
    """
    data = {
        "hidden": list(hidden),
        "titles": list(titles),
        "step": step,
        "sentence": sentence,
        "large": large,
        "note": frame.note,
        "glow": np.rint(100 * frame.glow).astype(int).tolist(),
        "alive": frame.alive.astype(int).tolist(),
        "marked": frame.marked.astype(int).tolist(),
        "packed": frame.packed,
        "bars": [
            {"label": bar.label, "share": bar.share, "text": bar.text, "colour": bar.colour} for bar in frame.bars
        ],
        "alt": alt(frame),
    }
    _component(data=data, key=key)


def alt(frame: Frame) -> str:
    """The picture in words."""
    alive, marked = int(frame.alive.sum()), int(frame.marked.sum())
    words = f"{frame.note}: {alive} of {len(frame.alive)} neurons are there"
    words += f", {marked} of them pointed out" if marked else ""
    mean = 100 * float(frame.glow[frame.alive].mean()) if alive else 0.0
    return f"{words}; on average they fire for {mean:.0f} % of the pictures."
