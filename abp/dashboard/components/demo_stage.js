const drawn = new WeakMap();
const SVG = "http://www.w3.org/2000/svg";

function element(parent, name, text) {
  const made = parent.namespaceURI === SVG || name === "circle" || name === "text"
    ? document.createElementNS(SVG, name) : document.createElement(name);
  if (text !== undefined) made.textContent = text;
  parent.appendChild(made);
  return made;
}

function layOut(hidden) {
  const all = hidden.reduce((sum, width) => sum + width, 0);
  const rows = Math.max(4, Math.round(Math.sqrt(all / 2.4)));
  let left = 0;
  const layers = hidden.map(width => {
    const columns = Math.ceil(width / rows);
    const layer = { left, columns, width };
    left += columns + 1.5;
    return layer;
  });
  return { rows, layers, width: left - 1.5 };
}

function place(layer, index, rows) {
  return [layer.left + Math.floor(index / rows) + 0.5, (index % rows) + 0.5];
}

function build(root, hidden) {
  const svg = root.querySelector("svg");
  svg.replaceChildren();
  const plan = layOut(hidden);
  svg.setAttribute("viewBox", `-0.3 -0.3 ${plan.width + 0.6} ${plan.rows + 1.9}`);
  plan.layers.forEach((layer, number) => {
    const label = element(svg, "text", layer.columns > 3 ? `layer ${number + 1}` : number + 1);
    label.setAttribute("x", layer.left + layer.columns / 2);
    label.setAttribute("y", plan.rows + 1.1);
  });
  plan.dots = plan.layers.flatMap(layer => Array.from({ length: layer.width }, () => element(svg, "circle")));
  return plan;
}

function paint(root, plan, data, colours, style) {
  let index = 0;
  const grey = style.getPropertyValue("--st-gray-color") || "#8A8F98";
  for (const layer of plan.layers) {
    const alive = data.alive.slice(index, index + layer.width);
    const left = alive.filter(Boolean).length;
    const rows = data.packed ? Math.max(1, Math.round(Math.sqrt(left * plan.rows / Math.max(1, layer.columns))))
      : plan.rows;
    const columns = Math.ceil(left / rows);
    let rank = 0;
    for (let i = 0; i < layer.width; i++, index++) {
      const dot = plan.dots[index];
      let [x, y] = place(layer, i, plan.rows);
      if (data.packed && alive[i]) {
        x = layer.left + layer.columns / 2 - columns / 2 + Math.floor(rank / rows) + 0.5;
        y = plan.rows / 2 - rows / 2 + (rank % rows) + 0.5;
        rank++;
      }
      dot.style.transform = `translate(${x}px, ${y}px)`;
      dot.setAttribute("r", alive[i] ? (data.marked[index] ? 0.34 : 0.42) : 0.13);
      dot.style.fill = alive[i] ? colours[Math.min(9, Math.floor(data.glow[index] / 10))] : grey;
      dot.style.opacity = alive[i] ? (data.marked.includes(1) && !data.marked[index] ? 0.25 : 1)
        : (data.packed ? 0.25 : 0.6);
      dot.style.stroke = data.marked[index] ? style.getPropertyValue("--st-text-color") : "none";
      dot.style.strokeWidth = data.marked[index] ? 0.16 : 0;
      if (data.packed && alive[i]) dot.parentNode.appendChild(dot);
    }
  }
}

function bars(root, rows) {
  const box = root.querySelector(".bars");
  while (box.children.length > rows.length) box.lastChild.remove();
  rows.forEach((row, index) => {
    let bar = box.children[index];
    if (!bar) {
      bar = element(box, "div");
      const line = element(bar, "p");
      element(line, "span");
      element(line, "b");
      const track = element(bar, "div");
      track.className = "track";
      element(track, "div").className = "fill";
    }
    bar.querySelector("span").textContent = row.label;
    bar.querySelector("b").textContent = row.text;
    const fill = bar.querySelector(".fill");
    fill.style.background = row.colour;
    fill.style.width = `${100 * (row.share ?? 0)}%`;
  });
}

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".stage");
  const style = getComputedStyle(root);
  const colours = style.getPropertyValue("--st-chart-sequential-colors").split(",");
  const shape = data.hidden.join();
  let plan = drawn.get(root);
  if (!plan || plan.shape !== shape) {
    plan = build(root, data.hidden);
    plan.shape = shape;
    drawn.set(root, plan);
  }
  root.classList.toggle("large", data.large);
  const steps = root.querySelector(".steps");
  steps.replaceChildren();
  data.titles.forEach((title, index) => {
    const dot = element(steps, "li");
    dot.className = index + 1 < data.step ? "done" : index + 1 === data.step ? "now" : "";
    dot.setAttribute("aria-label", `Step ${index + 1}: ${title}`);
    if (index + 1 === data.step) dot.setAttribute("aria-current", "step");
  });
  const title = element(steps, "li", `${data.step}. ${data.titles[data.step - 1]}`);
  title.className = "title";
  title.style.cssText = "width: auto; height: auto; border: none;";
  const sentence = root.querySelector(".sentence");
  if (sentence.textContent !== data.sentence) sentence.textContent = data.sentence;
  root.querySelector("svg").setAttribute("aria-label", data.alt);
  root.querySelector(".note").textContent = data.note;
  root.querySelector(".scale").style.background = `linear-gradient(to right, ${colours.join(",")})`;
  paint(root, plan, data, colours, style);
  bars(root, data.bars);
}
