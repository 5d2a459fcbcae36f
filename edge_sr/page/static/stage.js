"use strict";
// The picture: which part of the result is seen, how large, and how before and after are compared.
// Everything is in pixels of the screen (device pixels) and of the upscaled picture ("result").

const ZOOMS = [0.25, 0.5, 1, 2, 3, 4, 6, 8];
const el = (id) => document.getElementById(id);
const canvas = el("video"), paint = canvas.getContext("2d");
const shown = {
  mode: "split", divider: 0.5, zoom: 1, x: null, y: null, gain: 4, frozen: null, frozenModel: null, frozenStrength: null, loupe: false,
  result: null, picture: null, head: null, frames: 0,
};

const ratio = () => window.devicePixelRatio || 1;
const serverMode = () => (shown.mode === "side" || shown.mode === "split" ? "pair" : shown.mode);
const paneWidth = () => (shown.mode === "side" ? Math.floor(canvas.width / 2) : canvas.width);

function fitZoom() {
  const [wide, high] = shown.result;
  return Math.min(paneWidth() / wide, canvas.height / high);
}

// the zoom in use: "fit" is a number too
function zoom() { return shown.zoom === "fit" ? fitZoom() : shown.zoom; }

// the part of the result that one pane shows: whole pixels at 1:1 and above
function visible() {
  const [wide, high] = shown.result, by = zoom();
  const width = Math.min(wide, paneWidth() / by), height = Math.min(high, canvas.height / by);
  const whole = by >= 1 ? Math.round : (value) => value;
  const place = (centre, size, side) => whole(Math.min(Math.max((centre ?? side / 2) - size / 2, 0), side - size));
  return { x: place(shown.x, width, wide), y: place(shown.y, height, high), width, height };
}

function request() {
  if (!shown.result) return null;
  const part = visible(), by = zoom(), even = (value) => 2 * Math.ceil(value / 2);
  const left = 2 * Math.floor(part.x / 2), top = 2 * Math.floor(part.y / 2);
  const width = even(part.x + part.width) - left, height = even(part.y + part.height) - top;
  const asked = { mode: serverMode(), region: [left, top, width, height], width: by >= 1 || shown.loupe ? width : even(width * by), gain: shown.gain };
  return shown.frozen === null ? asked : { ...asked, frozen: shown.frozen };
}

let asking = 0, askedLast = "";
function askSoon(now = false) {
  clearTimeout(asking);
  const go = () => {
    const wanted = request(), text = JSON.stringify(wanted);
    if (!wanted || text === askedLast) return;
    askedLast = text;
    transport.ask(wanted);
  };
  if (now) go(); else asking = setTimeout(go, 90);
}

function onPicture(source, head) {
  if (shown.picture && shown.picture.close && shown.picture !== source) shown.picture.close();
  shown.picture = source; shown.head = head; shown.frames += 1;
  draw();
}

// where the part that is seen begins on the canvas: in the middle, if it is smaller
function corner() {
  const part = visible(), by = zoom();
  return [Math.floor((paneWidth() - part.width * by) / 2), Math.floor((canvas.height - part.height * by) / 2)];
}

// draw one half of a pair, or the whole picture, so that `at` of the result lies on x, y of the canvas
function put(lower, at, x, y, by) {
  const { region, size, mode } = shown.head;
  const high = mode === "pair" ? size[1] / 2 : size[1];
  paint.imageSmoothingEnabled = by * region[2] / size[0] < 1; // whole pixels where there are enough
  paint.imageSmoothingQuality = "high";
  paint.drawImage(shown.picture, 0, mode === "pair" && lower ? high : 0, size[0], high,
    x + (region[0] - at.x) * by, y + (region[1] - at.y) * by, region[2] * by, region[3] * by);
}

function pane(left, width, lower) {
  const part = visible(), by = zoom(), [x, y] = corner();
  paint.save();
  paint.beginPath();
  paint.rect(left, y, width, Math.ceil(part.height * by)); paint.clip();
  paint.beginPath();
  paint.rect(left + x, y, Math.ceil(part.width * by), Math.ceil(part.height * by)); paint.clip();
  put(lower, part, left + x, y, by);
  paint.restore();
}

function draw() {
  if (!shown.picture || !shown.result) return;
  paint.fillStyle = "#000"; paint.fillRect(0, 0, canvas.width, canvas.height);
  const pair = shown.head.mode === "pair";
  if (shown.mode === "side" && pair) { pane(0, paneWidth(), false); pane(paneWidth(), paneWidth(), true); }
  else {
    pane(0, canvas.width, shown.mode !== "before");
    if (shown.mode === "split" && pair) pane(0, Math.round(shown.divider * canvas.width), false);
  }
  if (shown.loupe) loupe();
  const split = shown.mode === "split";
  el("divider").hidden = !split;
  el("divider").style.left = `${shown.divider * 100}%`;
  el("left").hidden = el("right").hidden = !(split || shown.mode === "side");
  minimap();
}

// the pixels under the pointer, four times as large: bicubic and ours of one place, side by side
function loupe() {
  const part = visible(), by = zoom(), [x, y] = corner(), radius = Math.round(100 * ratio());
  const [px, py] = shown.pointer || [canvas.width / 2, canvas.height / 2];
  const at = { x: part.x + (px % paneWidth() - x) / by, y: part.y + (py - y) / by };
  const both = shown.head.mode === "pair";
  for (const lower of both ? [false, true] : [true]) {
    const half = both ? radius : 2 * radius, left = both && lower ? px : px - radius;
    paint.save();
    paint.beginPath(); paint.arc(px, py, radius, 0, 7); paint.clip();
    paint.beginPath(); paint.rect(left, py - radius, half, 2 * radius); paint.clip();
    put(lower, at, left + half / 2, py, by * 4);
    paint.restore();
  }
  paint.strokeStyle = "#fff"; paint.lineWidth = 2 * ratio();
  paint.beginPath(); paint.arc(px, py, radius, 0, 7); paint.stroke();
  if (both) { paint.beginPath(); paint.moveTo(px, py - radius); paint.lineTo(px, py + radius); paint.stroke(); }
}

