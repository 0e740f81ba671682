// One sample's way through a network: inputs, every hidden neuron, classes, and over them the links between those that
// spoke most for or against the answer. Drawn anew at the end of each stroke and at each step of the slider.
const HIGH = 180 // pixels of a layer beside the others, at most
const APART = 40 // pixels between two of them, where links run
const STACKED = 620 // pixels of width below which all stand below each other
const CELLS = { most: 14, least: 4, stacked: 13, touched: 20 }
const FEW = 150 // neurons of a layer, at most, that are large enough for a finger where layers stand below each other

export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  const flow = parentElement.querySelector(".flow")
  const steps = flow.querySelector(".steps")
  const tip = flow.querySelector(".tip")
  flow.layers ??= []
  build(flow, steps, tip, data)
  const draw = () => {
    const plan = arrange(flow.clientWidth, data)
    flow.classList.toggle("stacked", plan.stacked)
    data.layers.forEach((layer, index) => drawLayer(flow, data, layer, index, plan))
    drawLinks(flow, steps, data)
  }
  data.layers.forEach((layer, index) => {
    const { pointer } = flow.layers[index]
    const point = (neuron) => setStateValue("pointed", [index, neuron])
    pointer.rest = point
    // Counted, since a second click on a neuron would be taken for the first while the page is still drawn for that.
    const click = (neuron) => setTriggerValue("clicked", [index, neuron, (flow.clicks = (flow.clicks ?? 0) + 1)])
    pointer.choose = (neuron) => (data.switches ? click(neuron) : point(neuron))
    pointer.describe = (neuron) => describe(layer, neuron)
    pointer.portray = (neuron) => showPortrait(tip, data, index, neuron)
  })
  drawInputs(steps.firstChild, data)
  drawClasses(steps.lastChild, data)
  draw()
  for (const { pointer } of flow.layers) pointer.say()
  // Whatever changes its size or place moves the links: a turned phone, a picture that has come, other words.
  flow.observer?.disconnect()
  let width = flow.clientWidth
  flow.observer = new ResizeObserver(() => {
    if (!flow.isConnected) return // another page has come
    if (flow.clientWidth !== width) draw()
    else drawLinks(flow, steps, data)
    width = flow.clientWidth
  })
  for (const part of [flow, ...steps.children]) flow.observer.observe(part)
}

// The elements, as many as there are layers; those that are there stay, so that nothing flickers.
function build(flow, steps, tip, data) {
  if (flow.layers.length === data.layers.length && steps.children.length) return
  flow.layers = []
  const part = (name) => {
    const figure = document.createElement("figure")
    figure.className = name
    figure.append(document.createElement("figcaption"))
    return figure
  }
  const hidden = data.layers.map(() => {
    const figure = part("layer")
    const canvas = document.createElement("canvas")
    figure.append(canvas)
    const pointer = new GridPointer(new NeuronGrid(canvas, { titles: false }), tip)
    pointer.write = (words, neuron) => {
      if (tip.firstChild.textContent !== words) tip.firstChild.textContent = words
      pointer.portray?.(neuron)
    }
    flow.layers.push({ figure, canvas, pointer })
    return figure
  })
  steps.replaceChildren(part("inputs"), ...hidden, part("classes"))
}

// Layers beside each other at the largest cells for which all have room; below each other where there is none.
function arrange(width, data) {
  const sizes = data.layers.map(({ outputs }) => outputs.length)
  const room = width - 100 - 150 - APART * (sizes.length + 1)
  if (width >= STACKED) {
    for (let cell = CELLS.most; cell >= CELLS.least; cell--) {
      const rows = Math.floor(HIGH / cell)
      const columns = sizes.map((neurons) => Math.ceil(neurons / rows))
      const needed = columns.reduce((sum, count) => sum + Math.max(64, count * cell), 0)
      if (needed <= room) return { stacked: false, cell, columns }
    }
  }
  const widest = Math.max(...sizes)
  const cell = widest > 1200 ? 5 : widest > 400 ? 8 : widest > FEW ? CELLS.stacked : CELLS.touched
  const most = Math.max(1, Math.floor(Math.min(width, 640) / cell))
  return { stacked: true, cell, columns: sizes.map((neurons) => Math.min(neurons, most)) }
}

