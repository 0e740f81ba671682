// The channel from the server: one WebSocket, opened anew when it breaks, and what its messages mean. The format is
// described in abp/dashboard/channel.
const FIRST_WAIT = 500, LONGEST_WAIT = 30000 // milliseconds before a socket is opened anew
const PATIENT = 5000 // milliseconds in which a socket opens, or counts as blocked

// An address below the dashboard's own, as the browser reaches it: behind a proxy, the server may know another.
function addressOf(base, path, protocol = window.location.protocol) {
  const folder = base.replace(/^\/+|\/+$/g, "")
  return `${protocol}//${window.location.host}${folder ? `/${folder}` : ""}${path}`
}

// A frame of a network; null if it is of another one or of another version.
function readFrame(buffer, neurons) {
  const view = new DataView(buffer)
  if (buffer.byteLength < 64 || view.getUint8(0) !== 1 || view.getUint8(1) !== 1) return null
  const header = view.getUint16(2, true)
  if (buffer.byteLength < header + 16 * neurons) return null
  const block = (number) => new Uint32Array(buffer, header + 4 * number * neurons, neurons)
  return {
    number: view.getUint32(4, true),
    epoch: view.getUint32(16, true),
    batch: view.getUint32(20, true),
    batches: view.getUint32(24, true),
    rate: view.getFloat32(28, true),
    trainAccuracy: view.getFloat32(36, true),
    sparsity: view.getFloat32(40, true),
    samples: {
      now: view.getUint32(44, true),
      epoch: view.getUint32(48, true),
      start: view.getFloat64(56, true),
    },
    counts: { now: block(0), epoch: block(1), start: block(2) },
    live: block(3),
  }
}

class LiveChannel {
  // `told` is called with each message: an object, or an ArrayBuffer for a frame; `reached` with whether there is a
  // channel, as soon as that is known and whenever it changes.
  constructor(address, { told, reached }) {
    Object.assign(this, { address, told, reached, failures: 0, wait: FIRST_WAIT, closed: false, timer: null })
    this.open()
  }

  open() {
    const socket = new WebSocket(this.address)
    this.socket = socket
    socket.binaryType = "arraybuffer"
    const patience = setTimeout(() => socket.close(), PATIENT)
    let opened = false
    socket.onmessage = ({ data }) => {
      if (!opened) {
        opened = true
        clearTimeout(patience)
        this.failures = 0
        this.wait = FIRST_WAIT
        this.reached(true)
      }
      const message = typeof data === "string" ? JSON.parse(data) : data
      if (message.type === "gone") this.close()
      this.told(message)
    }
    socket.onclose = () => {
      clearTimeout(patience)
      if (this.closed || this.socket !== socket) return
      if (!opened && ++this.failures === 2) this.reached(false)
      this.timer = setTimeout(() => this.open(), this.wait * (0.75 + Math.random() / 2)) // not all viewers at once
      this.wait = Math.min(LONGEST_WAIT, 2 * this.wait)
    }
  }

  close() {
    this.closed = true
    clearTimeout(this.timer)
    this.socket.close()
  }
}
