// A range input. While it is dragged it tells its place as soon as the place before has been answered, which the page
// says by drawing this anew; that it rests is always told.
const UNANSWERED = 1000 // milliseconds after which an answer is no longer waited for

export default function ({ data, parentElement, setStateValue }) {
  const range = parentElement.querySelector("input")
  const label = parentElement.querySelector("label")
  const output = parentElement.querySelector("output")
  const own = (range.own ??= { sent: 0, asked: 0, moving: false, timer: null })

  const paint = () => {
    output.textContent = `${range.value} %`
    range.setAttribute("aria-valuetext", `${range.value} per cent`)
    range.style.setProperty("--share", `${(100 * range.value) / data.most}%`)
  }
  const tell = () => {
    own.sent = Number(range.value)
    own.asked = performance.now()
    own.told = own.moving
    setStateValue("place", [own.sent, own.moving])
  }
  const maybe = () => {
    clearTimeout(own.timer)
    if (Number(range.value) === own.sent && own.told === own.moving) return
    const waits = own.asked && performance.now() - own.asked < UNANSWERED
    if (waits && own.moving) own.timer = setTimeout(maybe, UNANSWERED)
    else tell()
  }

  range.max = data.most
  label.textContent = data.label
  if (!own.begun) {
    own.begun = true
    own.told = false
    range.value = own.sent = data.seen
  } else if (data.seen === own.sent) {
    own.asked = 0 // answered
    maybe()
  }
  range.oninput = () => {
    own.moving = true
    paint()
    maybe()
  }
  range.onchange = () => {
    own.moving = false
    paint()
    maybe()
  }
  paint()
}
