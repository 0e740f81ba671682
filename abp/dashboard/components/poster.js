// Pictures and videos that people save: the network with its title, its numbers and its legend drawn in.
const VIDEO = { width: 1280, height: 720 }
const VIDEO_FRAMES = 30 // a second
const VIDEO_ENDS = 1200 // milliseconds for which the last moment stays
const VIDEO_KINDS = ["video/webm;codecs=vp9", "video/webm;codecs=vp8", "video/webm", "video/mp4"]

function saveFile(blob, name) {
  const link = document.createElement("a")
  link.href = URL.createObjectURL(blob)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10000)
}

function saveTable(rows, name) {
  const cell = (value) => (/[",\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : (value ?? ""))
  const lines = [Object.keys(rows[0] ?? {}), ...rows.map((row) => Object.values(row))]
  saveFile(new Blob([lines.map((line) => line.map(cell).join(",")).join("\n") + "\n"], { type: "text/csv" }), name)
}

class Poster {
  // A canvas of this size that holds a title, a line of numbers, the network and its legend.
  constructor(hidden, theme, { width, height } = VIDEO, scale = 1) {
    Object.assign(this, { theme, width, height, scale })
    this.canvas = document.createElement("canvas")
    this.canvas.width = width * scale
    this.canvas.height = height * scale
    this.context = this.canvas.getContext("2d", { alpha: false })
    this.grid = new NeuronGrid(document.createElement("canvas"), { largest: 34 })
    this.grid.setTheme(theme)
    this.grid.arrange(hidden, width - 80, height - 250, scale)
  }

  // `words`: {title, line, low, high, legend, share: how far along from 0 to 1}
  draw(words, now = performance.now()) {
    const { context, theme, width, height, grid, scale } = this
    context.setTransform(scale, 0, 0, scale, 0, 0)
    context.fillStyle = theme.background
    context.fillRect(0, 0, width, height)
    this.text(words.title, 40, 68, 32, 650, width - 80)
    this.text(words.line, 40, 104, 19, 400, width - 80)
    context.fillStyle = theme.accent
    context.fillRect(40, 124, (width - 80) * words.share, 4)
    grid.paint(now)
    const free = height - 250 - grid.size.height
    context.setTransform(1, 0, 0, 1, 0, 0)
    context.drawImage(grid.canvas, 40 * scale, Math.round((150 + Math.max(0, free / 2)) * scale))
    context.setTransform(scale, 0, 0, scale, 0, 0)
    this.legend(words)
  }

  legend({ low, high, legend }) {
    const { context, theme, width, height } = this
    const y = height - 44
    let x = 40 + this.text(low, 40, y, 17) + 10
    const colours = shadesOf(theme.scale)
    for (let step = 0; step < 160; step++) {
      context.fillStyle = colours[Math.floor((step * SHADES) / 160)]
      context.fillRect(x + step, y - 13, 1.5, 15)
    }
    x += 170
    x += this.text(high, x, y, 17) + 18
    x += this.text(legend, x, y, 17) + 18
    this.text("×", x, y, 22, 600, 40, theme.muted)
    this.text("removed", x + 18, y, 17)
    context.textAlign = "right"
    this.text("ABP Lab", width - 40, y, 17, 650)
    context.textAlign = "left"
  }

  // Write, smaller where it would not fit; how wide it is.
  text(words, x, y, size, weight = 400, most = Infinity, colour = this.theme.text) {
    const { context, theme } = this
    context.fillStyle = colour
    context.font = `${weight} ${size}px ${theme.font}`
    const wide = context.measureText(words).width
    if (wide > most) context.font = `${weight} ${Math.floor((size * most) / wide)}px ${theme.font}`
    context.fillText(words, x, y)
    return Math.min(wide, most)
  }

  png() {
    return new Promise((done) => this.canvas.toBlob(done, "image/png"))
  }
}

// Play a film into a poster and record it; `draw(moment, milliseconds, now)` shows one. It takes as long as the film
// does, and stands still while its tab is hidden.
async function recordFilm(poster, { moments, step, draw, progress, stopped }) {
  const kind = VIDEO_KINDS.find((each) => window.MediaRecorder?.isTypeSupported(each))
  if (!kind) throw new Error("This browser cannot record videos.")
  const stream = poster.canvas.captureStream(VIDEO_FRAMES)
  const recorder = new MediaRecorder(stream, { mimeType: kind, videoBitsPerSecond: 6e6 })
  const parts = []
  recorder.ondataavailable = ({ data }) => parts.push(data)
  const ended = new Promise((done) => (recorder.onstop = done))
  recorder.start(1000)
  let [elapsed, before, shown] = [0, null, -1]
  await new Promise((done) => {
    const frame = (now) => {
      elapsed += before === null ? 0 : Math.min(100, now - before) // a tab that was hidden does not skip what it missed
      before = now
      const moment = Math.min(moments - 1, Math.floor(elapsed / step))
      draw(moment, moment === shown ? null : step, now)
      shown = moment
      progress(Math.min(1, elapsed / (step * moments)))
      if (stopped() || elapsed > step * moments + VIDEO_ENDS) return done()
      requestAnimationFrame(frame)
    }
    requestAnimationFrame(frame)
  })
  recorder.stop()
  await ended
  return new Blob(parts, { type: kind.split(";")[0] })
}
