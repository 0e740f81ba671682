// A finished run as a film: its recorded moments one after the other.
const FULL_SHARE = 65535 // what a share of 1 is sent as
const SHORTEST_FILM = 8, LONGEST_FILM = 40, A_MOMENT = 0.25 // seconds, at the usual speed

class Film {
  static async fetch(address) {
    const reply = await fetch(address)
    if (!reply.ok) throw new Error(`the film cannot be had: ${reply.status}`)
    return new Film(await reply.arrayBuffer())
  }

  constructor(buffer) {
    const whole = (bytes) => Math.ceil(bytes / 4) * 4
    const length = new DataView(buffer).getUint32(0, true)
    const { hidden, moments } = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)))
    const neurons = hidden.reduce((sum, count) => sum + count, 0)
    const shares = whole(2 * neurons)
    const moment = 2 * shares + 4 * neurons
    this.hidden = hidden
    this.moments = moments.map((words, index) => {
      const start = 4 + whole(length) + index * moment
      return {
        ...words,
        shares: {
          epoch: new Uint16Array(buffer, start, neurons),
          start: new Uint16Array(buffer, start + shares, neurons),
        },
        live: new Uint32Array(buffer, start + 2 * shares, neurons),
      }
    })
  }

  // Seconds of one moment at the usual speed.
  get pace() {
    const count = Math.max(1, this.moments.length)
    return Math.min(LONGEST_FILM, Math.max(SHORTEST_FILM, A_MOMENT * count)) / count
  }
}

class FilmPlayer {
  // `show(index, milliseconds)` draws a moment, moving to it within so long; `changed()` when it starts or stops.
  constructor(film, { show, changed }) {
    Object.assign(this, { film, show, changed, at: film.moments.length - 1, speed: 1, timer: null })
  }

  get playing() {
    return this.timer !== null
  }

  get step() {
    return (1000 * this.film.pace) / this.speed
  }

  play() {
    if (this.playing) return
    if (this.at >= this.film.moments.length - 1) this.go(0)
    this.timer = setTimeout(() => this.next(), this.step)
    this.changed()
  }

  next() {
    if (this.at >= this.film.moments.length - 1) return this.pause()
    this.at++
    this.show(this.at, this.step)
    this.timer = setTimeout(() => this.next(), this.step)
  }

  pause() {
    clearTimeout(this.timer)
    this.timer = null
    this.changed()
  }

  go(moment) {
    this.at = Math.max(0, Math.min(this.film.moments.length - 1, moment))
    this.show(this.at, 0)
  }
}