function minimap() {
  const part = visible(), [wide, high] = shown.result, map = el("map"), box = el("map-part");
  map.hidden = part.width > wide * 0.98 && part.height > high * 0.98;
  map.style.aspectRatio = `${wide} / ${high}`;
  box.style.left = `${100 * part.x / wide}%`; box.style.width = `${100 * part.width / wide}%`;
  box.style.top = `${100 * part.y / high}%`; box.style.height = `${100 * part.height / high}%`;
}

function resize() {
  const box = el("frame").getBoundingClientRect();
  const wide = Math.max(2, Math.round(box.width * ratio())), high = Math.max(2, Math.round(box.height * ratio()));
  if (canvas.width !== wide || canvas.height !== high) { canvas.width = wide; canvas.height = high; }
  draw(); askSoon();
}

// ---- what the user changes ---------------------------------------------------------------------

function setMode(mode) {
  shown.mode = mode;
  for (const button of document.querySelectorAll("[data-mode]"))
    button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
  el("slider").hidden = mode !== "split";
  el("gain-label").hidden = mode !== "diff";
  draw(); askSoon(true);
}

function setDivider(share) {
  shown.divider = Math.min(1, Math.max(0, share));
  el("slider").value = String(Math.round(shown.divider * 1000));
  draw();
}

function setZoom(value, at = null) {
  if (!shown.result) return;
  const before = visible(), old = zoom();
  shown.zoom = value === "fit" || value <= fitZoom() * 1.001 && value < 1 ? "fit" : Math.min(8, value);
  const by = zoom();
  if (shown.zoom === "fit") shown.x = shown.y = null;
  else { // the pixel under the pointer stays where it is
    const middle = [paneWidth() / 2, canvas.height / 2], [px, py] = at || middle;
    shown.x = before.x + before.width / 2 + (px - middle[0]) * (1 / old - 1 / by);
    shown.y = before.y + before.height / 2 + (py - middle[1]) * (1 / old - 1 / by);
    keepInside();
  }
  for (const button of document.querySelectorAll("[data-zoom]"))
    button.setAttribute("aria-pressed", String(button.dataset.zoom === String(shown.zoom)));
  el("zoom").textContent = shown.zoom === "fit" ? `fit, ${Math.round(100 * by)} %` : `${Math.round(100 * by)} %`;
  draw(); askSoon();
}

function stepZoom(up, at) {
  const now = zoom() * 1.001;
  const next = up ? ZOOMS.find((value) => value > now) : [...ZOOMS].reverse().find((value) => value < now * 0.99);
  setZoom(next === undefined ? (up ? 8 : "fit") : next, at);
}

function keepInside() {
  const part = visible();
  shown.x = part.x + part.width / 2; shown.y = part.y + part.height / 2;
}

function pan(dx, dy) { // by pixels of the screen
  if (shown.zoom === "fit") return;
  const part = visible(), by = zoom();
  shown.x = part.x + part.width / 2 - dx / by; shown.y = part.y + part.height / 2 - dy / by;
  keepInside(); draw(); askSoon();
}

// ---- pointers: one drags the divider or the picture, two zoom ----------------------------------

const pointers = new Map();
let grip = null; // "divider" or "picture", while a pointer is down
const place = (event) => {
  const box = canvas.getBoundingClientRect();
  return [(event.clientX - box.left) * ratio(), (event.clientY - box.top) * ratio()];
};
const spread = () => {
  const [a, b] = [...pointers.values()];
  return { size: Math.hypot(a[0] - b[0], a[1] - b[1]), middle: [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2] };
};
const canPan = () => shown.result && visible().width < shown.result[0] - 1 || shown.result && visible().height < shown.result[1] - 1;

canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  const at = place(event);
  pointers.set(event.pointerId, at);
  const near = Math.abs(at[0] - shown.divider * canvas.width) < 28 * ratio();
  grip = shown.mode === "split" && (near || !canPan()) ? "divider" : "picture";
  if (pointers.size === 1 && grip === "divider") setDivider(at[0] / canvas.width);
});
canvas.addEventListener("pointermove", (event) => {
  const at = place(event), before = pointers.get(event.pointerId);
  shown.pointer = at;
  if (shown.loupe) draw();
  if (!before) return;
  if (pointers.size === 2) {
    const old = spread();
    pointers.set(event.pointerId, at);
    const now = spread();
    setZoom(zoom() * now.size / Math.max(old.size, 1), now.middle);
    pan(now.middle[0] - old.middle[0], now.middle[1] - old.middle[1]);
    return;
  }
  pointers.set(event.pointerId, at);
  if (grip === "divider") setDivider(at[0] / canvas.width);
  else pan(at[0] - before[0], at[1] - before[1]);
});
for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (event) => pointers.delete(event.pointerId));
canvas.addEventListener("wheel", (event) => { event.preventDefault(); wheel(event.deltaY, place(event)); }, { passive: false });
canvas.addEventListener("dblclick", (event) => setZoom(shown.zoom === "fit" ? 1 : "fit", place(event)));
let turned = 0;
function wheel(delta, at) { // a notch of a mouse is a step; a touchpad sends many small ones
  turned += delta;
  if (Math.abs(turned) < 40) return;
  stepZoom(turned < 0, at);
  turned = 0;
}
