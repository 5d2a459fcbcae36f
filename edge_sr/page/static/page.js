"use strict";
// The page of a live run: pictures come as motion JPEG with bicubic above ours, and are cut here,
// so that the divider follows the finger without asking the server.

const el = (id) => document.getElementById(id);
const canvas = el("video"), paint = canvas.getContext("2d");
const SHOWN = 120; // points of a chart: one minute
const shown = { mode: "split", divider: 0.5, figures: true, picture: null, pair: false, frames: 0 };
const history = { fps: [], p50: [], p99: [] };
let stats = null, stream = null;

// ---- pictures --------------------------------------------------------------------------------

function needsPair() { return shown.mode !== "after"; }

function pictureWidth() {
  const wide = canvas.clientWidth * (window.devicePixelRatio || 1);
  return Math.max(480, Math.round(shown.mode === "side" ? wide / 2 : wide));
}

async function watch() {
  for (;;) {
    const control = stream = new AbortController();
    try {
      const pair = needsPair();
      const query = `view=${pair ? "pair" : "after"}&width=${pictureWidth()}`;
      const answer = await fetch(`/stream.mjpg?${query}`, { signal: control.signal });
      if (!answer.ok) throw new Error((await answer.text()).trim());
      await readParts(answer.body.getReader(), (jpeg) => take(jpeg, pair));
    } catch (error) {
      if (error.name !== "AbortError") setState("lost", "lost");
    }
    if (!control.signal.aborted) await new Promise((done) => setTimeout(done, 1000));
  }
}

function restart() { if (stream) stream.abort(); }

async function readParts(reader, onPart) {
  let rest = new Uint8Array(0);
  const text = new TextDecoder("latin1");
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const joined = new Uint8Array(rest.length + value.length);
    joined.set(rest); joined.set(value, rest.length);
    rest = joined;
    for (;;) {
      const head = text.decode(rest.subarray(0, 300));
      const end = head.indexOf("\r\n\r\n");
      const length = /Content-Length: (\d+)/.exec(head);
      if (end < 0 || !length) break;
      const from = end + 4, to = from + Number(length[1]);
      if (rest.length < to + 2) break;
      const jpeg = rest.slice(from, to);
      rest = rest.slice(to + 2);
      await onPart(jpeg);
    }
  }
}

async function take(jpeg, pair) {
  const picture = await createImageBitmap(new Blob([jpeg], { type: "image/jpeg" }));
  if (shown.picture) shown.picture.close();
  shown.picture = picture; shown.pair = pair; shown.frames += 1;
  draw();
}

function draw() {
  const picture = shown.picture;
  if (!picture) return;
  const wide = picture.width, high = shown.pair ? picture.height / 2 : picture.height;
  const side = shown.mode === "side" && shown.pair;
  const columns = side ? 2 * wide : wide;
  if (canvas.width !== columns || canvas.height !== high) { canvas.width = columns; canvas.height = high; }
  const part = (top, x, from, width) =>
    paint.drawImage(picture, from, top ? 0 : picture.height - high, width, high, x, 0, width, high);
  if (!shown.pair) { part(false, 0, 0, wide); }
  else if (side) { part(true, 0, 0, wide); part(false, wide, 0, wide); }
  else if (shown.mode === "before") { part(true, 0, 0, wide); }
  else if (shown.mode === "diff") { difference(picture, wide, high); }
  else {
    const at = Math.round(shown.divider * wide);
    part(false, 0, 0, wide);
    if (shown.mode === "split" && at > 0) part(true, 0, 0, at);
  }
  const split = shown.mode === "split";
  el("divider").hidden = !split;
  el("divider").style.left = `${shown.divider * 100}%`;
  el("left").hidden = el("right").hidden = !(split || side);
}

