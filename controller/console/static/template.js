// The template editor: variables are marked behind the text as it is typed, bytes counted, and it can be heard.
"use strict";

const KNOWN = /^\$\{(TXT_([1-9]|[12]\d|3[0-2])|NUM_([1-9]|[12]\d|3[0-2])|DATE|TIME)\}$/;

function highlight(editor) {
  const field = editor.querySelector("textarea");
  const behind = editor.querySelector(".behind");
  const counter = document.querySelector("[data-counter]");
  const show = () => {
    behind.replaceChildren();
    for (const piece of field.value.split(/(\$\{[^{}]*\}?)/)) {
      if (piece.startsWith("${")) {
        const mark = document.createElement("mark");
        mark.textContent = piece;
        if (!KNOWN.test(piece)) mark.className = "unknown";
        behind.append(mark);
      } else {
        behind.append(piece);
      }
    }
    // A last line without anything in it has its height, too.
    behind.append("\u200b");
    field.rows = 6;
    while (field.scrollHeight > field.clientHeight && field.rows < 60) field.rows += 1;
    const bytes = new TextEncoder().encode(field.value.trim()).length;
    counter.textContent = counter.dataset.words.replace("{count}", bytes);
    counter.classList.toggle("over", bytes > Number(counter.dataset.counter));
  };
  editor.classList.add("live");
  field.addEventListener("input", show);
  show();
}

async function hear(form, button) {
  const heard = form.querySelector("[data-heard]");
  const trouble = form.querySelector("[data-not-heard]");
  button.disabled = true;
  trouble.replaceChildren();
  try {
    const answer = await fetch(button.formAction, {
      method: "POST",
      headers: { "HX-Request": "true", "X-CSRF-Token": document.body.dataset.csrf },
      body: new URLSearchParams(new FormData(form)),
    });
    if (answer.ok && answer.headers.get("Content-Type").startsWith("audio/")) {
      const audio = heard.querySelector("audio");
      URL.revokeObjectURL(audio.src);
      audio.src = URL.createObjectURL(await answer.blob());
      heard.hidden = false;
      await audio.play();
    } else {
      heard.hidden = true;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      trouble.append(...page.body.children);
    }
  } finally {
    button.disabled = false;
  }
}

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("[data-highlight]").forEach(highlight);
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-preview]");
  if (!button) return;
  event.preventDefault();
  hear(button.form, button);
});
