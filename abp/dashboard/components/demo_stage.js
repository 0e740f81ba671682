// The guided demo's picture: it plays the frames of a step, and shows the network as it is now, over the live channel,
// where the step has caught up with training. Python says at which second it is; the browser asks it on at the end.
const CATCH_UP = 0.5 // seconds by which this clock may differ from the server's before it is set anew
const ASK_AGAIN = 400 // milliseconds between requests to go on, at least

class DemoStage {
  constructor(root) {
    this.root = root
    this.part = (selector) => root.querySelector(selector)
    const still = window.matchMedia("(prefers-reduced-motion: reduce)")
    this.grid = new NeuronGrid(this.part("canvas"), { moves: () => !still.matches })
    this.turn = new NetworkTurn(this.grid)
    this.digits = new Readings(this.part(".digits"))
    this.channel = this.live = this.timer = null
    this.high = 0 // pixels of the whole network
    this.began = 0 // when the step would have begun (milliseconds), if it had played without a pause
    new ResizeObserver(() => this.data && this.draw(0)).observe(root)
  }

  // From Python, at every redraw of the page.
  update({ data, setTriggerValue }) {
    const before = this.data
    Object.assign(this, { data, setTriggerValue })
    const same = before?.run === data.run && before.step === data.step && before.playing === data.playing
    if (before?.run !== data.run || !data.follow) this.leave()
    if (!same || !data.playing || Math.abs(this.seconds - data.at) > CATCH_UP) {
      this.began = performance.now() - 1000 * data.at
    }
    if (!same || data.complete) this.following = false
    if (data.follow && !this.channel) this.join()
    this.root.classList.toggle("large", data.large)
    this.grid.setTheme(themeOf(this.root))
    this.digits.have(data.digits)
    this.part(".scale").style.background = `linear-gradient(to right, ${this.grid.theme.scale})`
    this.drawSteps()
    if (this.part(".sentence").textContent !== data.sentence) this.part(".sentence").textContent = data.sentence
    this.play()
  }

  get seconds() {
    return (performance.now() - this.began) / 1000
  }

  join() {
    const { run, base, hidden } = this.data
    const neurons = hidden.reduce((sum, count) => sum + count, 0)
    const protocol = window.location.protocol === "https:" ? "wss:" : "ws:"
    this.channel = new LiveChannel(addressOf(base, `/live/${run}`, protocol), {
      told: (message) => {
        const frame = message instanceof ArrayBuffer && readFrame(message, neurons)
        if (!frame) return
        this.live = frame
        if (this.following) this.drawLive()
      },
      reached: () => {}, // where it is blocked, Python's frames come once a second
    })
  }

  leave() {
    this.channel?.close()
    this.channel = this.live = null
    this.following = false
  }

  close() {
    this.leave()
    clearTimeout(this.timer)
  }

  // Show the frame of this moment, and come back for the next one.
  play() {
    clearTimeout(this.timer)
    const { frames, seconds, complete, playing, rest } = this.data
    const last = frames.length - 1
    const at = playing ? this.seconds : this.data.at
    this.place = Math.min(last, Math.max(0, Math.floor(at / seconds)))
    if (playing && !complete && this.place === last) this.following = true
    if (this.following && this.live) this.drawLive()
    else this.draw(1000 * seconds)
    if (!playing) return
    const next = this.place < last ? (this.place + 1) * seconds : complete ? frames.length * seconds + rest : null
    if (next === null) return // until there is more of the run
    const wait = Math.max(this.place < last ? 0 : ASK_AGAIN, 1000 * (next - at) + 20)
    this.timer = setTimeout(() => (this.place < last ? this.play() : this.ask()), wait)
  }

  ask() {
    this.setTriggerValue("over", this.data.step)
    this.timer = setTimeout(() => this.ask(), 5000) // a page that was being redrawn may not have heard
  }

  // A recorded frame; what is left moves together where it is `packed`.
  draw(within) {
    const { frames, hidden } = this.data
    const frame = frames[this.place]
    const packed = frame.packed && living(frame.alive, hidden)
    const kept = packed ? frame.alive.flatMap((alive, index) => (alive ? [index] : [])) : frame.alive.map((_, index) => index)
    this.arrange(packed || hidden, Boolean(packed))
    const picture = {
      live: kept.map((index) => frame.alive[index]), share: (cell) => frame.glow[kept[cell]] / 100, marked: MARKED,
    }
    this.turn.to(picture, false, Math.min(within, 600))
    if (packed) packed.forEach((left, layer) => this.grid.note(layer, `${left} of ${hidden[layer]}`))
    this.grid.outline(kept.map((index) => frame.marked[index]))
    this.say(frame, frame.note)
  }

  drawLive() {
    const { live, data } = this
    this.arrange(data.hidden, false)
    const samples = Math.max(1, live.samples.epoch)
    const picture = {
      live: Array.from(live.live, (weights) => (weights ? 1 : 0)),
      share: (neuron) => live.counts.epoch[neuron] / samples, marked: MARKED,
    }
    this.turn.to(picture, false, 100)
    this.grid.outline([])
    const round = `Training round ${live.epoch}; the bars show the last full one`
    this.say(data.frames[this.place], live.epoch ? round : "Before the first training round")
  }

