// What a view offers of a finished run: its film with a scrubber, and pictures and a video of it to save.
class FilmView {
  // `view`: {part, picture, paint(milliseconds), file(name, kind)} of the live view
  constructor(view) {
    this.view = view
    this.player = this.moment = this.asked = null
    this.recording = false
    const { part } = view
    part('[data-save="png"]').onclick = () => this.savePng()
    part('[data-save="video"]').onclick = () => this.saveVideo()
    part(".play").onclick = () => (this.player.playing ? this.player.pause() : this.player.play())
    part(".player select").onchange = ({ target }) => (this.player.speed = Number(target.value))
    part(".player input").oninput = ({ target }) => {
      this.player.pause()
      this.player.go(Number(target.value))
    }
  }

  // Get the film of a run that has ended after so many epochs, once.
  async open(address, epochs) {
    if (this.asked === epochs) return
    this.asked = epochs
    let film = null
    try {
      film = await Film.fetch(address)
    } catch {
      if (this.asked === epochs) this.asked = null // asked for again when the run is told of again
    }
    if (!film?.moments.length || this.asked !== epochs) return
    this.player = new FilmPlayer(film, { show: (at, within) => this.show(at, within), changed: () => this.changed() })
    this.offer(true)
    const plays = this.view.data.brief && !this.view.moves.matches
    this.player.go(plays ? 0 : film.moments.length - 1)
    if (plays) this.player.play()
    this.changed()
  }

  close() {
    this.asked = null
    if (!this.player) return
    this.player.pause()
    this.player = this.moment = null
    this.offer(false)
  }

  offer(there) {
    const { part } = this.view
    part(".player").hidden = part('[data-save="video"]').hidden = !there
    const now = part('.choice input[value="now"]')
    now.disabled = there // the last pictures are not recorded with each moment
    part(`.choice input[value="${this.view.since}"]`).checked = true
    part(".player input").max = there ? this.player.film.moments.length - 1 : 0
  }

  changed() {
    const words = this.player?.playing ? "Pause" : "Play"
    this.view.part(".play").textContent = words
  }

  show(at, within) {
    const { part } = this.view
    this.moment = this.player.film.moments[at]
    const input = part(".player input")
    input.value = at
    const { epoch, pruning } = this.moment
    const words = pruning ? `Epoch ${epoch}, pruning ${pruning}` : `Epoch ${epoch}`
    input.setAttribute("aria-valuetext", words)
    part(".player output").textContent = words
    this.view.paint(within)
  }

  words(moment) {
    const { view } = this
    const { epoch, validation, removed, alive } = view.record.numbers(moment)
    const accuracy = `validation accuracy ${validation}`
    const line = `Epoch ${epoch} · ${accuracy} · ${removed} of the weights removed · ${alive} neurons alive`
    const { low, high, words } = view.legend
    const { record } = view
    const share = moment ? epochPlace(moment, record.batches) / Math.max(1, record.place) : record.progress
    const title = record.status?.name ?? `Run ${view.run}`
    return { title, line, low, high, legend: words, share: Math.min(1, share) }
  }

  async savePng() {
    const { view } = this
    if (!view.picture) return
    const poster = new Poster(view.record.hidden, view.grid.theme, VIDEO, 2)
    new NetworkTurn(poster.grid).to(view.picture, view.stretched, 0)
    poster.draw(this.words(this.moment))
    saveFile(await poster.png(), view.file("network", "png"))
  }

  async saveVideo() {
    if (this.recording) return (this.recording = false)
    this.recording = true
    const button = this.view.part('[data-save="video"]')
    const { film } = this.player
    const poster = new Poster(this.view.record.hidden, this.view.grid.theme)
    const turn = new NetworkTurn(poster.grid)
    const draw = (at, within, now) => {
      const moment = film.moments[at]
      if (within !== null) turn.to(this.view.pictureOf(moment), this.view.stretched, within, now)
      poster.draw(this.words(moment), now)
    }
    try {
      const video = await recordFilm(poster, {
        moments: film.moments.length,
        step: this.player.step,
        draw,
        progress: (share) => (button.textContent = `Recording ${Math.round(100 * share)} % – stop`),
        stopped: () => !this.recording,
      })
      saveFile(video, this.view.file("film", video.type.split("/")[1]))
    } finally {
      this.recording = false
      button.textContent = "Save as video"
    }
  }
}

function epochPlace({ epoch, batch }, batches) {
  return batch == null ? epoch : Math.max(0, epoch - 1 + batch / Math.max(1, batches))
}
