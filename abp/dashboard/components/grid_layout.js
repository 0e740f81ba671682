// Where the layers of a network stand on a canvas, and how large a cell is: the same for all neurons.
const BETWEEN = 28 // pixels between layers, at least
const TITLE = 24 // pixels of the line above a layer
const LARGEST = 26, SMALLEST = 4 // pixels of a cell
const NARROW = 560 // pixels below which the layers stack

// Layers side by side at one cell size: the number of rows that gives the largest cells.
function besideEachOther(hidden, titles, width, height, largest) {
  let best = null
  for (let rows = 1; rows <= Math.min(Math.max(...hidden), Math.floor(height / SMALLEST)); rows++) {
    const columns = hidden.map((neurons) => Math.ceil(neurons / rows))
    const needed = (cell) =>
      columns.reduce((sum, count, layer) => sum + Math.max(count * cell, titles[layer]), BETWEEN * (hidden.length - 1))
    let cell = Math.min(largest, Math.floor(height / rows))
    while (cell >= SMALLEST && needed(cell) > width) cell--
    if (cell >= SMALLEST && (!best || cell > best.cell)) best = { cell, columns, free: width - needed(cell) }
  }
  if (!best) return null
  // The last layer ends where the page does, unless they would stand too far apart.
  const between = BETWEEN + Math.min(36, best.free / Math.max(1, hidden.length - 1))
  let x = 0
  const places = best.columns.map((columns, layer) => {
    const place = { x: Math.round(x), y: 0, columns }
    x += Math.max(columns * best.cell, titles[layer]) + between
    return place
  })
  return { cell: best.cell, places }
}

// Layers below each other, two beside each other where both are small.
function belowEachOther(hidden, titles, width, titleHeight, largest) {
  const plan = (cell) => {
    const most = Math.max(1, Math.floor(width / cell))
    const places = []
    let [x, y, bottom] = [0, 0, 0]
    hidden.forEach((neurons, layer) => {
      const columns = Math.min(neurons, most)
      const wide = Math.max(columns * cell, titles[layer])
      if (x > 0 && x + wide > width) [x, y] = [0, bottom + cell]
      places.push({ x, y, columns })
      x += wide + BETWEEN
      bottom = Math.max(bottom, y + titleHeight + Math.ceil(neurons / columns) * cell)
    })
    return { cell, places, bottom }
  }
  let cell = Math.min(largest, 15)
  while (cell > SMALLEST && plan(cell).bottom > 1.5 * width) cell--
  return plan(cell)
}
