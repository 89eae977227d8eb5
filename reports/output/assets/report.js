"use strict";
// Everything that can be seen is in the page already; this sorts, filters and reads it.
const make = (name, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
};
const draw = (name, attributes) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
};

// Tables: sorted by a click on a header, rows without a value last; filtered by a word.
for (const table of document.querySelectorAll("table:not(.plain)")) {
  const headers = [...table.tHead.rows[0].cells];
  headers.forEach((header, column) => {
    const button = make("button", { type: "button", textContent: header.textContent });
    button.addEventListener("click", () => sort(table, headers, column));
    header.replaceChildren(button);
  });
  if (table.tBodies[0].rows.length > 8) addFilter(table);
}

function sort(table, headers, column) {
  const falling = headers[column].getAttribute("aria-sort") === "ascending";
  headers.forEach((header) => header.removeAttribute("aria-sort"));
  headers[column].setAttribute("aria-sort", falling ? "descending" : "ascending");
  const key = (row) => row.cells[column].dataset.key;
  const rows = [...table.tBodies[0].rows].sort((a, b) => compare(key(a), key(b), falling ? -1 : 1));
  table.tBodies[0].append(...rows);
}

function compare(a, b, direction) {
  if (a === "" || b === "") return (a === "") - (b === "");
  const difference = Number(a) - Number(b);
  return direction * (Number.isNaN(difference) ? a.localeCompare(b) : difference);
}

function addFilter(table) {
  const rows = [...table.tBodies[0].rows];
  const found = make("output");
  const field = make("input", { type: "search" });
  field.addEventListener("input", () => {
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) {
      const text = [...row.cells].map((cell) => cell.textContent.toLowerCase());
      row.hidden = !words.every((word) => text.some((cell) => cell.includes(word)));
    }
    const shown = rows.filter((row) => !row.hidden).length;
    found.textContent = words.length ? `${shown} of ${rows.length} rows` : "";
  });
  const label = make("label", {}, "Rows with ", field);
  table.parentElement.before(make("p", { className: "controls" }, label, " ", found));
}

// Figures: exact values under the pointer or by the arrow keys, series on and off, files.
for (const figure of document.querySelectorAll("figure[id]")) {
  const box = figure.querySelector(".scroll");
  const svg = box.querySelector("svg");
  const controls = make("p", { className: "controls" });
  box.after(controls);
  const marks = svg.dataset.marks && JSON.parse(svg.dataset.marks);
  if (marks) addReader(box, svg, controls, () => marks.points);
  if (marks && marks.series.length > 1) addSeries(svg, controls, marks);
  for (const kind of ["SVG", "PNG"]) {
    const button = make("button", { type: "button", textContent: kind });
    button.setAttribute("aria-label", `Download this figure as ${kind}`);
    button.addEventListener("click", () => save(figure, svg, kind));
    controls.append(button, " ");
  }
}

