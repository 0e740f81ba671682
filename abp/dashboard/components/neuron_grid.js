// The drawing core: every hidden neuron of a network as a cell on one canvas. The live view, the playground and the
// pictures and videos that people save all draw with it. Only cells whose colour changed are painted, so that sixty
// frames a second leave the browser free; all lengths on the canvas are whole device pixels, so that cells are crisp.
const SHADES = 256
const FLASH = 900 // milliseconds for which a neuron that is removed is seen to go, at most
const MARKED = 7000 // and for which its cross stays marked, where nothing else is said
const FRAME_GAP = 14 // milliseconds between two frames at least: no more than 60 a second on faster screens
const [CROSS, MARKED_CROSS, UNPAINTED] = [-1, -2, -3] // what a cell may show beside a shade

const shadeTables = new Map() // colours of a theme: 256 from its scale
function shadesOf(scale) {
  if (!shadeTables.has(scale)) {
    const stops = scale.split(",").map((hex) => [1, 3, 5].map((at) => parseInt(hex.trim().slice(at, at + 2), 16)))
    const shade = (share) => {
      const place = share * (stops.length - 1)
      const low = Math.min(Math.floor(place), stops.length - 2)
      return stops[low].map((from, part) => Math.round(from + (place - low) * (stops[low + 1][part] - from)))
    }
    shadeTables.set(scale, Array.from({ length: SHADES }, (_, index) => `rgb(${shade(index / (SHADES - 1))})`))
  }
  return shadeTables.get(scale)
}

// What of the page's theme is drawn with.
function themeOf(element) {
  const style = getComputedStyle(element)
  const value = (name) => style.getPropertyValue(name).trim()
  return {
    scale: value("--st-chart-sequential-colors"),
    background: value("--st-background-color"),
    text: value("--st-text-color"),
    muted: value("--st-gray-color") || value("--st-text-color"),
    accent: value("--st-primary-color"),
    font: value("--st-font") || "sans-serif",
  }
}

class NeuronGrid {
  constructor(canvas, { titles = true, largest = LARGEST, moves = () => true } = {}) {
    Object.assign(this, { canvas, largest, moves, blocks: [], neurons: 0, pointed: -1, titled: titles, theme: null })
    this.context = canvas.getContext("2d", { alpha: false })
    this.marked = MARKED
    this.frame = this.timer = null
    this.paintedAt = 0
  }

  // Lay a network out in so many pixels; what its cells show stays, where it is the same network.
  arrange(hidden, width, height, scale = window.devicePixelRatio || 1) {
    const arrangement = JSON.stringify([hidden, width, height, scale])
    if (arrangement === this.arrangement) return
    this.arrangement = arrangement
    if (hidden.join() !== this.hidden?.join()) this.begin(hidden)
    this.scale = scale
    const measured = (layer) => {
      this.context.font = this.font()
      return this.context.measureText(`Hidden ${layer + 1} · ${hidden[layer]} of ${hidden[layer]}`).width / scale + 4
    }
    const titles = hidden.map((_, layer) => (this.titled ? Math.ceil(measured(layer)) : 0))
    const titleHeight = this.titled ? TITLE : 0
    const beside = width >= NARROW || hidden.length === 1 || !this.titled
    const plan =
      (beside && besideEachOther(hidden, titles, width, height - titleHeight, this.largest)) ||
      belowEachOther(hidden, titles, width, titleHeight, this.largest)
    this.cell = plan.cell
    this.place(plan.places, width, titleHeight)
    this.redraw()
  }

  // One layer in so many columns of cells of this size.
  arrangeColumns(neurons, columns, cell, scale = window.devicePixelRatio || 1) {
    const arrangement = JSON.stringify([neurons, columns, cell, scale])
    if (arrangement === this.arrangement) return
    this.arrangement = arrangement
    if (this.hidden?.join() !== String(neurons)) this.begin([neurons])
    Object.assign(this, { scale, cell })
    this.place([{ x: 0, y: 0, columns }], columns * cell, 0)
    this.redraw()
  }

