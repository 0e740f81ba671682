// The live view of a run: joins its channel, and draws its network, its numbers and its curves as they come. Streamlit
// calls it again at every redraw of the page; what it holds lives in a property of its root element and stays.
const NUMBERS_EVERY = 250 // milliseconds between changes of the numbers: faster ones cannot be read
const CURVES_EVERY = 500
const SPOKEN_EVERY = 5000
const PICTURE_WITHIN = 1000 // milliseconds for which a run that begins is given for its first picture
const EVENT_LASTS = 8000 // milliseconds for which a pruning's sentence stands
const STAGE_HEIGHT = 250 // pixels of the network at most, where layers stand beside each other
const SINCE = { now: "newest pictures", epoch: "this epoch", start: "since the start" }

class LiveNetwork {
  constructor(root, template) {
    this.root = root
    this.part = (selector) => root.querySelector(selector)
    this.moves = window.matchMedia("(prefers-reduced-motion: reduce)")
    this.grid = new NeuronGrid(this.part("canvas"), { moves: () => !this.moves.matches })
    this.pointer = new GridPointer(this.grid, this.part(".tip"))
    this.pointer.describe = (neuron) => this.describe(neuron)
    this.choices = { since: "now", colours: "stretched" }
    this.turn = new NetworkTurn(this.grid)
    this.film = new FilmView(this)
    this.run = this.record = this.channel = null
    this.timers = {}
    this.curves = makeCurves(this.part(".curves"), template)
    this.wire()
    new ResizeObserver(() => this.fit()).observe(root)
  }

  wire() {
    for (const input of this.root.querySelectorAll(".choice input")) {
      const { choice } = input.closest("fieldset").dataset
      input.checked = this.choices[choice] === input.value
      input.onchange = () => {
        this.choices[choice] = input.value
        this.showNetwork(0)
      }
    }
    this.part('[data-save="csv"]').onclick = () => saveTable(this.neuronRows(), this.file("activity", "csv"))
    for (const [kind, rows] of [["accuracy", "epochs"], ["loss", "epochs"], ["sparsity", "prunings"]]) {
      this.curves[kind].figure.querySelector("button").onclick = () => {
        const name = kind === "sparsity" ? "weights-removed" : kind
        saveTable(rows === "epochs" ? this.record.epochRows() : this.record.prunings, this.file(name, "csv"))
      }
    }
  }

  // From Python, at every redraw of the page.
  update({ data, setStateValue, setTriggerValue }) {
    Object.assign(this, { data, setStateValue, setTriggerValue })
    if (this.run !== data.run) this.watch(data)
    this.root.classList.toggle("brief", data.brief)
    this.grid.setTheme(themeOf(this.root))
    for (const curve of this.curves.all) curve.colour(data.colours)
    this.fit()
    if (data.snapshot) this.fallBack(data)
    this.compare()
  }

  watch({ run, base, hidden, start }) {
    this.close()
    this.run = run
    this.record = new RunRecord(hidden, start)
    this.turn.live = this.cameAt = this.asked = null
    this.interval = 100 // milliseconds between frames, as they come
    const protocol = window.location.protocol === "https:" ? "wss:" : "ws:"
    this.channel = new LiveChannel(addressOf(base, `/live/${run}`, protocol), {
      told: (message) => this.told(message),
      reached: (open) => this.reached(open),
    })
  }

  close() {
    this.channel?.close()
    this.film.close()
    for (const timer of Object.values(this.timers)) clearTimeout(timer)
    this.timers = {}
  }

  reached(open) {
    this.part(".blocked").hidden = open
    const known = this.open
    this.open = open
    if (open !== (known ?? true)) this.setStateValue("channel", open ? "open" : "closed")
  }

  // Once a second, where WebSockets do not get through.
  fallBack({ snapshot, frame }) {
    if (this.open) return
    this.told(JSON.parse(snapshot))
    if (frame) this.told(Uint8Array.from(atob(frame), (letter) => letter.charCodeAt(0)).buffer)
  }

  told(message) {
    if (message instanceof ArrayBuffer) return this.newFrame(readFrame(message, this.record.neurons))
    switch (message.type) {
      case "history": {
        const before = this.record.status ? this.record.prunings.length : Infinity
        this.record.begin(message)
        this.newStatus(message.run)
        this.fit()
        this.showNumbers()
        this.showCurves()
        const missed = message.prunings.slice(before).at(-1) // while the channel was broken
        if (missed && !this.record.ended) this.tellEvent(missed)
        break
      }
      case "status":
        this.newStatus(message)
        break
      case "epoch":
        this.record.addEpoch(message)
        break
      case "pruning":
        this.record.addPruning(message)
        this.tellEvent(message)
        break
      case "answer":
        // The answer to a step may come with the pruning that the step led to, which is what is to be read.
        if (message.outcome && !(this.timers.event && message.kind === "step")) {
          this.part(".sentence").textContent = message.outcome
        }
        break
      case "gone":
        this.setTriggerValue("changed", "gone")
    }
    this.later("curves", CURVES_EVERY, () => this.showCurves())
    this.later("numbers", NUMBERS_EVERY, () => this.showNumbers())
    this.later("spoken", SPOKEN_EVERY, () => this.speak())
  }

