// What the browser knows of a run: its history, its newest frame and its status, and the numbers that follow from them.
const EPOCH_COLUMNS = [
  ...["epoch", "train_accuracy", "valid_accuracy", "test_accuracy"],
  ...["train_loss", "valid_loss", "test_loss", "sparsity", "seconds"],
]

class RunRecord {
  // `start`: incoming weights that each neuron starts with, where some are removed from the start; or null.
  constructor(hidden, start) {
    this.frame = this.status = null
    this.start = start
    this.begin({ hidden, epochs: {}, prunings: [], epochs_at_most: 0, batches: 1, start_sparsity: 0 })
  }

  begin(history) {
    this.neurons = history.hidden.reduce((sum, count) => sum + count, 0)
    Object.assign(this, { hidden: history.hidden, prunings: history.prunings, most: history.epochs_at_most })
    Object.assign(this, { batches: history.batches, startSparsity: history.start_sparsity })
    this.epochs = Object.fromEntries(EPOCH_COLUMNS.map((name) => [name, [...(history.epochs[name] ?? [])]]))
  }

  // An epoch told twice, or again after a run went back to its checkpoint, takes the place of what it was.
  addEpoch(row) {
    const from = this.epochs.epoch.findIndex((epoch) => epoch >= row.epoch)
    for (const name of EPOCH_COLUMNS) {
      if (from >= 0) this.epochs[name].length = from
      this.epochs[name].push(row[name])
    }
  }

  addPruning(row) {
    this.prunings = [...this.prunings.filter((pruning) => pruning.number < row.number), row]
  }

  // How far it is, in epochs.
  get place() {
    if (this.frame?.epoch) return this.frame.epoch - 1 + this.frame.batch / Math.max(1, this.frame.batches)
    return this.status?.epoch ?? 0
  }

  get ended() {
    return !["queued", "running", "paused"].includes(this.status?.status ?? "queued")
  }

  // Pictures in an epoch; 0 before that can be told.
  get samples() {
    const { frame } = this
    return frame?.batch ? Math.round((frame.samples.epoch * frame.batches) / frame.batch) : 0
  }

  // What stands in the row of numbers, at a moment of the film or now.
  numbers(moment = null) {
    const { frame, status, epochs } = this
    const share = (value) => (Number.isFinite(value) ? percent(value) : "–")
    const live = moment?.live ?? frame?.live ?? this.start
    const alive = live?.reduce((sum, weights) => sum + (weights > 0), 0)
    const epoch = moment?.epoch ?? frame?.epoch ?? status?.epoch ?? 0
    const row = moment ? epochs.epoch.indexOf(moment.epoch) : epochs.epoch.length - 1
    const now = frame?.samples.epoch ? frame.trainAccuracy : epochs.train_accuracy[row]
    const training = moment ? moment.train_accuracy : now
    return {
      epoch: `${epoch} of ${this.most || "–"}`,
      training: share(training),
      validation: share(moment?.valid_accuracy ?? epochs.valid_accuracy[row]),
      test: share(epochs.test_accuracy[row]),
      removed: share(moment?.sparsity ?? frame?.sparsity ?? Math.max(status?.sparsity ?? 0, this.startSparsity)),
      alive: live ? `${alive} of ${this.neurons}` : "–",
      rate: this.rate ? Math.round(this.rate).toLocaleString("en") : "–",
    }
  }

  // Pictures a second now; of a run that has ended, over all its time.
  get rate() {
    const { frame, status } = this
    if (status && this.ended) return status.seconds ? (status.epoch * this.samples) / status.seconds : 0
    return status?.status === "running" ? frame?.rate : 0
  }

  get progress() {
    if (this.status?.status === "finished") return 1 // perhaps before the last epoch that it was allowed
    return this.most ? Math.min(1, this.place / this.most) : 0
  }

  // How long it may still take, in words.
  get timeLeft() {
    const { frame, status } = this
    if (status && this.ended) {
      const epochs = status.epoch === 1 ? "1 epoch" : `${status.epoch.toLocaleString("en")} epochs`
      return `${epochs} in ${duration(status.seconds)}`
    }
    if (status?.status !== "running" || !frame?.rate || !this.samples) return ""
    return `at most ${duration(((this.most - this.place) * this.samples) / frame.rate)} left`
  }

  // What the three curves draw.
  curves() {
    const prunings = this.prunings.map(({ place, sparsity }) => ({ place: Math.max(0, place), sparsity }))
    const last = Math.ceil(this.place) || this.epochs.epoch.at(-1) || 0
    const of = (x, columns) => ({ x, columns, rules: prunings, last, most: this.most })
    const steps = [{ place: 0, sparsity: this.startSparsity }, ...prunings]
    steps.push({ place: Math.max(this.place, last), sparsity: steps.at(-1).sparsity })
    const epochs = of(this.epochs.epoch, this.epochs)
    return { epochs, steps: of(steps.map((step) => step.place), { sparsity: steps.map((step) => step.sparsity) }) }
  }

  // Rows of the files that people download.
  epochRows() {
    const row = (index) => Object.fromEntries(EPOCH_COLUMNS.map((name) => [name, this.epochs[name][index]]))
    return this.epochs.epoch.map((_, index) => row(index))
  }

  // A sentence for those who cannot see the picture.
  spoken() {
    const { epoch, validation, removed } = this.numbers()
    const word = this.status?.word ?? "Waiting"
    return `${word}: epoch ${epoch.split(" ")[0]}, validation accuracy ${validation}, ${removed} of the weights removed.`
  }
}

function duration(seconds) {
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`
  const minutes = Math.round(seconds / 60)
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

function pruningSentence(pruning) {
  const { neurons_removed: neurons, weights_removed: weights } = pruning
  const gone = neurons ? `${neurons.toLocaleString("en")} neurons` : `${weights.toLocaleString("en")} weights`
  const [before, after] = ["before", "after"].map((when) => (100 * pruning[`valid_accuracy_${when}`]).toFixed(1))
  return `Pruning ${pruning.number}: ${gone} removed (${pruning.title}); validation accuracy ${before} → ${after} %.`
}