  begin(hidden) {
    this.hidden = [...hidden]
    this.neurons = hidden.reduce((sum, count) => sum + count, 0)
    this.from = new Float32Array(this.neurons) // shades from 0 to 1 that cells move from, towards, and show
    this.to = new Float32Array(this.neurons)
    this.shown = new Float32Array(this.neurons)
    this.alive = new Uint8Array(this.neurons).fill(1)
    this.painted = new Int16Array(this.neurons)
    this.left = new Float64Array(this.neurons) // when a neuron was removed, or 0
    this.rings = new Float64Array(this.neurons) // when it lost weights, or 0
    this.outlined = new Uint8Array(this.neurons) // whether it is pointed out
    this.pointed = -1
    this.started = this.lasts = 0
    this.notes = hidden.map(() => "")
  }

  place(places, width, titleHeight) {
    let first = 0
    this.blocks = places.map(({ x, y, columns }, layer) => {
      const block = { x, y: y + titleHeight, columns, first, neurons: this.hidden[layer] }
      block.rows = Math.ceil(block.neurons / columns)
      first += block.neurons
      return block
    })
    const bottom = Math.max(...this.blocks.map((block) => block.y + block.rows * this.cell))
    const right = this.titled ? width : Math.max(...this.blocks.map((block) => block.x + block.columns * this.cell))
    this.canvas.width = Math.round(right * this.scale)
    this.canvas.height = Math.round(bottom * this.scale)
    if (this.canvas.style) Object.assign(this.canvas.style, { width: `${right}px`, height: `${bottom}px` })
    this.size = { width: right, height: bottom }
  }

  setTheme(theme) {
    if (JSON.stringify(theme) === JSON.stringify(this.theme)) return
    this.theme = theme
    this.redraw()
  }

  // Shades to move to within so many milliseconds, and which neurons are there; those that went are seen to go.
  show(shades, alive, milliseconds = 0, now = performance.now()) {
    const lasts = this.moves() ? milliseconds : 0
    this.settle(now)
    this.from.set(this.shown)
    this.to.set(shades)
    for (let index = 0; index < this.neurons; index++) this.alive[index] = alive[index] ? 1 : 0
    this.started = now
    this.lasts = lasts
    this.request()
  }

  went(neurons, now = performance.now()) {
    for (const neuron of neurons) this.left[neuron] = now
    this.request()
  }

  lost(neurons, now = performance.now()) {
    if (!this.moves()) return
    for (const neuron of neurons) this.rings[neuron] = now
    this.request()
  }

  forget() {
    this.left.fill(0)
    this.rings.fill(0)
    this.request()
  }

  // The words behind a layer's name.
  note(layer, words) {
    if (this.notes[layer] === words) return
    this.notes[layer] = words
    this.titlesDrawn = false
    this.request()
  }

  point(neuron) {
    for (const changed of [this.pointed, neuron]) if (changed >= 0) this.painted[changed] = UNPAINTED
    this.pointed = neuron
    this.request()
  }

  // Point neurons out: those that are true.
  outline(marked) {
    for (let index = 0; index < this.neurons; index++) {
      const outlined = marked[index] ? 1 : 0
      if (outlined !== this.outlined[index]) this.painted[index] = UNPAINTED
      this.outlined[index] = outlined
    }
    this.request()
  }

  redraw() {
    if (!this.theme || !this.neurons || !this.blocks.length) return
    this.sprites = this.drawSprites()
    this.context.fillStyle = this.theme.background
    this.context.fillRect(0, 0, this.canvas.width, this.canvas.height)
    this.painted.fill(UNPAINTED)
    this.titlesDrawn = false
    this.paint(performance.now())
    this.request()
  }

  // Draw when the browser is about to show a frame, until nothing moves any more.
  request() {
    if (this.frame || !this.theme || !this.blocks.length || !this.canvas.isConnected) return
    this.frame = requestAnimationFrame((now) => {
      this.frame = null
      const early = now - this.paintedAt < FRAME_GAP
      if (early || this.paint(now)) return this.request()
      const marks = this.left.reduce((last, at) => Math.max(last, at), 0) + this.marked - now
      clearTimeout(this.timer)
      if (marks > 0) this.timer = setTimeout(() => this.request(), marks + 20)
    })
  }

