// Strokes are lists of points from 0 to 1, right and down. They live on the canvas, so that drawing the page
// anew, which calls this function again, loses none of them.
const SENT = 112 // pixels of the picture that is sent; abp/dashboard/components/drawing_pad.py expects as many
const PEN = 0.075 // width of the pen, of the pad's
const STEP = 0.04 // an arrow key's

// The strokes of an earlier pad, which come back with the page.
function restored(strokes) {
  return strokes ? JSON.parse(strokes).map((stroke) => stroke.map((place) => place.map((share) => share / 1000))) : []
}

export default function ({ data, parentElement, setStateValue }) {
  const canvas = parentElement.querySelector("canvas")
  const [undo, clear] = parentElement.querySelectorAll("button")
  const spoken = parentElement.querySelector(".spoken")
  const pad = (canvas.pad ??= {
    strokes: restored(data?.strokes), current: null, pointer: null, pen: [0.5, 0.5], keys: false,
  })

  const paint = (context, size, colour) => {
    context.strokeStyle = context.fillStyle = colour
    context.lineWidth = PEN * size
    context.lineCap = context.lineJoin = "round"
    for (const stroke of pad.strokes) {
      context.beginPath()
      context.moveTo(stroke[0][0] * size, stroke[0][1] * size)
      for (const [x, y] of stroke) context.lineTo(x * size, y * size)
      context.stroke()
    }
  }

  const draw = () => {
    const size = Math.round(280 * (window.devicePixelRatio || 1))
    if (canvas.width !== size) canvas.width = canvas.height = size
    const context = canvas.getContext("2d")
    const style = getComputedStyle(canvas)
    context.clearRect(0, 0, size, size)
    paint(context, size, style.color)
    if (pad.keys) {
      context.strokeStyle = context.fillStyle = style.caretColor
      context.lineWidth = size / 100
      context.beginPath()
      context.arc(pad.pen[0] * size, pad.pen[1] * size, (PEN * size) / 2, 0, 2 * Math.PI)
      if (pad.current) context.fill()
      context.stroke()
    }
    undo.disabled = clear.disabled = pad.strokes.length === 0
  }

  // The picture is sent as brightness, a byte a pixel, white ink on black; nothing stands for an empty pad.
  const send = () => {
    draw()
    if (!pad.strokes.length) return setStateValue("ink", "")
    const small = document.createElement("canvas")
    small.width = small.height = SENT
    const context = small.getContext("2d")
    paint(context, SENT, "#fff")
    const pixels = context.getImageData(0, 0, SENT, SENT).data
    let bytes = ""
    for (let index = 3; index < pixels.length; index += 4) bytes += String.fromCharCode(pixels[index])
    const places = pad.strokes.map((stroke) => stroke.map((place) => place.map((share) => Math.round(1000 * share))))
    setStateValue("ink", `${btoa(bytes)}|${JSON.stringify(places)}`)
  }

  const begin = (point) => {
    pad.current = [point]
    pad.strokes.push(pad.current)
    draw()
  }
  const end = () => {
    if (!pad.current) return
    pad.current = pad.pointer = null
    send()
  }
  const where = (event) => {
    const box = canvas.getBoundingClientRect()
    const inside = (value) => Math.min(1, Math.max(0, value))
    return [inside((event.clientX - box.left) / box.width), inside((event.clientY - box.top) / box.height)]
  }

  canvas.onpointerdown = (event) => {
    if (event.button !== 0 || pad.pointer !== null) return // a second finger does not draw
    end()
    pad.keys = false
    pad.pointer = event.pointerId
    canvas.setPointerCapture(event.pointerId)
    begin(where(event))
  }
  canvas.onpointermove = (event) => {
    if (event.pointerId !== pad.pointer || !pad.current) return
    const events = event.getCoalescedEvents?.() ?? []
    for (const each of events.length ? events : [event]) pad.current.push(where(each))
    draw()
  }
  canvas.onpointerup = canvas.onpointercancel = (event) => {
    if (event.pointerId === pad.pointer) end()
  }

  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }
  canvas.onkeydown = (event) => {
    if (pad.pointer !== null || event.ctrlKey || event.metaKey || event.altKey) return
    if (event.key in arrows) {
      pad.pen = pad.pen.map((value, axis) => Math.min(1, Math.max(0, value + STEP * arrows[event.key][axis])))
      pad.current?.push([...pad.pen])
    } else if (event.key === " " || event.key === "Enter") {
      if (pad.current) end()
      else begin([...pad.pen])
      spoken.textContent = pad.current ? "Pen down" : "Pen up"
    } else if (event.key === "Escape") {
      wipe()
    } else return
    event.preventDefault()
    pad.keys = true
    draw()
  }
  canvas.onfocus = () => {
    pad.keys = canvas.matches(":focus-visible")
    draw()
  }
  canvas.onblur = () => {
    if (pad.pointer === null) end()
    pad.keys = false
    draw()
  }

  const wipe = () => {
    pad.strokes = []
    pad.current = pad.pointer = null
    spoken.textContent = "Cleared"
    send()
  }
  clear.onclick = wipe
  undo.onclick = () => {
    pad.strokes.pop()
    pad.current = pad.pointer = null
    spoken.textContent = "Last stroke undone"
    send()
  }

  draw()
}
