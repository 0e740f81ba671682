// One file at a time. What the server answers is shown as it is: a sentence. The state lives on the element, since
// drawing the page anew calls this function again.
export default function ({ parentElement, data, setTriggerValue }) {
  const drop = parentElement.querySelector(".drop")
  const input = drop.querySelector("input")
  const bar = drop.querySelector("progress")
  const state = drop.querySelector(".state")
  drop.querySelector(".what").textContent = data.what
  input.accept = data.accept
  input.setAttribute("aria-label", "Choose a file")

  const say = (text, wrong = false) => {
    state.textContent = text
    state.classList.toggle("wrong", wrong)
  }

  const send = (file) => {
    if (!file || drop.sending) return
    if (file.size > data.most) {
      const megabytes = Math.round(file.size / 2 ** 20).toLocaleString("en")
      return say(`${file.name} has ${megabytes} MB; at most ${data.most / 2 ** 20} MB can be read.`, true)
    }
    const folder = data.base.replace(/^\/+|\/+$/g, "")
    const address = `${folder ? `/${folder}` : ""}/upload/${data.place}?name=${encodeURIComponent(file.name)}`
    const request = (drop.sending = new XMLHttpRequest())
    request.open("PUT", address)
    request.upload.onprogress = (event) => {
      bar.value = event.total ? event.loaded / event.total : 0
      say(`${file.name}: ${Math.round(100 * bar.value)} % sent`)
    }
    const end = (text, wrong) => {
      drop.sending = null
      bar.hidden = true
      input.value = ""
      say(text, wrong)
    }
    request.onload = () => {
      if (request.status === 201) {
        end(`${file.name} has arrived.`, false)
        setTriggerValue("arrived", file.name)
      } else end(request.responseText || `The dashboard refused the file (${request.status}).`, true)
    }
    request.onerror = () => end("The connection was lost before the file had arrived. Send it again.", true)
    bar.value = 0
    bar.hidden = false
    say(`${file.name}: 0 % sent`)
    request.send(file)
  }

  input.onchange = () => send(input.files[0])
  drop.ondragover = (event) => {
    event.preventDefault()
    drop.classList.add("over")
  }
  drop.ondragleave = () => drop.classList.remove("over")
  drop.ondrop = (event) => {
    event.preventDefault()
    drop.classList.remove("over")
    const [item] = event.dataTransfer.items
    if (item?.webkitGetAsEntry?.()?.isDirectory) {
      return say("This is a folder: make a zip file of it and drop that.", true)
    }
    send(event.dataTransfer.files[0])
  }
}