  settle(now) {
    const part = this.lasts > 0 ? Math.min(1, Math.max(0, (now - this.started) / this.lasts)) : 1
    const { from, to, shown } = this
    for (let index = 0; index < this.neurons; index++) shown[index] = from[index] + part * (to[index] - from[index])
    return part < 1
  }

  // Paint the cells that changed; whether anything still moves.
  paint(now) {
    this.paintedAt = now
    let moving = this.settle(now)
    if (!this.titlesDrawn) this.drawTitles()
    const effects = this.moves()
    const flash = Math.min(FLASH, this.marked / 2)
    for (const block of this.blocks) {
      for (let place = 0; place < block.neurons; place++) {
        const index = block.first + place
        const since = this.left[index] ? Math.max(0, now - this.left[index]) : this.marked
        const goes = effects && !this.alive[index] && since < flash
        const rings = this.rings[index] && now - this.rings[index] < flash
        const shade = this.alive[index] ? Math.round((SHADES - 1) * Math.min(1, Math.max(0, this.shown[index])))
          : since < this.marked ? MARKED_CROSS : CROSS
        if (shade === this.painted[index] && !goes && !rings && !this.rings[index]) continue
        this.drawCell(block, place, shade)
        this.painted[index] = shade
        if (goes) this.drawGoing(block, place, since / flash)
        if (rings) this.drawRing(block, place, Math.min(1, 1 - (now - this.rings[index]) / flash), this.theme.accent)
        else this.rings[index] = 0
        if (index === this.pointed || this.outlined[index]) this.drawRing(block, place, 1, this.theme.text)
        if (goes || rings) {
          moving = true
          this.painted[index] = UNPAINTED
        }
      }
    }
    return moving
  }

  // A cell of each colour, painted once: copying it is cheaper than a path, and its corners are round.
  drawSprites() {
    const side = Math.round(this.cell * this.scale)
    const sheet = document.createElement("canvas")
    sheet.width = 16 * side
    sheet.height = (SHADES / 16 + 1) * side
    const context = sheet.getContext("2d", { alpha: false })
    context.fillStyle = this.theme.background
    context.fillRect(0, 0, sheet.width, sheet.height)
    const gap = Math.max(1, Math.round((this.cell < 9 ? 1 : this.cell < 18 ? 2 : 3) * this.scale))
    const radius = Math.min(4 * this.scale, (side - gap) / 5)
    shadesOf(this.theme.scale).forEach((colour, index) => {
      context.fillStyle = colour
      context.beginPath()
      const [left, top] = [index % 16, Math.floor(index / 16)].map((place) => place * side + Math.floor(gap / 2))
      context.roundRect(left, top, side - gap, side - gap, radius)
      context.fill()
    })
    for (const [place, colour, width, strength] of [[0, this.theme.muted, 1, 0.45], [1, this.theme.accent, 2, 1]]) {
      const [left, top] = [place * side, (SHADES / 16) * side]
      const [low, high] = [0.32 * side, 0.68 * side]
      context.globalAlpha = strength
      context.strokeStyle = colour
      context.lineWidth = width * this.scale
      context.beginPath()
      context.moveTo(left + low, top + low)
      context.lineTo(left + high, top + high)
      context.moveTo(left + high, top + low)
      context.lineTo(left + low, top + high)
      context.stroke()
    }
    return sheet
  }

  corner(block, place) {
    const side = Math.round(this.cell * this.scale)
    const [column, row] = [place % block.columns, Math.floor(place / block.columns)]
    return [Math.round(block.x * this.scale) + column * side, Math.round(block.y * this.scale) + row * side, side]
  }

