// The page of one call: the ladder opens messages, the waveform moves the player.
"use strict";

function openMessage(name) {
  const message = document.getElementById(name);
  if (!message || !message.matches("details")) return;
  for (let box = message; box; box = box.parentElement.closest("details")) box.open = true;
  message.scrollIntoView({ block: "center" });
  message.querySelector("summary").focus({ preventScroll: true });
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a.to-message");
  if (link) {
    const name = link.getAttribute("href").slice(1);
    if (document.getElementById(name)) event.preventDefault();
    openMessage(name);
  }
  const seek = event.target.closest("[data-seek]");
  if (seek) play(seek.dataset.player, Number(seek.dataset.seek));
  const wave = event.target.closest("[data-wave]");
  if (wave) {
    const box = wave.getBoundingClientRect();
    play(wave.dataset.wave, ((event.clientX - box.left) / box.width) * Number(wave.dataset.seconds));
  }
});

function play(name, seconds) {
  const player = document.getElementById(name);
  const go = () => { player.currentTime = seconds; player.play(); };
  if (player.readyState > 0) { go(); return; }
  player.addEventListener("loadedmetadata", go, { once: true });
  player.load();
}

// The line over the waveform follows the sound; the event does not bubble, so it is caught on its way down.
document.addEventListener("timeupdate", (event) => {
  const wave = document.querySelector(`[data-wave="${CSS.escape(event.target.id)}"]`);
  if (!wave) return;
  const x = (event.target.currentTime / Number(wave.dataset.seconds)) * wave.viewBox.baseVal.width;
  const head = wave.querySelector(".playhead");
  head.setAttribute("x1", x);
  head.setAttribute("x2", x);
}, true);

document.addEventListener("DOMContentLoaded", () => { if (location.hash) openMessage(location.hash.slice(1)); });
