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

// One batch size is highlighted everywhere: by a click on it, or by the list of all of them.
const sizeOf = (point) => String(point[3] ?? (/batch size (\d+)/.exec(point[2]) || [])[1] ?? "");
const rows = new Map();
for (const table of document.querySelectorAll("table:not(.plain)")) {
  const column = [...table.tHead.rows[0].cells].findIndex((cell) => cell.textContent.startsWith("Batch size"));
  if (column < 0) continue;
  for (const row of table.tBodies[0].rows) {
    const size = row.cells[column].textContent.trim();
    if (!/^\d+$/.test(size)) continue;
    row.dataset.size = size;
    rows.set(size, [...(rows.get(size) || []), row]);
  }
}
const picker = make("select", {}, make("option", { value: "", textContent: "none" }));
picker.append(...[...rows.keys()].sort((a, b) => a - b).map((size) => make("option", { value: size, textContent: size })));
picker.addEventListener("change", () => choose(picker.value));
if (rows.size > 1) document.querySelector("nav").append(make("label", {}, "Highlight batch size ", picker));

document.addEventListener("click", (event) => {
  const row = event.target.closest("tr[data-size]");
  if (row && !event.target.closest("a")) toggle(row.dataset.size);
});
const toggle = (size) => rows.has(size) && choose(size === picker.value ? "" : size);

function choose(size) {
  picker.value = size;
  for (const row of document.querySelectorAll("tr[data-size]")) row.classList.toggle("chosen", row.dataset.size === size);
  for (const svg of document.querySelectorAll(".plot svg")) highlight(svg, size);
}

// The ticks of x axes, each [text, x, y], and whether they are batch sizes.
function ticksOf(svg) {
  const sized = svg.querySelector('[data-axis="size"]') !== null;
  const texts = svg.querySelectorAll(`[data-axis="${sized ? "size" : "x"}"] text`);
  return [[...texts].map((text) => [text.textContent, +text.getAttribute("x"), +text.getAttribute("y")]), sized];
}

function highlight(svg, size) {
  svg.querySelectorAll(".band").forEach((band) => band.remove());
  const [ticks, sized] = ticksOf(svg);
  for (const [text, x, y] of sized ? ticks : []) {
    if (text === size) svg.append(draw("rect", { x: x - 11, y: 4, width: 22, height: y, rx: 3, class: "band" }));
  }
  const marks = [...svg.querySelectorAll("[data-batch-size]")];
  const shown = !sized && marks.some((mark) => mark.dataset.batchSize === size);
  for (const mark of marks) mark.classList.toggle("faded", shown && mark.dataset.batchSize !== size);
  for (const text of svg.querySelectorAll("text")) {
    const other = text.closest('[data-axis="x"], [data-axis="y"]');
    text.classList.toggle("named", text.textContent === size && !other);
  }
}

const marksOf = (svg) => JSON.parse(svg.dataset.marks || "{}");

// Figures: exact values at the pointer or by the arrow keys, and files.
for (const figure of document.querySelectorAll("figure[id]")) {
  const box = figure.querySelector(".plot");
  const svg = box.querySelector("svg");
  const controls = make("div", { className: "controls" });
  (figure.querySelector("figcaption") || box).after(controls);
  const { points = [] } = marksOf(svg);
  const forget = addReader(box, svg, () => points, figure.id.slice(0, figure.id.indexOf("figure-")));
  addScales(controls, svg, points, forget);
  for (const kind of ["SVG", "PNG"]) {
    const button = make("button", { type: "button", textContent: kind });
    button.setAttribute("aria-label", `Save this figure as ${kind}`);
    button.addEventListener("click", () => save(figure, svg, kind));
    controls.append(button, " ");
  }
}

// An x axis with several scales: one is drawn, others move the points to where they have them.
function addScales(controls, svg, points, forget) {
  const scales = JSON.parse(svg.dataset.scales || "[]");
  if (scales.length < 2) return;
  const axis = svg.querySelector('[data-axis="x"]');
  const label = svg.querySelector('[data-axis="labels"] text');
  const drawn = { ticks: [...axis.childNodes], points: points.map(([x]) => x) };
  const parts = [...svg.querySelectorAll("[data-batch-size] path, [data-batch-size] text")].map((part) => {
    const name = part.tagName === "text" ? "x" : "d";
    return { part, name, value: part.getAttribute(name), size: part.closest("[data-batch-size]").dataset.batchSize };
  });
  const show = (chosen) => {
    const place = (size, x) => {
      const from = scales[0].x[size], to = scales[chosen].x[size];
      const past = from.findIndex((each) => each >= x), last = from.length - 1;
      const after = Math.max(1, past < 0 ? last : past);
      const slope = last ? (to[after] - to[after - 1]) / (from[after] - from[after - 1]) : 0;
      return +(to[after - 1] + (x - from[after - 1]) * slope).toFixed(1);
    };
    for (const { part, name, value, size } of parts) {
      part.setAttribute(name, name === "x" ? place(size, value - 6) + 6
        : value.replace(/([ML] ?)(-?[\d.]+)/g, (_, letter, x) => letter + place(size, +x)));
    }
    points.forEach((point, number) => { point[0] = place(point[3], drawn.points[number]); });
    label.textContent = scales[chosen].label;
    axis.replaceChildren(...(chosen ? ticks(scales[chosen].ticks) : drawn.ticks));
    forget();
  };
  const ticks = (pairs) => {
    const [mark, first] = drawn.ticks;
    const [, top, length] = /M[\d.]+ ([\d.]+)(v[\d.]+)/.exec(mark.getAttribute("d"));
    const path = mark.cloneNode();
    path.setAttribute("d", pairs.map(([x]) => `M${x} ${top}${length}`).join(""));
    return [path, ...pairs.map(([x, text]) => {
      const tick = draw("text", { x, y: first.getAttribute("y") });
      tick.textContent = text;
      return tick;
    })];
  };
  const choices = scales.map(({ name }, number) => {
    const choice = make("input", { type: "radio", name: `${controls.parentElement.id}-scale`, checked: !number });
    choice.addEventListener("change", () => show(number));
    return make("label", {}, choice, ` ${name}`);
  });
  controls.prepend(make("fieldset", {}, make("legend", { textContent: "Training in" }), ...choices));
}