function addReader(box, svg, controls, points) {
  const ring = draw("circle", { r: 8, class: "ring", visibility: "hidden" });
  const value = make("output", { className: "value" });
  let at = -1, pointed = false;
  svg.append(ring);
  controls.before(make("p", { className: "reading" }, value));
  const show = (place) => {
    const point = points().filter((one) => !isOff(svg, one[3]))[place];
    at = point ? place : -1;
    ring.setAttribute("visibility", point ? "visible" : "hidden");
    value.textContent = point ? point[2] : "";
    if (point) {
      ring.setAttribute("cx", point[0]);
      ring.setAttribute("cy", point[1]);
    }
  };
  // A page that scrolls below a resting pointer must not take away what the keys have found.
  box.addEventListener("pointermove", (event) => {
    if (!event.movementX && !event.movementY) return;
    pointed = true;
    const frame = svg.getBoundingClientRect();
    const scale = svg.viewBox.baseVal.width / frame.width;
    const x = (event.clientX - frame.left) * scale, y = (event.clientY - frame.top) * scale;
    const away = points().filter((one) => !isOff(svg, one[3])).map((p) => Math.hypot(p[0] - x, p[1] - y));
    const nearest = away.indexOf(Math.min(...away));
    show(away[nearest] < 40 ? nearest : -1);
  });
  box.addEventListener("pointerleave", () => pointed && show(-1));
  box.addEventListener("keydown", (event) => {
    const shown = points().filter((one) => !isOff(svg, one[3])).length;
    const places = { ArrowRight: at + 1, ArrowLeft: at < 0 ? shown - 1 : at - 1, Home: 0, End: shown - 1, Escape: -1 };
    if (!(event.key in places) || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    pointed = false;
    show(Math.max(-1, Math.min(places[event.key], shown - 1)));
    if (at >= 0) ring.scrollIntoView({ block: "nearest", inline: "nearest" });
  });
  return () => show(-1);
}

const isOff = (svg, series) => svg.querySelector(`[data-series="${series}"].off`) !== null;

function addSeries(svg, controls, marks) {
  const names = make("legend", { textContent: "Shown" });
  const field = make("fieldset", { className: "controls" }, names);
  marks.series.forEach((name, place) => {
    const box = make("input", { type: "checkbox", checked: true });
    box.addEventListener("change", () => {
      for (const part of svg.querySelectorAll(`[data-series="${place}"]`)) {
        part.classList.toggle("off", !box.checked);
      }
    });
    field.append(make("label", {}, box, ` ${name}`), " ");
  });
  controls.before(field);
}

function save(figure, svg, kind) {
  const copy = svg.cloneNode(true);
  const { width, height } = svg.viewBox.baseVal;
  delete copy.dataset.marks;
  copy.querySelectorAll(".ring, .off").forEach((part) => part.remove());
  copy.setAttribute("width", `${width}pt`);
  copy.setAttribute("height", `${height}pt`);
  copy.prepend(draw("rect", { width: "100%", height: "100%", fill: "#ffffff" }));
  const text = new XMLSerializer().serializeToString(copy);
  const file = URL.createObjectURL(new Blob([text], { type: "image/svg+xml" }));
  const name = figure.id.replace("figure-", "");
  if (kind === "SVG") return download(file, `${name}.svg`);
  const image = new Image();
  image.addEventListener("load", () => {
    const canvas = make("canvas", { width: 4 * width, height: 4 * height });
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    canvas.toBlob((blob) => download(URL.createObjectURL(blob), `${name}.png`));
    URL.revokeObjectURL(file);
  });
  image.src = file;
}

function download(address, name) {
  make("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

// The budget: a rule and a place on its slider choose what was computed before.
for (const section of document.querySelectorAll(".budget")) {
  const data = JSON.parse(section.dataset.choices);
  const box = section.querySelector(".scroll");
  const svg = box.querySelector("svg");
  const range = section.querySelector("input[type=range]");
  const amount = section.querySelector(".amount");
  const said = section.querySelector(".said");
  const body = section.querySelector("tbody");
  const drawing = draw("g", { class: "marks" });
  let points = [];
  svg.append(drawing);
  section.hidden = false;
  const forget = addReader(box, svg, said, () => points);
  const show = () => {
    const step = data.rules[section.querySelector("input[type=radio]:checked").value].steps[range.value];
    amount.textContent = step.amount;
    range.setAttribute("aria-valuetext", step.amount);
    said.textContent = step.said;
    body.replaceChildren(...step.rows.map((cells) => make("tr", {}, ...cells.map((text, place) =>
      place ? make("td", { textContent: text }) : make("th", { scope: "row", textContent: text })))));
    points = step.marks.map(([x, y, , , , text]) => [x, y, text]);
    drawing.replaceChildren(
      ...step.ticks.map(([y]) => draw("path", { d: `M${data.left} ${y}H${data.right}`, class: "grid" })),
      ...step.ticks.map(([y, text]) => {
        const tick = draw("text", { x: data.left - 6, y: y + 3, "text-anchor": "end", class: "tick" });
        tick.textContent = text;
        return tick;
      }),
      draw("polyline", { points: points.map((p) => `${p[0]},${p[1]}`).join(" "), class: "line" }),
      ...step.marks.filter((m) => m[2] !== null).map(([x, , low, high]) => draw("path", {
        d: `M${x - 3} ${low}h6m-3 0V${high}m-3 0h6`, class: "line" })),
      ...step.marks.map(([x, y, , , tied]) => draw("circle", {
        cx: x, cy: y, r: 3.5, class: tied ? "tied" : "told" })),
    );
    forget();
  };
  const choose = () => {
    const rule = data.rules[section.querySelector("input[type=radio]:checked").value];
    range.max = rule.steps.length - 1;
    range.value = rule.first;
    show();
  };
  section.querySelectorAll("input[type=radio]").forEach((one) => one.addEventListener("change", choose));
  range.addEventListener("input", show);
  choose();
}

// On paper everything that was folded is open.
const folded = () => document.querySelectorAll("details:not([open])");
addEventListener("beforeprint", () => folded().forEach((one) => { one.open = true; one.dataset.folded = ""; }));
addEventListener("afterprint", () => document.querySelectorAll("details[data-folded]").forEach((one) => {
  one.open = false;
  delete one.dataset.folded;
}));
