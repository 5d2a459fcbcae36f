"use strict";
// The figures of the run: charts, tables, the verdict, and what is wrong while no frames come.

const SHOWN = 120; // points of a chart: one minute
const history = { fps: [], p50: [], p99: [] };
let stats = null, warned = null;

const ms = (value) => (value === null || value === undefined ? "–" : `${value.toFixed(0)}`);

function setState(text, kind) {
  el("state").textContent = text;
  el("state").className = `state ${kind}`;
}

// grey picture, the reason, and when the next attempt is
function setTrouble(text) {
  el("frame").classList.toggle("lost", Boolean(text));
  el("trouble").hidden = !text;
  el("trouble").textContent = text;
}

function troubleOf(found) {
  if (found.state !== "reconnecting") return "";
  const wait = found.next_attempt_s > 0 ? `next attempt in ${Math.ceil(found.next_attempt_s)} s` : "trying again now";
  return `${found.trouble || "the source is lost"}; ${wait}`;
}

async function ask() {
  try {
    const answer = await fetch("/api/stats");
    if (!answer.ok) throw new Error("refused");
    stats = await answer.json();
  } catch {
    setState("lost", "lost");
    setTrouble("edge-sr does not answer: the run has ended, or the network is down; trying again");
    return;
  }
  const running = stats.state === "running";
  setState(stats.state, running ? "running" : "lost");
  setTrouble(troubleOf(stats));
  const size = stats.output.split("x").map(Number);
  if (String(size) !== String(shown.result)) { shown.result = size; resize(); setZoom(shown.zoom); }
  el("source").textContent = `${stats.source}, ${stats.input} → ${stats.output}`;
  el("verdict").textContent = running ? stats.verdict : "";
  el("verdict").className = `verdict ${stats.dropped_percent > 1 ? "bad" : "good"}`;
  if (running) showTimes();
  models();
  list(el("run"), {
    model: stats.model, precision: stats.precision, backend: stats.backend, device: stats.device,
    inference: `${ms(stats.infer_p50_ms)} / ${ms(stats.infer_p99_ms)} ms`,
    "to all outputs": `${ms(stats.age_p50_ms)} / ${ms(stats.age_p99_ms)} ms`,
    computed: stats.computed_percent == null ? "–" : `${Math.round(stats.computed_percent)} %`,
    frames: stats.written, dropped: stats.dropped, reconnected: stats.reconnects,
    watching: stats.clients, encoders: stats.encoders,
  });
  list(el("device"), stats.device_load || {});
  el("sound").hidden = !stats.sound;
  if (stats.recording_trouble && stats.recording_trouble !== warned) el("message").textContent = stats.recording_trouble;
  warned = stats.recording_trouble;
  el("record").setAttribute("aria-pressed", String(Boolean(stats.recording)));
}

let bytes = 0, since = performance.now();
function showTimes() {
  const now = performance.now(), rate = (transport.bytes - bytes) * 8 / 1000 / Math.max(now - since, 1);
  bytes = transport.bytes; since = now;
  push(history.fps, stats.fps); push(history.p50, stats.screen_p50_ms); push(history.p99, stats.screen_p99_ms);
  el("fps-now").textContent = stats.fps.toFixed(1);
  el("age-now").textContent = `${ms(stats.screen_p50_ms)} / ${ms(stats.screen_p99_ms)}`;
  chart(el("fps"), [[history.fps, "--accent"]]);
  chart(el("age"), [[history.p99, "--second"], [history.p50, "--accent"]]);
  el("overlay").textContent = `${stats.fps.toFixed(1)} fps · ${ms(stats.screen_p50_ms)} ms to the screen · ` +
    `${stats.model.replace(SUFFIX, "")} (${stats.precision}) on ${stats.backend} · ${rate.toFixed(1)} Mbit/s`;
}

function push(values, value) {
  values.push(value ?? 0);
  if (values.length > SHOWN) values.shift();
}

// "edge-unet-s-live-x2.int8" is edge-unet-s-x2 in the flavour live and in int8; without an ending it is fp32
const SUFFIX = /\.(int8|fp16)$/, FLAVOUR = /^(edge-unet-[a-z]+)-(live|vivid)(?=-x)/;
const family = (name) => name.replace(SUFFIX, "").replace(FLAVOUR, "$1");
const flavour = (name) => (FLAVOUR.exec(name) || [0, 0, name === "bicubic" ? "–" : "plain"])[2];
const precision = (name) => (SUFFIX.exec(name) || [0, name === "bicubic" ? "–" : "fp32"])[1];

function fill(select, names) {
  const before = [...select.options].map((option) => option.value).join();
  if (before !== names.join()) select.replaceChildren(...names.map((name) => new Option(name, name)));
}

function models() {
  const model = el("model"), taste = el("flavour"), kind = el("precision"), strength = el("strength");
  if ([model, taste, kind, strength].includes(document.activeElement)) return;
  const present = shown.frozenModel || stats.model;
  const same = stats.models.filter((name) => family(name) === family(present));
  fill(model, [...new Set(stats.models.map(family))]);
  fill(taste, [...new Set(same.map(flavour))]);
  fill(kind, same.filter((name) => flavour(name) === flavour(present)).map(precision));
  model.value = family(present); taste.value = flavour(present); kind.value = precision(present);
  for (const select of [taste, kind]) select.disabled = select.options.length < 2;
  strength.disabled = present === "bicubic"; strength.max = String(100 * stats.strength_most);
  showStrength(shown.frozenStrength ?? stats.strength);
}

function showStrength(value) {
  el("strength").value = String(Math.round(value * 100));
  el("strength-now").textContent = `${Math.round(value * 100)} %`;
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
  const wide = target.width = Math.round(target.clientWidth * ratio()), high = target.height = Math.round(76 * ratio());
  const pen = target.getContext("2d"), style = getComputedStyle(document.documentElement);
  const most = Math.max(1, ...lines.flatMap(([values]) => values)) * 1.15;
  pen.font = `${10 * ratio()}px system-ui`;
  pen.fillStyle = style.getPropertyValue("--quiet"); pen.strokeStyle = style.getPropertyValue("--line");
  for (const share of [0, 0.5]) {
    const y = Math.round(high * share) + 0.5;
    pen.beginPath(); pen.moveTo(0, y); pen.lineTo(wide, y); pen.stroke();
    pen.fillText((most * (1 - share)).toFixed(most < 10 ? 1 : 0), 2, y + 11 * ratio());
  }
  for (const [values, color] of lines) {
    pen.beginPath();
    values.forEach((value, at) => pen.lineTo(wide * (1 - (values.length - 1 - at) / (SHOWN - 1)), high * (1 - value / most)));
    pen.lineWidth = 1.6 * ratio(); pen.strokeStyle = style.getPropertyValue(color); pen.stroke();
  }
}
