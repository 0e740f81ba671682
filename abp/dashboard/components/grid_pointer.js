// Pointing at neurons of a grid: by mouse, finger or arrow keys, each with a few words about the neuron beside it.
const LINGER = 300 // milliseconds for which a mouse rests on a neuron before more is asked for about it

// Where the mouse is on the screen; some kinds of events know it by whole pixels only.
const placeOf = (event) => `${Math.floor(event.screenX)},${Math.floor(event.screenY)}`

class GridPointer {
  constructor(grid, tip) {
    Object.assign(this, { grid, tip, describe: () => "", choose: () => {}, rest: () => {}, timer: null })
    const { canvas } = grid
    canvas.tabIndex = 0
    canvas.setAttribute("role", "application")
    canvas.onpointermove = (event) => this.moved(event)
    canvas.onblur = () => this.to(-1)
    canvas.onpointerleave = (event) => {
      if (this.at !== placeOf(event)) this.to(-1) // else the page moved, not the mouse
    }
    canvas.onclick = (event) => {
      this.at = placeOf(event)
      const neuron = this.under(event)
      this.to(neuron)
      if (neuron >= 0) this.chosen(neuron)
    }
    canvas.onfocus = () => {
      if (canvas.matches(":focus-visible")) this.to(0)
    }
    canvas.onkeydown = (event) => this.pressed(event)
  }

  under(event) {
    const box = this.grid.canvas.getBoundingClientRect()
    return this.grid.neuronAt(event.clientX - box.left, event.clientY - box.top)
  }

  moved(event) {
    const at = placeOf(event)
    if (at === this.at) return // the page moved, not the mouse
    this.at = at
    const neuron = this.under(event)
    if (neuron === this.grid.pointed || event.pointerType === "touch") return
    this.to(neuron)
    if (neuron >= 0) this.timer = setTimeout(() => this.rest(neuron), LINGER)
  }

  chosen(neuron) {
    clearTimeout(this.timer)
    this.choose(neuron)
  }

  pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const here = Math.max(0, this.grid.pointed)
    const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }
    if (event.key in steps) this.to(this.grid.beside(here, ...steps[event.key]))
    else if (event.key === "Home") this.to(0)
    else if (event.key === "End") this.to(this.grid.neurons - 1)
    else if (event.key === "Escape") this.to(-1)
    else if (event.key === " " || event.key === "Enter") this.chosen(here)
    else return
    event.preventDefault()
  }

  to(neuron) {
    clearTimeout(this.timer)
    if (neuron === this.grid.pointed) return
    this.grid.point(neuron)
    this.tip.hidden = neuron < 0
    if (neuron >= 0) this.say()
  }

  // Where more than words is shown of a neuron, this is overwritten.
  write(words) {
    if (this.tip.textContent !== words) this.tip.textContent = words
  }

  // Say it anew: what is told of the neuron may have changed.
  say() {
    const neuron = this.grid.pointed
    if (neuron < 0) return
    this.write(this.describe(neuron), neuron)
    const { canvas } = this.grid
    const { x, y, side } = this.grid.boxOf(neuron)
    const most = this.tip.parentElement.clientWidth - this.tip.offsetWidth
    const [over, under] = [canvas.offsetTop + y - this.tip.offsetHeight - 4, canvas.offsetTop + y + side + 4]
    const bottom = canvas.getBoundingClientRect().top + y + side + 4 + this.tip.offsetHeight
    this.tip.style.top = `${bottom > window.innerHeight ? over : under}px`
    const centred = canvas.offsetLeft + x + side / 2 - this.tip.offsetWidth / 2
    this.tip.style.left = `${Math.max(0, Math.min(centred, most))}px`
  }
}