function difference(picture, wide, high) {
  paint.globalCompositeOperation = "source-over";
  paint.drawImage(picture, 0, 0, wide, high, 0, 0, wide, high);
  paint.globalCompositeOperation = "difference";
  paint.drawImage(picture, 0, high, wide, high, 0, 0, wide, high);
  paint.globalCompositeOperation = "lighter"; // doubled three times: eight times brighter
  for (let step = 0; step < 3; step += 1) paint.drawImage(canvas, 0, 0);
  paint.globalCompositeOperation = "saturation"; // grey: the colours are JPEG's
  paint.fillStyle = "#000";
  paint.fillRect(0, 0, wide, high);
  paint.globalCompositeOperation = "source-over";
}

function setMode(mode) {
  const before = needsPair(), wasSide = shown.mode === "side";
  shown.mode = mode;
  for (const button of document.querySelectorAll("[data-mode]"))
    button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
  el("slider").disabled = mode !== "split";
  if (before !== needsPair() || wasSide || mode === "side") restart();
  draw();
}

function setDivider(share) {
  shown.divider = Math.min(1, Math.max(0, share));
  el("slider").value = String(Math.round(shown.divider * 1000));
  draw();
}

// ---- figures ---------------------------------------------------------------------------------

function setState(text, kind) {
  el("state").textContent = text;
  el("state").className = `state ${kind}`;
}

const ms = (value) => (value === null || value === undefined ? "–" : `${value.toFixed(0)}`);

async function ask() {
  try {
    const answer = await fetch("/api/stats");
    if (!answer.ok) throw new Error("refused");
    stats = await answer.json();
  } catch {
    setState("lost", "lost");
    return;
  }
  setState(stats.state, stats.state === "running" ? "running" : "lost");
  el("source").textContent = `${stats.source}, ${stats.input} → ${stats.output}`;
  push(history.fps, stats.fps); push(history.p50, stats.age_p50_ms); push(history.p99, stats.age_p99_ms);
  el("fps-now").textContent = stats.fps.toFixed(1);
  el("age-now").textContent = `${ms(stats.age_p50_ms)} / ${ms(stats.age_p99_ms)}`;
  chart(el("fps"), [[history.fps, "--accent"]]);
  chart(el("age"), [[history.p99, "--second"], [history.p50, "--accent"]]);
  models();
  list(el("run"), {
    model: stats.model, precision: stats.precision, backend: stats.backend, device: stats.device,
    inference: `${ms(stats.infer_p50_ms)} / ${ms(stats.infer_p99_ms)} ms`,
    frames: stats.written, dropped: stats.dropped, reconnected: stats.reconnects, watching: stats.clients,
  }, ["device"]);
  list(el("device"), stats.device_load || {}, []);
  el("record").setAttribute("aria-pressed", String(Boolean(stats.recording)));
  el("overlay").textContent = shown.figures
    ? `${stats.fps.toFixed(1)} fps, ${stats.dropped} dropped\nlatency ${ms(stats.age_p50_ms)} / ${ms(stats.age_p99_ms)} ms\n${stats.model} (${stats.precision}) on ${stats.backend}`
    : "";
}

function push(values, value) {
  values.push(value ?? 0);
  if (values.length > SHOWN) values.shift();
}

// "edge-unet-s-x2.int8" is the model edge-unet-s-x2 in int8; without an ending it is fp32
const SUFFIX = /\.(int8|fp16)$/;
const family = (name) => name.replace(SUFFIX, "");
const precision = (name) => (SUFFIX.exec(name) || [0, name === "bicubic" ? "–" : "fp32"])[1];

function fill(select, names) {
  const before = [...select.options].map((option) => option.value).join();
  if (before !== names.join()) select.replaceChildren(...names.map((name) => new Option(name, name)));
}

function models() {
  const model = el("model"), kind = el("precision");
  if (document.activeElement === model || document.activeElement === kind) return;
  fill(model, [...new Set(stats.models.map(family))]);
  model.value = family(stats.model);
  fill(kind, stats.models.filter((name) => family(name) === model.value).map(precision));
  kind.value = precision(stats.model);
  kind.disabled = kind.options.length < 2;
}

async function change(event) {
  const same = stats.models.filter((name) => family(name) === el("model").value);
  const wanted = same.find((name) => precision(name) === el("precision").value) || same[0];
  const found = await command("/api/model", { model: wanted });
  event.target.blur();
  if (found) el("told").textContent = `switched to ${found.model}`;
}