function heading(figure, name, more) {
  const bold = document.createElement("b")
  bold.textContent = name
  const rest = document.createElement("span")
  rest.textContent = more
  figure.firstChild.replaceChildren(bold, rest)
}

function drawInputs(figure, { inputs }) {
  heading(figure, inputs.title, inputs.words)
  const made = []
  if (inputs.picture) {
    const image = new Image()
    image.src = inputs.speaking || inputs.picture
    image.alt = inputs.speaking ? `${inputs.words}; orange spoke for the answer, blue against it` : inputs.words
    made.push(image)
  }
  if (inputs.lines.length) {
    const list = document.createElement("ul")
    for (const line of inputs.lines) list.append(Object.assign(document.createElement("li"), { textContent: line }))
    made.push(list)
  }
  figure.replaceChildren(figure.firstChild, ...made)
}

function drawClasses(figure, { classes, probabilities, answer, colour, title }) {
  heading(figure, "Answer", "")
  const list = document.createElement("ul")
  list.setAttribute("aria-label", `${title}: the classes that the network comes to`)
  classes.forEach((name, index) => {
    const row = document.createElement("li")
    row.classList.toggle("answer", index === answer)
    const [word, bar, figureOf] = ["span", "i", "span"].map((kind) => document.createElement(kind))
    word.textContent = name
    bar.style.setProperty("--width", `${100 * probabilities[index]}%`)
    bar.style.background = colour
    figureOf.textContent = answer === null ? "" : `${Math.round(100 * probabilities[index])} %`
    row.append(word, bar, figureOf)
    list.append(row)
  })
  figure.replaceChildren(figure.firstChild, list)
}

function drawLayer(flow, data, layer, index, plan) {
  const { figure, canvas, pointer } = flow.layers[index]
  const { outputs, strongest, live, off, name } = layer
  const fire = outputs.filter((output) => output > 0).length
  heading(figure, name, `${fire} of ${outputs.length} fire`)
  canvas.setAttribute(
    "aria-label",
    `${data.title}: outputs of the ${outputs.length} neurons of ${name.toLowerCase()}; ${fire} fire. Arrow keys move ` +
      `from neuron to neuron, ${data.switches ? "Space switches it off or on" : "Space shows its weights"}.`,
  )
  const { grid } = pointer
  grid.setTheme(themeOf(flow))
  grid.arrangeColumns(outputs.length, plan.columns[index], plan.cell)
  const there = [...live]
  for (const neuron of off) there[neuron] = 1 // not a cross: the ring over it says that it is switched off
  grid.show(outputs.map((output) => output / strongest), there)
}

function describe({ outputs, live, off, parts }, neuron) {
  if (off.includes(neuron)) return `Neuron ${neuron + 1}: switched off.`
  if (!live[neuron]) return `Neuron ${neuron + 1}: removed.`
  const left = `${live[neuron].toLocaleString("en")} incoming ${live[neuron] === 1 ? "weight" : "weights"} left`
  const spoke = parts.find(([number]) => number === neuron)
  const said = spoke ? ` It spoke ${spoke[1] > 0 ? "for" : "against"} the answer (${signed(spoke[1])}).` : ""
  return `Neuron ${neuron + 1}: output ${outputs[neuron].toFixed(2)}, ${left}.${said}`
}

