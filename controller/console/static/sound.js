// Waveforms that follow their player, and uploads that are refused before they are sent.
"use strict";

function follow(figure) {
  const audio = figure.querySelector("audio");
  const picture = figure.querySelector("[data-seek]");
  const head = picture.querySelector(".playhead");
  const width = picture.viewBox.baseVal.width;
  const show = () => {
    const x = audio.duration ? (audio.currentTime / audio.duration) * width : 0;
    head.setAttribute("x1", x);
    head.setAttribute("x2", x);
    if (!audio.paused) requestAnimationFrame(show);
  };
  audio.addEventListener("play", show);
  audio.addEventListener("timeupdate", show);
  audio.addEventListener("seeked", show);
  picture.addEventListener("click", (event) => {
    const box = picture.getBoundingClientRect();
    if (audio.duration) audio.currentTime = ((event.clientX - box.left) / box.width) * audio.duration;
  });
}

function guard(form) {
  const input = form.querySelector('input[type="file"]');
  const name = form.querySelector('[name="name"]');
  const fault = document.getElementById("field-file-fault");
  const tooLarge = () => input.files.length > 0 && input.files[0].size > Number(input.dataset.most);
  const judge = () => {
    fault.hidden = !tooLarge();
    if (tooLarge()) fault.textContent = input.dataset.tooLarge;
    input.setAttribute("aria-invalid", String(tooLarge()));
  };
  input.addEventListener("change", () => {
    judge();
    if (name && !name.value && input.files.length) {
      const stem = input.files[0].name.replace(/\.[^.]*$/, "").replace(/[^A-Za-z0-9._@-]+/g, "-").replace(/^[-.]+|[-.]+$/g, "");
      if (stem) name.placeholder = `${stem}.wav`;
    }
  });
  form.addEventListener("submit", (event) => {
    if (tooLarge()) {
      event.preventDefault();
      judge();
    } else {
      form.querySelector("button").disabled = true;
    }
  });
}

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("[data-sound]").forEach(follow);
  document.querySelectorAll("[data-upload]").forEach(guard);
});