  drawCell(block, place, shade) {
    const [x, y, side] = this.corner(block, place)
    const sprite = shade >= 0 ? shade : SHADES + (shade === CROSS ? 0 : 1)
    this.context.drawImage(
      this.sprites, (sprite % 16) * side, Math.floor(sprite / 16) * side, side, side, x, y, side, side,
    )
  }

  // A neuron that goes: it lights up and shrinks away, and leaves its cross.
  drawGoing(block, place, part) {
    const [x, y, side] = this.corner(block, place)
    const size = side * (1 - part) * (1 - part)
    this.context.globalAlpha = 1 - 0.5 * part
    this.context.fillStyle = part < 0.15 ? this.theme.text : this.theme.accent
    this.context.fillRect(x + (side - size) / 2, y + (side - size) / 2, size, size)
    this.context.globalAlpha = 1
  }

  drawRing(block, place, strength, colour) {
    const [x, y, side] = this.corner(block, place)
    const line = Math.max(1, Math.round(this.scale * (this.cell < 9 ? 1 : 2)))
    this.context.globalAlpha = strength
    this.context.strokeStyle = colour
    this.context.lineWidth = line
    this.context.strokeRect(x + line / 2, y + line / 2, side - line, side - line)
    this.context.globalAlpha = 1
  }

  font(weight = 400) {
    return `${weight} ${13 * (this.scale || 1)}px ${this.theme?.font ?? "sans-serif"}`
  }

  drawTitles() {
    this.titlesDrawn = true
    if (!this.titled) return
    const { context, scale } = this
    context.textBaseline = "alphabetic"
    this.blocks.forEach((block, layer) => {
      const next = this.blocks.find((other) => other.y === block.y && other.x > block.x)
      const [x, y] = [block.x * scale, (block.y - TITLE) * scale]
      context.fillStyle = this.theme.background
      context.fillRect(x, y, ((next ? next.x : this.size.width) - block.x) * scale, TITLE * scale)
      context.fillStyle = this.theme.text
      context.font = this.font(600)
      const name = `Hidden ${layer + 1}`
      context.fillText(name, x, y + 15 * scale)
      const wide = context.measureText(name).width
      context.font = this.font()
      context.globalAlpha = 0.75
      context.fillText(this.notes[layer] ? ` · ${this.notes[layer]}` : "", x + wide, y + 15 * scale)
      context.globalAlpha = 1
    })
  }

  // The neuron at a place of the canvas in pixels, or -1.
  neuronAt(x, y) {
    for (const block of this.blocks) {
      const column = Math.floor((x - block.x) / this.cell)
      const place = column + block.columns * Math.floor((y - block.y) / this.cell)
      const inside = y >= block.y && column >= 0 && column < block.columns && place < block.neurons
      if (inside && place >= 0) return block.first + place
    }
    return -1
  }

  layerOf(neuron) {
    return this.blocks.findIndex((block) => neuron >= block.first && neuron < block.first + block.neurons)
  }

  boxOf(neuron) {
    const block = this.blocks[this.layerOf(neuron)]
    const place = neuron - block.first
    const [column, row] = [place % block.columns, Math.floor(place / block.columns)]
    return { x: block.x + column * this.cell, y: block.y + row * this.cell, side: this.cell }
  }

  // The neuron beside one, over the edge of its layer into the next.
  beside(neuron, right, down) {
    const layer = this.layerOf(neuron)
    const block = this.blocks[layer]
    const place = neuron - block.first
    const [column, row] = [(place % block.columns) + right, Math.floor(place / block.columns) + down]
    const inside = column >= 0 && column < block.columns && row >= 0 && column + row * block.columns < block.neurons
    if (inside) return block.first + column + row * block.columns
    const other = this.blocks[layer + right + down]
    if (!other || (down && other.y === block.y)) return neuron
    const [atColumn, atRow] = right ? [right > 0 ? 0 : other.columns - 1, row] : [column, down > 0 ? 0 : other.rows - 1]
    const found = Math.min(atColumn, other.columns - 1) + other.columns * Math.min(atRow, other.rows - 1)
    return other.first + Math.min(found, other.neurons - 1)
  }
}
