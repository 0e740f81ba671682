// Every hidden neuron's answer to one picture, a canvas for each layer: drawn anew at the end of each stroke.
export default function ({ data, parentElement, setStateValue, setTriggerValue }) {
  const root = parentElement.querySelector(".lights")
  const tip = parentElement.querySelector(".tip")
  const theme = themeOf(root)
  const { layers, title } = data
  root.pointers ??= []

  while (root.children.length > layers.length) {
    root.lastChild.remove()
    root.pointers.pop()
  }
  while (root.children.length < layers.length) {
    const figure = document.createElement("figure")
    figure.append(document.createElement("figcaption"), document.createElement("canvas"))
    root.append(figure)
    root.pointers.push(new GridPointer(new NeuronGrid(figure.lastChild, { titles: false }), tip))
  }

  layers.forEach(({ name, outputs, live, strongest, columns }, layer) => {
    const [caption, canvas] = root.children[layer].children
    const pointer = root.pointers[layer]
    const { grid } = pointer
    const width = outputs.length
    const fire = outputs.filter((output) => output > 0).length
    const bold = document.createElement("b")
    bold.textContent = name
    caption.replaceChildren(bold, ` · ${fire} of ${width} fire`)
    canvas.setAttribute(
      "aria-label",
      `${title}: outputs of the ${width} neurons of ${name.toLowerCase()}; ${fire} fire. Arrow keys move from neuron ` +
        `to neuron, ${data.switches ? "Space switches it off or on" : "Space shows its weights"}.`,
    )
    grid.setTheme(theme)
    grid.arrangeColumns(width, columns, data.cell)
    grid.show(outputs.map((output) => output / strongest), live)
    pointer.describe = (neuron) => {
      const links = live[neuron]
        ? `${live[neuron].toLocaleString("en")} incoming ${live[neuron] === 1 ? "weight" : "weights"} left`
        : "removed"
      return `Neuron ${neuron + 1}: output ${outputs[neuron].toFixed(2)}, ${links}.`
    }
    const point = (neuron) => setStateValue("pointed", [layer, neuron])
    pointer.rest = point
    pointer.choose = (neuron) => (data.switches ? setTriggerValue("clicked", [layer, neuron]) : point(neuron))
    pointer.say()
  })
}