// What the main table says of a batch size: rate, value, interval, time and seeds.
function summaryOf(size, prefix) {
  const row = (rows.get(size) || []).find((each) => each.closest("table").id === `${prefix}batch-sizes`);
  if (!row) return "";
  const parts = [...row.closest("table").tHead.rows[0].cells].flatMap((header, column) =>
    "read" in header.dataset ? `${header.textContent.toLowerCase()} ${row.cells[column].textContent}` : []);
  return `\n${parts.join("; ")}`;
}

function addReader(box, svg, points, prefix) {
  const ring = draw("circle", { r: 8, class: "ring", visibility: "hidden" });
  const value = make("output", { className: "value" });
  let at = -1, pointed = false;
  svg.append(ring);
  box.append(value);
  const show = (place) => {
    const point = points()[place];
    at = point ? place : -1;
    ring.setAttribute("visibility", point ? "visible" : "hidden");
    value.textContent = point ? point[2] + (point[2].includes("learning rate") ? "" : summaryOf(sizeOf(point), prefix)) : "";
    if (!point) return;
    ring.setAttribute("cx", point[0]);
    ring.setAttribute("cy", point[1]);
    const scale = svg.clientWidth / svg.viewBox.baseVal.width;
    const x = point[0] * scale, y = point[1] * scale;
    value.style.left = `${Math.max(0, Math.min(x + 14, box.clientWidth - value.offsetWidth))}px`;
    value.style.top = `${y > value.offsetHeight + 14 ? y - value.offsetHeight - 14 : y + 14}px`;
  };
  const placeOf = (event) => {
    const frame = svg.getBoundingClientRect();
    const scale = svg.viewBox.baseVal.width / frame.width;
    return [(event.clientX - frame.left) * scale, (event.clientY - frame.top) * scale];
  };
  const nearest = (event) => {
    const [x, y] = placeOf(event);
    const away = points().map((point) => Math.hypot(point[0] - x, point[1] - y));
    const least = Math.min(...away);
    return least < 40 ? away.indexOf(least) : -1;
  };
  // A page that scrolls below a resting pointer must not take away what the keys have shown.
  box.addEventListener("pointermove", (event) => {
    if (!event.movementX && !event.movementY) return;
    pointed = true;
    show(nearest(event));
  });
  box.addEventListener("pointerleave", () => pointed && show(-1));
  box.addEventListener("click", (event) => {
    const point = points()[nearest(event)];
    const [x] = placeOf(event);
    const [ticks, sized] = ticksOf(svg);
    const tick = sized && ticks.find((each) => Math.abs(each[1] - x) < 15);
    toggle((point && sizeOf(point)) || (tick && tick[0]));
  });
  box.addEventListener("keydown", (event) => {
    const last = points().length - 1;
    const places = { ArrowRight: at + 1, ArrowLeft: at < 0 ? last : at - 1, Home: 0, End: last, Escape: -1 };
    if (event.key === "Enter" && at >= 0) toggle(sizeOf(points()[at]));
    if (!(event.key in places) || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    pointed = false;
    show(Math.max(-1, Math.min(places[event.key], last)));
  });
  return () => show(-1);
}

function save(figure, svg, kind) {
  const copy = svg.cloneNode(true);
  const { width, height } = svg.viewBox.baseVal;
  delete copy.dataset.marks;
  delete copy.dataset.scales;
  copy.querySelectorAll(".ring, .band").forEach((part) => part.remove());
  copy.querySelectorAll("[class]").forEach((part) => part.removeAttribute("class"));
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
  const box = section.querySelector(".plot");
  const svg = box.querySelector("svg");
  const range = section.querySelector("input[type=range]");
  const amount = section.querySelector(".amount");
  const said = section.querySelector(".said");
  const body = section.querySelector("tbody");
  const drawing = draw("g", { class: "marks" });
  let points = [];
  svg.append(drawing);
  section.hidden = false;
  const forget = addReader(box, svg, () => points, section.id.replace("budget-slider", ""));
  const show = () => {
    const step = data.rules[section.querySelector("input[type=radio]:checked").value].steps[range.value];
    amount.textContent = step.amount;
    range.setAttribute("aria-valuetext", step.amount);
    said.textContent = step.said;
    body.replaceChildren(...step.rows.map((cells) => make("tr", {}, ...cells.map((text, place) =>
      place ? make("td", { textContent: text }) : make("th", { scope: "row", textContent: text })))));
    for (const row of body.rows) row.dataset.size = row.cells[0].textContent;
    choose(picker.value);
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
  const start = () => {
    const rule = data.rules[section.querySelector("input[type=radio]:checked").value];
    range.max = rule.steps.length - 1;
    range.value = rule.first;
    show();
  };
  section.querySelectorAll("input[type=radio]").forEach((each) => each.addEventListener("change", start));
  range.addEventListener("input", show);
  start();
}

// On paper the method is open, and what else is folded is left out.
const folded = () => document.querySelectorAll("details.method:not([open])");
addEventListener("beforeprint", () => folded().forEach((each) => { each.open = true; each.dataset.folded = ""; }));
addEventListener("afterprint", () => document.querySelectorAll("details[data-folded]").forEach((each) => {
  each.open = false;
  delete each.dataset.folded;
}));