  newStatus(status) {
    this.record.status = status
    this.compare()
    if (this.record.ended) this.endEvent()
    if (!this.record.ended || !status.has_film) return this.film.close()
    this.film.open(addressOf(this.data.base, `/live/${this.run}/film`), status.epoch)
  }

  // The page around the view shows these: when they change, the script draws it anew. A run's first picture comes
  // before that, unless it takes long: the browser would be busy with the page meanwhile.
  compare(first = false) {
    const begins = this.record?.status?.status === "running" && !this.record.frame
    if (begins && !first) return this.later("begins", PICTURE_WITHIN, () => this.compare(true))
    const key = ({ status, name, pace, pruned_by_hand: byHand, prunings }) =>
      JSON.stringify([status, name, pace || 0, byHand, prunings])
    if (!this.record?.status || !this.data.drawn) return
    const [now, drawn] = [key(this.record.status), key(this.data.drawn)]
    if (now === drawn) this.asked = null
    else if (now !== this.asked) {
      this.asked = now
      this.setTriggerValue("changed", now)
    }
  }

  newFrame(frame) {
    if (!frame) return
    const now = performance.now()
    if (this.cameAt) this.interval += 0.2 * (Math.min(1000, now - this.cameAt) - this.interval)
    this.cameAt = now
    this.record.frame = frame
    if (!this.shownEpoch) this.showNumbers() // the first epoch is waited for
    else this.later("numbers", NUMBERS_EVERY, () => this.showNumbers())
    if (!this.film.moment) this.showNetwork(this.interval)
    if (this.timers.begins) this.later("begun", 50, () => this.compare())
  }

  get since() {
    return this.film.player && this.choices.since === "now" ? "epoch" : this.choices.since
  }

  get stretched() {
    return this.choices.colours === "stretched"
  }

  // What is drawn: a moment of the film, or the newest frame; null before there is any.
  get picture() {
    if (this.film.moment) return this.pictureOf(this.film.moment)
    const { frame, start } = this.record
    if (!frame) return start && { live: start, share: () => 0, marked: MARKED }
    const [counts, samples] = [frame.counts[this.since], Math.max(1, frame.samples[this.since])]
    return { live: frame.live, share: (neuron) => counts[neuron] / samples, marked: MARKED }
  }

  pictureOf(moment) {
    const shares = moment.shares[this.since]
    const marked = Math.min(MARKED, 6 * this.film.player.step) // a film runs through many prunings in that time
    return { live: moment.live, share: (neuron) => shares[neuron] / FULL_SHARE, marked }
  }

  // Draw it anew, moving to it within so many milliseconds; a moment of the film with its numbers.
  paint(milliseconds) {
    this.showNetwork(milliseconds)
    this.later("numbers", 50, () => this.showNumbers())
    const { moment, player } = this.film
    const place = moment && player.at < player.film.moments.length - 1 ? epochPlace(moment, this.record.batches) : null
    for (const curve of this.curves.all) curve.mark(place)
  }

  showNetwork(milliseconds) {
    const { picture, grid } = this
    if (!grid.blocks.length) return
    const alive = picture && this.turn.to(picture, this.stretched, milliseconds)
    this.pointer.say()
    this.showLegend(alive)
  }

  showLegend(alive) {
    const { stretched } = this
    const say = (name, words) => {
      const part = this.part(`[data-legend="${name}"]`)
      if (part.textContent !== words) part.textContent = words
    }
    this.legend = stretched
      ? { low: "rarest in its layer", high: "most frequent", words: this.pictures() }
      : { low: "fires for 0 %", high: "100 %", words: this.pictures() }
    for (const [name, words] of Object.entries(this.legend)) say(name, words)
    const scale = `linear-gradient(to right, ${this.grid.theme?.scale ?? ""})`
    if (this.scale !== scale) this.part(".scale").style.background = this.scale = scale
    const canvas = this.grid.canvas
    const words = alive?.map((living, layer) => `hidden ${layer + 1}: ${living} of ${this.record.hidden[layer]} alive`)
    const state = words ? `; ${words.join(", ")}` : ", before training"
    const label =
      `Activation frequency of ${this.record.neurons} neurons${state}. Arrow keys move from neuron to neuron.`
    if (canvas.getAttribute("aria-label") !== label) canvas.setAttribute("aria-label", label)
  }

