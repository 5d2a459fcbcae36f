"use strict";
// Buttons and keys of the page.

let transport = null, sound = null;

async function command(path, wanted) {
  el("message").textContent = "…";
  try {
    const answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(wanted) });
    const found = await answer.json();
    if (found.error) throw new Error(found.error);
    el("message").textContent = "";
    return found;
  } catch (error) {
    el("message").textContent = error.message;
    return null;
  }
}

async function changeModel() {
  const near = (names, kind, select) => { // those that agree with a choice, or all of them
    const found = names.filter((name) => kind(name) === el(select).value);
    return found.length ? found : names;
  };
  const same = stats.models.filter((name) => family(name) === el("model").value);
  const wanted = near(near(same, flavour, "flavour"), precision, "precision")[0];
  if (shown.frozen !== null) { freezeAgain(wanted, shown.frozenStrength); return; }
  const found = await command("/api/model", { model: wanted });
  if (found) el("message").textContent = `switched to ${found.model}`;
}

async function freezeAgain(model, strength) {
  const found = await command("/api/freeze", { frozen: shown.frozen, model, strength });
  if (found) setFrozen(found.frozen, found.model, strength);
}

function setStrength(value) {
  const strength = Math.min(Math.max(value, 0), Number(el("strength").max)) / 100;
  if (el("strength").disabled) return;
  showStrength(strength);
  if (shown.frozen !== null) freezeAgain(shown.frozenModel, strength);
  else command("/api/strength", { strength });
}

function setFrozen(number, model = null, strength = null) {
  shown.frozen = number; shown.frozenModel = model; shown.frozenStrength = strength;
  el("freeze").setAttribute("aria-pressed", String(number !== null));
  el("message").textContent = number === null ? "" : `one frame${model ? ` by ${model}` : ""}; change view or model to compare it, the run goes on`;
  askSoon(true);
}

async function freeze() {
  if (shown.frozen !== null) { setFrozen(null); return; }
  const found = await command("/api/freeze", {});
  if (found) setFrozen(found.frozen, stats && stats.model, stats && stats.strength);
}

async function snapshot() {
  const found = await command("/api/snapshot", {});
  if (found) el("message").textContent = `saved ${found.files.join(", ")}`;
  refreshGallery();
}

async function record() {
  const view = ["split", "side", "diff"].includes(shown.mode) ? shown.mode : "after"; // what is seen
  const found = await command("/api/record", { on: !(stats && stats.recording), view, divider: shown.divider });
  if (found) el("message").textContent = found.recording ? `recording ${found.recording}` : found.saved || "nothing was recorded";
  ask(); refreshGallery();
}

function fullscreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else if (el("frame").requestFullscreen) el("frame").requestFullscreen();
  else el("message").textContent = "this browser shows no page in full screen";
}

function setSound() {
  if (sound) sound.close();
  sound = sound || el("sound").hidden ? null : new Sound(() => transport.delay());
  el("sound").setAttribute("aria-pressed", String(sound !== null));
}

function setLoupe() {
  shown.loupe = !shown.loupe;
  el("loupe").setAttribute("aria-pressed", String(shown.loupe));
  draw(); askSoon(true); // the loupe needs every pixel
}

function setFigures() {
  const hidden = document.body.classList.toggle("plain");
  el("figures").setAttribute("aria-pressed", String(!hidden));
}

for (const button of document.querySelectorAll("[data-mode]"))
  button.addEventListener("click", () => setMode(button.dataset.mode));
for (const button of document.querySelectorAll("[data-zoom]"))
  button.addEventListener("click", () => setZoom(button.dataset.zoom === "fit" ? "fit" : Number(button.dataset.zoom)));
el("slider").addEventListener("input", (event) => setDivider(event.target.value / 1000));
el("gain").addEventListener("input", (event) => { shown.gain = 2 ** Number(event.target.value); el("gain-now").textContent = `×${shown.gain}`; askSoon(true); });
el("model").addEventListener("change", changeModel);
for (const name of ["flavour", "precision"]) el(name).addEventListener("change", changeModel);
el("strength").addEventListener("input", (event) => { el("strength-now").textContent = `${event.target.value} %`; });
el("strength").addEventListener("change", (event) => setStrength(Number(event.target.value)));
for (const [name, work] of Object.entries({ snapshot, record, freeze, fullscreen, sound: setSound, loupe: setLoupe, figures: setFigures }))
  el(name).addEventListener("click", work);

const MODES = ["after", "split", "side", "diff", "before"];
const KEYS = {
  c: () => setMode(MODES[(MODES.indexOf(shown.mode) + 1) % MODES.length]),
  0: () => setZoom("fit"), 1: () => setZoom(1), 2: () => setZoom(2), 4: () => setZoom(4),
  "+": () => stepZoom(true), "=": () => stepZoom(true), "-": () => stepZoom(false),
  "[": () => setDivider(shown.divider - 0.05), "]": () => setDivider(shown.divider + 0.05),
  ",": () => setStrength(Number(el("strength").value) - 10), ".": () => setStrength(Number(el("strength").value) + 10),
  f: fullscreen, m: setSound, l: setLoupe, o: setFigures, s: snapshot, r: record, " ": freeze,
  ArrowLeft: () => pan(80, 0), ArrowRight: () => pan(-80, 0), ArrowUp: () => pan(0, 80), ArrowDown: () => pan(0, -80),
};
let pointed = false; // whether the last control was used with a mouse or a finger
window.addEventListener("pointerdown", () => { pointed = true; }, true);
window.addEventListener("keydown", () => { pointed = false; }, true);
for (const [kind, controls] of [["click", "button"], ["change", "select, input[type=range]"]])
  window.addEventListener(kind, (event) => { // gives the keys back: space freezes, and does not press that button again
    if (pointed && event.target.matches(controls)) event.target.blur();
  });
window.addEventListener("keydown", (event) => {
  if (event.target.matches("input, select, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
  const work = KEYS[event.key];
  if (!work || event.key === " " && event.target.matches("button")) return;
  event.preventDefault();
  work();
});
new ResizeObserver(resize).observe(el("frame"));

(async () => {
  transport = new Transport(onPicture, (text) => { el("stream").textContent = text; });
  await ask();
  const first = stats && stats.view !== "after" ? stats.view : "split";
  setMode(MODES.includes(first) ? first : "split");
  setDivider(0.5);
  setInterval(ask, 500);
  refreshGallery();
  setInterval(refreshGallery, 10000);
})();
