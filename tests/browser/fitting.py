"""Whether a page fits its window and a finger: nothing reaches over an edge, is cut off or too small to be tapped."""

from __future__ import annotations

from typing import Any

_MISFITS = """() => {
  const shown = part => part.getClientRects().length && getComputedStyle(part).visibility !== "hidden"
  const said = part => `${part.tagName} ${(part.innerText || part.getAttribute("aria-label") || "").slice(0, 60)}`
  const scrolls = part => {
    for (let at = part.parentElement; at && at.dataset.testid !== "stMain"; at = at.parentElement) {
      if (["auto", "scroll", "hidden", "clip"].includes(getComputedStyle(at).overflowX)) return true
    }
    return false
  }
  const main = document.querySelector('[data-testid="stMain"]')
  const found = []
  for (const part of [document.documentElement, main]) {
    if (part.scrollWidth > part.clientWidth + 1) found.push(`${said(part)} scrolls sideways`)
  }
  for (const part of main.querySelectorAll("canvas, svg, img, button, input, select, p, h1, h2, h3, a, table")) {
    if (!shown(part) || scrolls(part)) continue
    const { left, right } = part.getBoundingClientRect()
    if (right > innerWidth + 1 || left < -1) found.push(`${said(part)} reaches over the edge`)
  }
  for (const part of main.querySelectorAll("button p, a :is(p, span), label p, h1, h2, h3, [role=alert] p")) {
    const style = getComputedStyle(part)
    const cut = style.overflowX !== "visible" && part.scrollWidth > part.clientWidth + 1
    if (shown(part) && cut && style.overflowX !== "auto") found.push(`${said(part)} is cut off`)
  }
  for (const legend of main.querySelectorAll("svg .role-legend")) {
    const [{ left, right }, chart] = [legend, legend.ownerSVGElement].map(part => part.getBoundingClientRect())
    if (left < chart.left - 1 || right > chart.right + 1) found.push(`the legend ${legend.textContent} is cut off`)
  }
  // Links in a sentence may be as small as its words, and a slider is taken anywhere on its line.
  for (const part of main.querySelectorAll("button, input:not([type=range]), select, [role=button], [role=tab]")) {
    const target = ["radio", "checkbox"].includes(part.type) ? part.closest("label") : part
    if (!target || !shown(target)) continue
    const { width, height } = target.getBoundingClientRect()
    if (width > 1 && Math.min(width, height) < 23.5) found.push(`${said(target)} is ${width} x ${height} pixels`)
  }
  return [...new Set(found)]
}"""


def misfits(page: Any) -> list[str]:
    """What of a page does not fit its window, in words."""
    return page.evaluate(_MISFITS)