  pictures() {
    const { since } = this
    const samples = this.record.frame?.samples.now
    return since === "now" && samples ? `last ${samples.toLocaleString("en")} pictures` : SINCE[since]
  }

  describe(neuron) {
    const { record, grid, film: { moment } } = this
    const layer = grid.layerOf(neuron)
    const name = `Hidden ${layer + 1}, neuron ${neuron - grid.blocks[layer].first + 1}`
    const shares = this.shares(neuron)
    if (!shares) return name
    const live = (moment ?? record.frame).live[neuron]
    const fires = Object.entries({ now: "now", epoch: "this epoch", start: "since the start" })
      .filter(([since]) => since in shares).map(([since, words]) => `${percent(shares[since])} ${words}`)
    const left = live ? `${live.toLocaleString("en")} incoming ${live === 1 ? "weight" : "weights"} left` : "removed"
    return `${name} fires for ${fires.join(", ")}; ${left}.`
  }

  shares(neuron) {
    const { film: { moment }, record: { frame } } = this
    if (moment) {
      return { epoch: moment.shares.epoch[neuron] / FULL_SHARE, start: moment.shares.start[neuron] / FULL_SHARE }
    }
    if (!frame) return null
    const share = (since) => frame.counts[since][neuron] / Math.max(1, frame.samples[since])
    return { now: share("now"), epoch: share("epoch"), start: share("start") }
  }

  neuronRows() {
    const live = (this.film.moment ?? this.record.frame)?.live
    if (!live) return []
    return Array.from(live, (weights, neuron) => {
      const layer = this.grid.layerOf(neuron)
      const shares = this.shares(neuron)
      return {
        layer: `hidden ${layer + 1}`, neuron: neuron - this.grid.blocks[layer].first + 1,
        share_now: shares.now ?? null, share_this_epoch: shares.epoch, share_since_the_start: shares.start,
        incoming_weights_left: weights,
      }
    })
  }

  fit() {
    const width = Math.floor(this.root.clientWidth)
    if (!width || !this.record) return
    this.grid.arrange(this.record.hidden, width, STAGE_HEIGHT)
    this.showNetwork(0)
  }

  showNumbers() {
    this.shownEpoch = this.record.frame?.epoch
    for (const [name, words] of Object.entries(this.record.numbers(this.film.moment))) {
      const part = this.part(`[data-number="${name}"]`)
      if (part.textContent !== words) part.textContent = words
    }
    const progress = this.part(".progress")
    const share = Math.round(1000 * this.record.progress) / 10
    progress.setAttribute("aria-valuenow", Math.round(share))
    progress.firstElementChild.style.transform = `scaleX(${share / 100})`
    const left = this.part(".left")
    if (left.textContent !== this.record.timeLeft) left.textContent = this.record.timeLeft
    if (!this.timers.event) this.showSentence()
  }

  showSentence() {
    const sentence = this.part(".sentence")
    sentence.classList.remove("event")
    const words = this.record.status?.sentence ?? ""
    if (sentence.textContent !== words) sentence.textContent = words
  }

  tellEvent(pruning) {
    if (["hand", "undo"].includes(pruning.made_by)) return // the answer to the command says it
    const sentence = this.part(".sentence")
    sentence.textContent = pruningSentence(pruning)
    sentence.classList.add("event")
    clearTimeout(this.timers.event)
    this.timers.event = setTimeout(() => this.endEvent(), EVENT_LASTS)
  }

  endEvent() {
    clearTimeout(this.timers.event)
    this.timers.event = null
    this.showSentence()
  }

  showCurves() {
    const { epochs, steps } = this.record.curves()
    this.curves.accuracy.show(epochs)
    this.curves.loss.show(epochs)
    this.curves.sparsity.show(steps)
  }

  speak() {
    const words = this.record.spoken()
    const spoken = this.part(":scope > .spoken")
    if (spoken.textContent !== words) spoken.textContent = words
  }

  // Once within so many milliseconds, however often it is asked for.
  later(name, milliseconds, act) {
    this.timers[name] ??= setTimeout(() => {
      this.timers[name] = null
      act()
    }, milliseconds)
  }

  file(name, kind) {
    return `run-${this.run}-${name}.${kind}`
  }
}

export default function (component) {
  const root = component.parentElement.querySelector(".live")
  root.view ??= new LiveNetwork(root, component.parentElement.querySelector("template"))
  root.view.update(component)
  return () => root.view.close()
}
