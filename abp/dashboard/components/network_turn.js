// From one picture of a network to the next on a grid: colours move, neurons that went are seen to go.

// Shades of a picture {live: [neurons], share: neuron -> 0 to 1, marked: milliseconds}, absolute or stretched to the
// range of each layer's living neurons, and how many of each layer live. A few outliers do not count to the range: they
// would leave all others alike.
const OUTLIERS = 0.05
function shadesOfNetwork(picture, blocks, stretched) {
  const shades = new Float32Array(picture.live.length)
  const alive = blocks.map(({ first, neurons }) => {
    const living = []
    for (let neuron = first; neuron < first + neurons; neuron++) {
      shades[neuron] = picture.share(neuron)
      if (picture.live[neuron]) living.push(shades[neuron])
    }
    if (stretched && living.length) {
      living.sort((one, other) => one - other)
      const low = living[Math.floor(OUTLIERS * living.length)]
      const range = living[Math.ceil((1 - OUTLIERS) * living.length) - 1] - low
      for (let neuron = first; neuron < first + neurons && range > 0; neuron++) {
        shades[neuron] = Math.min(1, Math.max(0, (shades[neuron] - low) / range))
      }
    }
    return living.length
  })
  return { shades, alive }
}

class NetworkTurn {
  constructor(grid) {
    this.grid = grid
    this.live = null
  }

  // Turn to a picture within so many milliseconds; how many neurons of each layer live.
  to(picture, stretched, milliseconds, now = performance.now()) {
    this.grid.marked = picture.marked
    const { shades, alive } = shadesOfNetwork(picture, this.grid.blocks, stretched)
    this.tellLosses(picture.live, now)
    this.grid.show(shades, picture.live, milliseconds, now)
    alive.forEach((living, layer) => this.grid.note(layer, `${living} of ${this.grid.hidden[layer]}`))
    return alive
  }

  // Where neurons went, they are seen to go; where only weights went, the neurons that lost some light up.
  tellLosses(live, now) {
    const before = this.live
    this.live = live
    if (before?.length !== live.length) return
    const [went, lost] = [[], []]
    for (let neuron = 0; neuron < live.length; neuron++) {
      if (live[neuron] > before[neuron]) return this.grid.forget() // the film went back
      if (live[neuron] < before[neuron]) (live[neuron] ? lost : went).push(neuron)
    }
    if (went.length) this.grid.went(went, now)
    else if (lost.length) this.grid.lost(lost, now)
  }
}