const signed = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`

function showPortrait(tip, { portrait }, layer, neuron) {
  const place = tip.lastChild
  const mine = portrait && portrait.neuron[0] === layer && portrait.neuron[1] === neuron ? portrait : null
  const shown = mine ? JSON.stringify(mine) : ""
  if (place.shown === shown) return
  place.shown = shown
  if (!mine) return place.replaceChildren()
  const words = Object.assign(document.createElement("p"), { textContent: mine.words })
  const row = document.createElement("div")
  for (const [src, alt] of mine.pictures) row.append(Object.assign(new Image(), { src, alt }))
  place.replaceChildren(words, row)
}

// Lines from cell to cell, and rings around switched-off neurons: all over the canvases, and nothing of it can be
// pointed at.
function drawLinks(flow, steps, data) {
  const svg = flow.querySelector(".links")
  const box = flow.getBoundingClientRect()
  const stacked = flow.classList.contains("stacked")
  svg.setAttribute("width", box.width)
  svg.setAttribute("height", steps.offsetHeight)
  const made = []
  const add = (kind, attributes, words) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", kind)
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
    if (words) element.append(Object.assign(document.createElementNS("http://www.w3.org/2000/svg", "title"), { textContent: words }))
    made.push(element)
  }
  const cellOf = (layer, neuron) => {
    const { canvas, pointer } = flow.layers[layer]
    const at = canvas.getBoundingClientRect()
    const { x, y, side } = pointer.grid.boxOf(neuron)
    return { x: at.left - box.left + x + side / 2, y: at.top - box.top + y + side / 2, side }
  }
  const rowOf = (index) => {
    const at = steps.lastChild.querySelectorAll("li")[index].getBoundingClientRect()
    const top = steps.lastChild.querySelector("ul").getBoundingClientRect().top - box.top
    return { x: at.left - box.left - (stacked ? 8 : 3), y: at.top - box.top + at.height / 2, top, side: 0 }
  }
  const picture = steps.firstChild.querySelector("img, ul")?.getBoundingClientRect()
  const line = (from, to, value, most) => {
    if (!most) return
    const down = to.top ?? to.y // to a class: above them all, and then beside those on its way, not across them
    const bend = stacked
      ? `C${from.x} ${(from.y + down) / 2} ${to.x} ${(from.y + down) / 2} ${to.x} ${down}L`
      : `C${(from.x + to.x) / 2} ${from.y} ${(from.x + to.x) / 2} ${to.y} `
    const share = Math.abs(value) / most
    add("path", {
      d: `M${from.x} ${from.y}${bend}${to.x} ${to.y}`,
      stroke: value > 0 ? data.for : data.against,
      "stroke-width": 0.75 + 3.25 * share,
      "stroke-opacity": 0.25 + 0.65 * share,
      class: "link",
      "data-contribution": value,
    })
  }
  if (picture) {
    const start = stacked
      ? { x: picture.left - box.left + picture.width / 2, y: picture.bottom - box.top }
      : { x: picture.right - box.left, y: picture.top - box.top + picture.height / 2 }
    const most = Math.max(...data.first.map(([, value]) => Math.abs(value)))
    for (const [neuron, value] of data.first) line(start, cellOf(0, neuron), value, most)
  }
  data.links.forEach((links, layer) => {
    const most = Math.max(...links.map(([, , , value]) => Math.abs(value)))
    const last = layer === data.links.length - 1
    for (const [from, to, , value] of links) line(cellOf(layer, from), last ? rowOf(to) : cellOf(layer + 1, to), value, most)
  })
  data.layers.forEach(({ off, parts }, layer) => {
    for (const [neuron, value] of parts) {
      const { x, y, side } = cellOf(layer, neuron)
      const place = { x: x - side / 2 - 0.5, y: y - side / 2 - 0.5, width: side + 1, height: side + 1, rx: 2 }
      add("rect", { ...place, class: "spoke", stroke: value > 0 ? data.for : data.against })
    }
    for (const neuron of off) {
      const { x, y, side } = cellOf(layer, neuron)
      const r = Math.max(2, side / 2 - 1.5)
      add("circle", { cx: x, cy: y, r, class: "off" })
      add("path", { d: `M${x} ${y - r}V${y}`, class: "off" })
    }
  })
  svg.replaceChildren(...made)
}
