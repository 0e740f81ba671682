// Pointing at neurons of a grid: by mouse, finger or arrow keys, each with a few words about the neuron beside it.
const LINGER = 300 // milliseconds for which a mouse rests on a neuron before more is asked for about it

class GridPointer {
  constructor(grid, tip) {
    Object.assign(this, { grid, tip, describe: () => "", choose: () => {}, rest: () => {}, timer: null })
    const { canvas } = grid
    canvas.tabIndex = 0
    canvas.setAttribute("role", "application")
    canvas.onpointermove = (event) => this.moved(event)
    canvas.onpointerleave = canvas.onblur = () => this.to(-1)
    canvas.onclick = (event) => {
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

  // Say it anew: what is told of the neuron may have changed.
  say() {
    const neuron = this.grid.pointed
    if (neuron < 0) return
    const words = this.describe(neuron)
    if (this.tip.textContent !== words) this.tip.textContent = words
    const { canvas } = this.grid
    const { x, y, side } = this.grid.boxOf(neuron)
    const most = this.tip.parentElement.clientWidth - this.tip.offsetWidth
    this.tip.style.top = `${canvas.offsetTop + y + side + 4}px`
    const centred = canvas.offsetLeft + x + side / 2 - this.tip.offsetWidth / 2
    this.tip.style.left = `${Math.max(0, Math.min(centred, most))}px`
  }
}
