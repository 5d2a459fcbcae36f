"use strict";
// Snapshots and recordings: small pictures, links to keep them, and a button to delete each.

let listed = "";

async function refreshGallery() {
  const answer = await fetch("/api/files");
  if (!answer.ok) return;
  const { files } = await answer.json(), text = JSON.stringify(files);
  if (text === listed) return;
  listed = text;
  el("gallery").hidden = !files.length;
  el("saved").replaceChildren(...files.map(entry));
}

function entry({ name, bytes, time_s: time }) {
  const item = document.createElement("li"), link = document.createElement("a");
  const picture = document.createElement("img"), label = document.createElement("span"), button = document.createElement("button");
  picture.loading = "lazy"; picture.alt = ""; picture.src = `/small/${encodeURIComponent(name)}`;
  link.href = `/files/${encodeURIComponent(name)}`; link.download = name; link.title = `download ${name}`;
  const kind = name.endsWith(".mp4") ? "recording" : name.includes("before") ? "bicubic" : "edge-sr";
  label.textContent = `${kind}, ${new Date(time * 1000).toLocaleTimeString()}, ${(bytes / 1e6).toFixed(1)} MB`;
  link.append(picture, label);
  button.textContent = "delete"; button.setAttribute("aria-label", `delete ${name}`);
  button.addEventListener("click", () => { // the second press deletes
    if (button.textContent === "delete") { button.textContent = "sure?"; setTimeout(() => { button.textContent = "delete"; }, 3000); return; }
    command("/api/delete", { name }).then(refreshGallery);
  });
  item.append(link, button);
  return item;
}
