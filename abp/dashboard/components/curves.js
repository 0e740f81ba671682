// Curves over the epochs, drawn as SVG: a few lines, dotted rules at the prunings, and the values under the pointer.
const SVG_NAMES = "http://www.w3.org/2000/svg"
const EPOCH_STEPS = [10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000]
const CURVE_HEIGHT = 220
const EDGE = { left: 52, right: 10, top: 10, bottom: 40 }
const MOST_POINTS = 600 // of a line: more than a small chart can show

function svgPart(parent, name, attributes = {}, text = null) {
  const part = document.createElementNS(SVG_NAMES, name)
  for (const [key, value] of Object.entries(attributes)) part.setAttribute(key, value)
  if (text !== null) part.textContent = text
  parent.append(part)
  return part
}

const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)} %`

// Axes of the three curves: from where to where, and at which values there is a line.
const AXES = {
  accuracy: (values) => {
    const low = Math.min(0.9, Math.floor(10 * Math.min(1, ...values)) / 10)
    const step = low < 0.5 ? 0.2 : low < 0.8 ? 0.1 : 0.05
    return { low, high: 1, ticks: ticksOf(low, 1, step), words: (value) => percent(value, 0) }
  },
  loss: (values) => {
    const high = Math.max(0.5, Math.ceil(2 * Math.max(0, ...values)) / 2)
    return { low: 0, high, ticks: ticksOf(0, high, high <= 1 ? 0.25 : high <= 3 ? 0.5 : Math.ceil(high / 5)),
             words: (value) => value.toFixed(high <= 1 ? 2 : 1) }
  },
  sparsity: () => ({ low: 0, high: 1, ticks: ticksOf(0, 1, 0.25), words: (value) => percent(value, 0) }),
}

function ticksOf(low, high, step) {
  const ticks = []
  for (let tick = high; tick > low - 1e-9; tick -= step) ticks.push(tick)
  return ticks
}

class Curve {
  // `lines`: {label, column, dash}; `axis`: one of AXES; `words(data, index)` says the values at a point.
  constructor(figure, { title, unit, lines, axis, words, steps = false }) {
    Object.assign(this, { figure, title, unit, lines, axis, words, steps, cursor: null, data: null, width: 0 })
    this.svg = figure.querySelector("svg")
    this.output = figure.querySelector("output")
    this.svg.setAttribute("role", "img")
    this.svg.tabIndex = 0
    this.svg.onpointermove = (event) => this.point(this.nearest(event.clientX - this.svg.getBoundingClientRect().left))
    this.svg.onpointerleave = this.svg.onblur = () => this.point(-1)
    this.svg.onkeydown = (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key]
      if (!step || !this.data?.x.length) return
      this.point(Math.max(0, Math.min(this.data.x.length - 1, (this.pointed ?? -1) + step)))
      event.preventDefault()
    }
    new ResizeObserver(([entry]) => this.resize(Math.round(entry.contentRect.width))).observe(figure)
  }

  // Colours of the lines by their label, and with them the legend.
  colour(colours) {
    if (JSON.stringify(colours) === this.coloured) return
    this.coloured = JSON.stringify(colours)
    for (const line of this.lines) line.colour = colours[line.label]
    const entries = this.lines.map(({ label, colour, dash }) => {
      const entry = document.createElement("span")
      const swatch = entry.appendChild(document.createElement("i"))
      swatch.style.borderTop = `2px ${dash ? "dashed" : "solid"} ${colour}`
      entry.append(label)
      return entry
    })
    this.figure.querySelector(".lines").replaceChildren(...(entries.length > 1 ? entries : []))
    this.draw()
  }

  resize(width) {
    if (width === this.width || width < 60) return
    this.width = width
    this.draw()
  }

  // `data`: {x: [...], columns: {name: [...]}, rules: [{place}], last, most}: epochs so far and at most
  show(data) {
    this.data = data
    this.draw()
  }

  x(place) {
    const width = this.width - EDGE.left - EDGE.right
    return EDGE.left + (width * place) / this.until
  }

  y(value) {
    const { low, high } = this.scale
    const part = (Math.min(high, Math.max(low, value)) - low) / (high - low)
    return EDGE.top + (CURVE_HEIGHT - EDGE.top - EDGE.bottom) * (1 - part)
  }

  draw() {
    const { data, svg, width } = this
    if (!data || !width) return
    const last = Math.max(1, data.last, ...data.x.slice(-1))
    this.until = EPOCH_STEPS.find((step) => step >= last) ?? last
    if (data.most >= last) this.until = Math.min(this.until, data.most)
    this.scale = this.axis(this.lines.flatMap((line) => data.columns[line.column]).filter(Number.isFinite))
    svg.setAttribute("viewBox", `0 0 ${width} ${CURVE_HEIGHT}`)
    svg.setAttribute("height", CURVE_HEIGHT)
    svg.replaceChildren()
    this.drawAxes()
    for (const { place } of data.rules) {
      const x = this.x(place).toFixed(1)
      svgPart(svg, "line", { class: "rule", x1: x, x2: x, y1: EDGE.top, y2: CURVE_HEIGHT - EDGE.bottom })
    }
    for (const line of this.lines) this.drawLine(line)
    const upright = { y1: EDGE.top, y2: CURVE_HEIGHT - EDGE.bottom, visibility: "hidden" }
    this.here = svgPart(svg, "line", { class: "here", ...upright })
    this.at = svgPart(svg, "line", { class: "at", ...upright })
    this.mark(this.cursor)
    this.point(this.pointed ?? -1)
    svg.setAttribute("aria-label", this.said())
  }

  drawAxes() {
    const { svg, width } = this
    for (const tick of this.scale.ticks) {
      const y = this.y(tick).toFixed(1)
      svgPart(svg, "line", { class: "grid", x1: EDGE.left, x2: width - EDGE.right, y1: y, y2: y })
      svgPart(svg, "text", { x: EDGE.left - 6, y: Number(y) + 4, "text-anchor": "end" }, this.scale.words(tick))
    }
    const step = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500].find((each) => this.until / each <= 5) ?? this.until
    for (let tick = 0; tick <= this.until; tick += step) {
      const place = { x: this.x(tick), y: CURVE_HEIGHT - 24, "text-anchor": "middle" }
      svgPart(svg, "text", place, tick.toLocaleString("en"))
    }
    svgPart(svg, "text", { x: (width + EDGE.left) / 2, y: CURVE_HEIGHT - 6, "text-anchor": "middle" }, "epoch")
    const middle = (CURVE_HEIGHT - EDGE.bottom) / 2
    svgPart(svg, "text", { transform: `translate(11 ${middle}) rotate(-90)`, "text-anchor": "middle" }, this.unit)
  }

  drawLine({ column, colour, dash }) {
    const { x, columns } = this.data
    const stride = Math.ceil(x.length / MOST_POINTS)
    let path = ""
    x.forEach((place, index) => {
      const value = columns[column][index]
      if ((index % stride && index < x.length - 1) || !Number.isFinite(value)) return
      const [left, top] = [this.x(place).toFixed(1), this.y(value).toFixed(1)]
      path += !path ? `M${left} ${top}` : this.steps ? `H${left}V${top}` : `L${left} ${top}`
    })
    if (x.length === 1) path += "h0.01" // with round ends: a dot
    svgPart(this.svg, "path", { d: path || "M0 0", stroke: colour, "stroke-dasharray": dash ?? "none" })
  }

  nearest(left) {
    const { x } = this.data ?? { x: [] }
    if (!x.length) return -1
    const place = ((left - EDGE.left) / (this.width - EDGE.left - EDGE.right)) * this.until
    return x.reduce((best, each, index) => (Math.abs(each - place) < Math.abs(x[best] - place) ? index : best), 0)
  }

  point(index) {
    this.pointed = index < 0 ? undefined : index
    const words = index < 0 || !this.data ? "" : this.words(this.data, index)
    if (this.output.textContent !== words) this.output.textContent = words
    if (!this.here) return
    this.here.setAttribute("visibility", index < 0 ? "hidden" : "visible")
    if (index >= 0) for (const end of ["x1", "x2"]) this.here.setAttribute(end, this.x(this.data.x[index]))
  }

  // Where the film is.
  mark(place) {
    this.cursor = place
    if (!this.at) return
    this.at.setAttribute("visibility", place === null ? "hidden" : "visible")
    if (place !== null) for (const end of ["x1", "x2"]) this.at.setAttribute(end, this.x(place))
  }

  said() {
    const { data, title } = this
    if (!data.x.length) return `${title}: nothing to draw before the first epoch has ended.`
    const prunings = data.rules.length === 1 ? "1 pruning" : `${data.rules.length} prunings`
    return `${title} over ${data.last} epochs with ${prunings}. ${this.words(data, data.x.length - 1)}`
  }
}
