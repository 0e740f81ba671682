// The three curves in the place for them, and their words.
function makeCurves(place, template) {
  const accuracy = (data, index) => {
    const [train, valid] = ["train_accuracy", "valid_accuracy"].map((name) => percent(data.columns[name][index]))
    return `Epoch ${data.x[index]}: training ${train}, validation ${valid}.`
  }
  const nats = (value) => (Number.isFinite(value) ? value.toFixed(4) : "no finite number")
  const loss = (data, index) => {
    const [train, valid] = ["train_loss", "valid_loss"].map((name) => nats(data.columns[name][index]))
    return `Epoch ${data.x[index]}: training ${train}, validation ${valid}.`
  }
  const removed = ({ x, columns: { sparsity } }, index) =>
    `Epoch ${x[index].toFixed(1)}: ${percent(sparsity[index])} removed.`
  const both = (measure) => [
    { label: "training", column: `train_${measure}` },
    { label: "validation", column: `valid_${measure}`, dash: "5 3" },
  ]
  const kinds = {
    accuracy: {
      title: "Accuracy", unit: "accuracy", lines: both("accuracy"), axis: AXES.accuracy, words: accuracy,
      caption: "Share of pictures classified correctly; dotted lines mark prunings.",
      meaning: "Training accuracy is measured while the weights change; validation accuracy at the end of each " +
        "epoch, on pictures not used for training. Where accuracy recovers after a dotted line, little of value was " +
        "removed.",
    },
    loss: {
      title: "Loss", unit: "cross-entropy, nats", lines: both("loss"), axis: AXES.loss, words: loss,
      caption: "Average error of the predictions; lower is better.",
      meaning: "Cross-entropy in nats. When the validation loss rises well above its lowest value, training has " +
        "stalled.",
    },
    sparsity: {
      title: "Weights removed", unit: "share of hidden weights", axis: AXES.sparsity, words: removed, steps: true,
      lines: [{ label: "removed", column: "sparsity" }],
      caption: "Share of the hidden weights that have been removed.",
      meaning: "Each step is one pruning. Removed weights stay at zero for the rest of the run.",
    },
  }
  const make = ([kind, words]) => {
    const figure = template.content.firstElementChild.cloneNode(true)
    figure.querySelector("h3").textContent = words.title
    figure.querySelector("svg").setAttribute("aria-label", `${words.title}: nothing yet`)
    figure.querySelector("summary").setAttribute("aria-label", `Meaning of ${words.title.toLowerCase()}`)
    figure.querySelector("details p").textContent = words.meaning
    figure.querySelector("figcaption button").setAttribute("aria-label", `${words.title} as CSV`)
    figure.querySelector(".caption").textContent = words.caption
    place.append(figure)
    return [kind, new Curve(figure, words)]
  }
  const curves = Object.fromEntries(Object.entries(kinds).map(make))
  return { ...curves, all: Object.values(curves) }
}