  arrange(hidden, packed) {
    const width = Math.floor(this.root.clientWidth)
    if (!width) return
    const height = this.data.large ? Math.max(230, 0.36 * window.innerHeight) : 220
    this.grid.largest = packed && this.cell ? this.cell : this.data.large ? 34 : LARGEST
    this.grid.arrange(hidden, width, height)
    if (!packed) Object.assign(this, { cell: this.grid.cell, high: this.grid.size.height })
    this.part("canvas").style.marginBottom = `${packed ? Math.max(0, this.high - this.grid.size.height) : 0}px`
  }

  say(frame, note) {
    const canvas = this.part("canvas")
    if (canvas.getAttribute("aria-label") !== frame.alt) canvas.setAttribute("aria-label", frame.alt)
    if (this.part(".note").textContent !== note) this.part(".note").textContent = note
    this.digits.show(frame.read)
    drawBars(this.part(".bars"), frame.bars)
  }

  drawSteps() {
    const { titles, step } = this.data
    const steps = this.part(".steps")
    const drawn = `${step} ${titles}`
    if (steps.drawn === drawn) return
    steps.drawn = drawn
    const dots = titles.map((title, index) => {
      const dot = document.createElement("li")
      dot.className = index + 1 < step ? "done" : index + 1 === step ? "now" : ""
      dot.setAttribute("aria-label", `Step ${index + 1}: ${title}`)
      if (index + 1 === step) dot.setAttribute("aria-current", "step")
      return dot
    })
    const title = document.createElement("li")
    title.textContent = `${step}. ${titles[step - 1]}`
    title.className = "title"
    title.style.cssText = "width: auto; height: auto; border: none;"
    steps.replaceChildren(...dots, title)
  }
}

// Neurons left in each layer; null if one has none, and no place of its own.
function living(alive, hidden) {
  let first = 0
  const counts = hidden.map((neurons) => alive.slice(first, (first += neurons)).filter(Boolean).length)
  return counts.every(Boolean) ? counts : null
}

// Test pictures, and what the network takes each for.
class Readings {
  constructor(figure) {
    this.figure = figure
  }

  // Once for each set of pictures: {name, shape, pixels (base64), labels, classes}, or null.
  have(digits) {
    if (digits?.name === this.known?.name) return
    this.known = digits
    this.shown = undefined
    if (!digits) return
    const [rows, columns] = digits.shape
    const pixels = Uint8Array.from(atob(digits.pixels), (letter) => letter.charCodeAt(0))
    const items = digits.labels.map((label, number) => {
      const item = document.createElement("li")
      const canvas = document.createElement("canvas")
      Object.assign(canvas, { width: columns, height: rows })
      const context = canvas.getContext("2d")
      const image = context.createImageData(columns, rows)
      for (let at = 0; at < rows * columns; at++) {
        image.data.set([...Array(3).fill(pixels[number * rows * columns + at]), 255], 4 * at)
      }
      context.putImageData(image, 0, 0)
      const picture = document.createElement("img")
      Object.assign(picture, { src: canvas.toDataURL(), alt: digits.classes[label] })
      const read = document.createElement("span")
      read.className = "read"
      item.append(picture, read)
      return item
    })
    this.figure.querySelector("ul").replaceChildren(...items)
  }

  show(read) {
    const { known, figure } = this
    const key = known && read ? read.join() : null
    if (key === this.shown) return
    this.shown = key
    figure.hidden = !known
    if (!known) return
    const items = [...figure.querySelectorAll("li")]
    let right = 0
    items.forEach((item, number) => {
      const answer = read?.[number]
      const correct = answer === known.labels[number]
      right += correct
      item.className = answer === undefined ? "" : correct ? "right" : "wrong"
      const words = answer === undefined ? "?" : known.classes[answer]
      item.lastElementChild.textContent = words
      item.title = answer === undefined ? "" : `${known.classes[known.labels[number]]}, read as ${words}`
    })
    const words = read ? `${right} of these ${items.length} test pictures read correctly` : "Test pictures, not read yet"
    figure.querySelector("figcaption").textContent = words
  }
}

function drawBars(box, rows) {
  while (box.children.length > rows.length) box.lastChild.remove()
  rows.forEach((row, index) => {
    let bar = box.children[index]
    if (!bar) {
      bar = document.createElement("div")
      bar.innerHTML = '<p><span></span><b></b></p><div class="track"><div class="fill"></div></div>'
      box.append(bar)
    }
    bar.querySelector("span").textContent = row.label
    bar.querySelector("b").textContent = row.text
    const fill = bar.querySelector(".fill")
    fill.style.background = row.colour
    fill.style.width = `${100 * (row.share ?? 0)}%`
  })
}

export default function (component) {
  const root = component.parentElement.querySelector(".stage")
  root.view ??= new DemoStage(root)
  root.view.update(component)
  return () => root.view.close()
}
