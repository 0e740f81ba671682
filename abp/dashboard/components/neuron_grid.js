// Every neuron of a network as a cell, drawn on a canvas per hidden layer: a chart of marks takes several times as long,
// and this one is drawn anew at the end of each stroke.
const LINGER = 300 // milliseconds for which a pointer rests on a neuron before its portrait is asked for
const GAP = 2 // pixels between cells, one where they are small

const tables = new Map() // colours of a theme: 256 from its scale
const colourTable = (scale) => {
  if (!tables.has(scale)) {
    const stops = scale.split(",").map((hex) => [1, 3, 5].map((at) => parseInt(hex.trim().slice(at, at + 2), 16)))
    const shade = (share) => {
      const place = share * (stops.length - 1)
      const low = Math.min(Math.floor(place), stops.length - 2)
      return stops[low].map((from, part) => Math.round(from + (place - low) * (stops[low + 1][part] - from)))
    }
    tables.set(scale, Array.from({ length: 256 }, (_, index) => `rgb(${shade(index / 255)})`))
  }
  return tables.get(scale)
}

export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  const root = parentElement.querySelector(".lights")
  const tip = parentElement.querySelector(".tip")
  const style = getComputedStyle(root)
  const colours = colourTable(style.getPropertyValue("--st-chart-sequential-colors"))
  const { cell, layers, title } = data
  const gap = cell < 10 ? 1 : GAP
  const lit = (root.lit ??= { layer: -1, neuron: -1, rest: null }) // the neuron under the pointer, or chosen by keys

  while (root.children.length > layers.length) root.lastChild.remove()
  while (root.children.length < layers.length) {
    const figure = document.createElement("figure")
    figure.append(document.createElement("figcaption"), document.createElement("canvas"))
    figure.lastChild.tabIndex = 0
    figure.lastChild.setAttribute("role", "application")
    root.append(figure)
  }

  const paint = (number) => {
    const { outputs, live, columns, strongest } = layers[number]
    const canvas = root.children[number].lastChild
    const [width, height] = [columns * cell, Math.ceil(outputs.length / columns) * cell]
    const scale = window.devicePixelRatio || 1
    canvas.width = Math.round(width * scale)
    canvas.height = Math.round(height * scale)
    canvas.style.width = `${width}px`
    const context = canvas.getContext("2d")
    context.scale(scale, scale)
    context.lineWidth = 1
    context.strokeStyle = style.color
    for (let index = 0; index < outputs.length; index++) {
      const [x, y] = [(index % columns) * cell, Math.floor(index / columns) * cell]
      if (live[index]) {
        context.fillStyle = colours[Math.round(255 * Math.min(1, outputs[index] / strongest))]
        context.fillRect(x + gap / 2, y + gap / 2, cell - gap, cell - gap)
      } else {
        const [low, high] = [0.3 * cell, 0.7 * cell]
        context.globalAlpha = 0.6
        context.beginPath()
        context.moveTo(x + low, y + low)
        context.lineTo(x + high, y + high)
        context.moveTo(x + high, y + low)
        context.lineTo(x + low, y + high)
        context.stroke()
        context.globalAlpha = 1
      }
      if (number === lit.layer && index === lit.neuron) {
        context.strokeRect(x + 0.5, y + 0.5, cell - 1, cell - 1)
      }
    }
  }

  const say = (number, neuron) => {
    const { outputs, live } = layers[number]
    const links = live[neuron]
      ? `${live[neuron].toLocaleString("en")} incoming ${live[neuron] === 1 ? "weight" : "weights"} left`
      : "removed"
    tip.textContent = `Neuron ${neuron + 1} gives ${outputs[neuron].toFixed(2)}; ${links}.`
  }
  const light = (number, neuron) => {
    const before = lit.layer
    clearTimeout(lit.rest)
    lit.layer = number
    lit.neuron = neuron
    if (before >= 0 && before < layers.length && before !== number) paint(before)
    tip.hidden = number < 0
    if (number < 0) return
    paint(number)
    say(number, neuron)
    const canvas = root.children[number].lastChild
    const { columns } = layers[number]
    const middle = canvas.offsetLeft + ((neuron % columns) + 0.5) * cell
    tip.style.top = `${canvas.offsetTop + (Math.floor(neuron / columns) + 1) * cell + 4}px`
    tip.style.left = `${Math.max(0, Math.min(middle - tip.offsetWidth / 2, root.offsetWidth - tip.offsetWidth))}px`
  }
  const dark = () => light(-1, -1)
  const point = (layer, neuron) => setStateValue("pointed", [layer, neuron])
  const choose = (layer, neuron) => {
    clearTimeout(lit.rest)
    if (data.switches) setTriggerValue("clicked", [layer, neuron])
    else point(layer, neuron)
  }

  layers.forEach(({ name, outputs, columns }, number) => {
    const [caption, canvas] = root.children[number].children
    const width = outputs.length
    const fire = outputs.filter((output) => output > 0).length
    const bold = document.createElement("b")
    bold.textContent = name
    caption.replaceChildren(bold, ` · ${fire} of ${width} fire`)
    canvas.setAttribute(
      "aria-label",
      `${title}: outputs of the ${width} neurons of ${name.toLowerCase()}; ${fire} fire. Arrow keys go from neuron to ` +
        `neuron, ${data.switches ? "Space switches one off or on" : "Space shows one"}.`,
    )
    const under = (event) => {
      const box = canvas.getBoundingClientRect()
      const column = Math.floor((event.clientX - box.left) / cell)
      const neuron = column + columns * Math.floor((event.clientY - box.top) / cell)
      return column >= 0 && column < columns && neuron >= 0 && neuron < width ? neuron : -1
    }
    canvas.onpointermove = (event) => {
      const neuron = under(event)
      if (number === lit.layer && neuron === lit.neuron) return
      if (neuron < 0) return dark()
      light(number, neuron)
      if (event.pointerType === "mouse") lit.rest = setTimeout(() => point(number, neuron), LINGER)
    }
    canvas.onpointerleave = canvas.onblur = dark
    canvas.onclick = (event) => {
      const neuron = under(event)
      if (neuron < 0) return
      light(number, neuron)
      choose(number, neuron)
    }
    canvas.onfocus = () => {
      if (canvas.matches(":focus-visible")) light(number, 0)
    }
    canvas.onkeydown = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return
      const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns }
      const here = lit.layer === number ? lit.neuron : 0
      if (event.key in steps) {
        const next = here + steps[event.key]
        if (next >= 0 && next < width) light(number, next)
      } else if (event.key === " " || event.key === "Enter") {
        choose(number, here)
      } else return
      event.preventDefault()
    }
    paint(number)
  })
  if (lit.layer >= 0 && lit.layer < layers.length && lit.neuron < layers[lit.layer].outputs.length) {
    say(lit.layer, lit.neuron)
  }
}