const UNITS = { percent: " %", c: " °C", w: " W", mb: " MB" };

function list(target, facts) {
  const rows = [];
  for (const [name, value] of Object.entries(facts)) {
    const words = name.split("_"), unit = UNITS[words.at(-1)] || "";
    const dt = document.createElement("dt"), dd = document.createElement("dd");
    dt.textContent = (unit ? words.slice(0, -1) : words).join(" ");
    dd.textContent = typeof value === "number" ? `${Math.round(value * 10) / 10}${unit}` : String(value);
    rows.push(dt, dd);
  }
  target.replaceChildren(...rows);
}

function chart(target, lines) {
  const ratio = window.devicePixelRatio || 1;
  const wide = target.width = Math.round(target.clientWidth * ratio), high = target.height = Math.round(90 * ratio);
  const pen = target.getContext("2d"), style = getComputedStyle(document.documentElement);
  const most = Math.max(1, ...lines.flatMap(([values]) => values)) * 1.15;
  pen.font = `${10 * ratio}px system-ui`;
  pen.fillStyle = style.getPropertyValue("--quiet"); pen.strokeStyle = style.getPropertyValue("--line");
  for (const share of [0, 0.5]) {
    const y = Math.round(high * share) + 0.5;
    pen.beginPath(); pen.moveTo(0, y); pen.lineTo(wide, y); pen.stroke();
    pen.fillText((most * (1 - share)).toFixed(most < 10 ? 1 : 0), 2, y + 11 * ratio);
  }
  for (const [values, color] of lines) {
    pen.beginPath();
    values.forEach((value, at) => pen.lineTo(wide * (1 - (values.length - 1 - at) / (SHOWN - 1)), high * (1 - value / most)));
    pen.lineWidth = 1.6 * ratio; pen.strokeStyle = style.getPropertyValue(color); pen.stroke();
  }
}

// ---- buttons ---------------------------------------------------------------------------------

async function command(path, wanted) {
  el("told").textContent = "…";
  try {
    const answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(wanted) });
    const found = await answer.json();
    if (found.error) throw new Error(found.error);
    return found;
  } catch (error) {
    el("told").textContent = error.message;
    return null;
  }
}

for (const button of document.querySelectorAll("[data-mode]"))
  button.addEventListener("click", () => setMode(button.dataset.mode));
el("slider").addEventListener("input", (event) => setDivider(event.target.value / 1000));
const drag = (event) => {
  if (shown.mode !== "split" || !(event.buttons & 1)) return;
  const box = canvas.getBoundingClientRect();
  setDivider((event.clientX - box.left) / box.width);
};
canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); drag(event); });
canvas.addEventListener("pointermove", drag);
el("model").addEventListener("change", change);
el("precision").addEventListener("change", change);
el("snapshot").addEventListener("click", async () => {
  const found = await command("/api/snapshot", {});
  if (found) el("told").textContent = `saved ${found.files.join(", ")}`;
});
el("record").addEventListener("click", async () => {
  const found = await command("/api/record", { on: !(stats && stats.recording) });
  if (found) el("told").textContent = found.recording ? `recording ${found.recording}` : found.saved || "nothing was recorded";
  ask();
});
el("figures").addEventListener("click", (event) => {
  shown.figures = !shown.figures;
  event.target.setAttribute("aria-pressed", String(shown.figures));
  if (!shown.figures) el("overlay").textContent = "";
});
window.addEventListener("keydown", (event) => {
  if (event.target.matches("input, select")) return;
  if (event.key === "s") el("snapshot").click();
  if (event.key === "o") el("figures").click();
});
let resized = 0;
window.addEventListener("resize", () => { clearTimeout(resized); resized = setTimeout(restart, 400); });

(async () => {
  await ask();
  setMode(stats && ["split", "side", "diff", "after"].includes(stats.view) && stats.view !== "after" ? stats.view : "split");
  watch();
  setInterval(ask, 500);
})();
