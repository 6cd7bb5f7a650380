// What every page needs: tokens for scripts' requests, copying, keys, questions before danger, local times.
"use strict";

document.addEventListener("htmx:config:request", (event) => {
  event.detail.ctx.request.headers["X-CSRF-Token"] = document.body.dataset.csrf;
});

// Copying: anything with data-copy.
async function copy(element) {
  if (navigator.clipboard) await navigator.clipboard.writeText(element.dataset.copy);
  else copySelected(element.dataset.copy);
  const told = document.getElementById("copied");
  if (told) told.textContent = told.dataset.text;
  element.classList.add("copied");
  setTimeout(() => {
    element.classList.remove("copied");
    if (told) told.textContent = "";
  }, 1500);
}

// Browsers keep the clipboard from pages that came without TLS from another machine: there a selection is copied.
function copySelected(text) {
  const focused = document.activeElement;
  const field = document.createElement("textarea");
  field.className = "hidden";
  field.value = text;
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
  focused?.focus();
}

document.addEventListener("click", (event) => {
  const copied = event.target.closest("[data-copy]");
  if (copied) copy(copied);
  const toggle = event.target.closest("[data-toggle]");
  if (toggle) {
    const open = document.getElementById(toggle.dataset.toggle).classList.toggle("open");
    toggle.setAttribute("aria-expanded", String(open));
  }
  const tab = event.target.closest('[role="tab"]');
  if (tab) choose(tab);
});

// Tabs: buttons whose aria-controls names a panel beside the others.
function choose(tab) {
  for (const other of tab.parentElement.querySelectorAll('[role="tab"]')) {
    const chosen = other === tab;
    other.setAttribute("aria-selected", String(chosen));
    other.tabIndex = chosen ? 0 : -1;
    document.getElementById(other.getAttribute("aria-controls")).hidden = !chosen;
  }
}

// Questions before what can't be undone: answered, or a name typed again. Then the form is sent as it was pressed.
let asked = null;

function ask(form, button) {
  asked = { form, button };
  const { question, confirm: wanted = "" } = form.dataset;
  const yes = document.getElementById("ask-yes");
  yes.textContent = button.textContent;
  yes.className = button.classList.contains("danger") ? "danger" : "primary";
  document.getElementById("ask-question").textContent = question;
  document.getElementById("ask-typed").hidden = !wanted;
  document.getElementById("ask-wanted").textContent = wanted;
  document.getElementById("ask-word").value = "";
  showAskFault(false);
  document.getElementById("ask").showModal();
  document.getElementById(wanted ? "ask-word" : "ask-no").focus();
}

function showAskFault(shown) {
  const word = document.getElementById("ask-word");
  document.getElementById("ask-fault").hidden = !shown;
  word.toggleAttribute("aria-invalid", shown);
  if (shown) word.focus();
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.id === "ask-form") {
    const { form: meant, button } = asked;
    const wanted = meant.dataset.confirm || "";
    if (wanted && document.getElementById("ask-word").value.trim() !== wanted) {
      event.preventDefault();
      showAskFault(true);
    } else {
      meant.dataset.agreed = "yes";
      meant.requestSubmit(button);
      delete meant.dataset.agreed;
    }
  } else if (form.dataset.question && form.dataset.agreed !== "yes") {
    event.preventDefault();
    ask(form, event.submitter);
  }
});

document.addEventListener("click", (event) => {
  if (event.target.id === "ask-no") document.getElementById("ask").close();
});

// Keys.
const typing = (element) => element.closest("input, textarea, select, [contenteditable]");
let wentAt = 0;

function lines() {
  return [...document.querySelectorAll("main tbody tr")].filter((line) => line.matches("[data-open], :has(a, button, summary)"));
}

function step(by) {
  const all = lines();
  if (!all.length) return;
  const now = all.findIndex((line) => "chosen" in line.dataset);
  const next = all[Math.min(all.length - 1, Math.max(0, now + by))];
  all.forEach((line) => line.toggleAttribute("data-chosen", line === next));
  next.scrollIntoView({ block: "nearest" });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if ((event.key === "Enter" || event.key === " ") && event.target.matches('[data-copy][role="button"]')) {
    event.preventDefault();
    copy(event.target);
  }
  if (typing(event.target)) return;
  const chosen = document.querySelector("main tr[data-chosen]");
  const tab = event.target.closest('[role="tab"]');
  if (Date.now() - wentAt < 1200) {
    wentAt = 0;
    const link = document.querySelector(`[data-go="${CSS.escape(event.key)}"]`);
    if (link) link.click();
  } else if (tab && (event.key === "ArrowRight" || event.key === "ArrowLeft")) {
    const other = event.key === "ArrowRight" ? tab.nextElementSibling : tab.previousElementSibling;
    if (other) { choose(other); other.focus(); }
  } else if (event.key === "g") {
    wentAt = Date.now();
  } else if (event.key === "/") {
    event.preventDefault();
    document.querySelector("[data-search]")?.focus();
  } else if (event.key === "j" || event.key === "k") {
    step(event.key === "j" ? 1 : -1);
  } else if (event.key === "Enter" && chosen && event.target === document.body) {
    if (chosen.dataset.open) location.href = chosen.dataset.open;
    else chosen.querySelector("summary")?.click();
  } else if (event.key === "." && chosen) {
    chosen.querySelector("a, button, summary")?.focus();
  } else if (event.key === "Escape" && chosen) {
    chosen.removeAttribute("data-chosen");
    showHeld();
  } else if (event.key === "t") {
    switchTimes();
  } else if (event.key === "?") {
    document.getElementById("keys")?.showModal();
  }
});

// What was typed into a form that is sent when the session is over: it is there again after logging in, for the
// same user in the same tab. The next page forgets it.
const TYPED = "typed";
const typedInto = (form) => [...form.elements].filter((field) => field.name && !["hidden", "password", "file"].includes(field.type));

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (event.defaultPrevented || !form.matches("main form.form[method=post]") || !document.body.dataset.login) return;
  const fields = typedInto(form).map(({ name, value, checked }) => [name, value, Boolean(checked)]);
  const { login } = document.body.dataset;
  sessionStorage.setItem(TYPED, JSON.stringify({ login, place: location.pathname, action: form.getAttribute("action"), fields }));
});

function typeAgain() {
  const { login } = document.body.dataset;
  if (!login) return;
  const kept = JSON.parse(sessionStorage.getItem(TYPED));
  sessionStorage.removeItem(TYPED);
  const came = document.referrer && new URL(document.referrer).pathname;
  if (!kept || came !== "/console/login" || kept.login !== login || kept.place !== location.pathname) return;
  const form = document.querySelector(`main form.form[action="${CSS.escape(kept.action)}"]`);
  if (!form) return;
  typedInto(form).forEach((field, number) => {
    const [name, value, checked] = kept.fields[number] || [];
    if (name !== field.name) return;
    if (["checkbox", "radio"].includes(field.type)) field.checked = checked;
    else field.value = value;
    field.dispatchEvent(new Event("input", { bubbles: true }));
  });
  const told = document.getElementById("typed-before");
  told.after(told.content);
}

// A page that is left open when its session is over: it leads to logging in, and back to where it was.
document.addEventListener("logged-out", () => location.reload());

// Lists that follow what happens stand still while somebody points at them or has chosen a line; what came
// meanwhile is shown afterwards.
const held = new Map();
const isHeld = (part) => part.matches("[data-pause]:hover") || Boolean(part.querySelector("[data-pause] [data-chosen]"));

document.addEventListener("htmx:sse:before:message", (event) => {
  const { event: name, data } = event.detail.message;
  if (name) return;
  held.delete(event.target);
  if (isHeld(event.target)) {
    event.preventDefault();
    held.set(event.target, data);
  }
  noteHeld();
});

function showHeld() {
  for (const [part, text] of held) {
    if (isHeld(part)) continue;
    held.delete(part);
    htmx.swap({ text, target: part, sourceElement: part, swap: part.getAttribute("hx-swap") });
  }
  noteHeld();
}

function noteHeld() {
  const note = document.querySelector(".held");
  if (note) note.hidden = held.size === 0;
}

document.addEventListener("pointerout", () => held.size && setTimeout(showHeld));

// Times of lists are told as how long ago, or exactly since somebody pressed one: on every page from then on.
const areExact = () => localStorage.getItem("times") === "exact";

function switchTimes() {
  localStorage.setItem("times", areExact() ? "ago" : "exact");
  dress(document);
}

document.addEventListener("click", (event) => {
  if (event.target.matches("time[data-ago]") && !event.target.closest("a")) switchTimes();
});

// The first fault gets the eye; times say on hover what they are here.
function dress(root) {
  for (const time of root.querySelectorAll("time[data-ago]")) time.textContent = areExact() ? time.dataset.exact : time.dataset.ago;
  for (const time of root.querySelectorAll("time[data-time]")) {
    const local = new Date(time.dateTime);
    if (!Number.isNaN(local.valueOf())) time.title = `${time.title.split(" · ")[0]} · ${new Date(local - local.getTimezoneOffset() * 60000).toISOString().slice(0, 19).replace("T", " ")}`;
  }
}

document.addEventListener("DOMContentLoaded", () => {
  dress(document);
  typeAgain();
  (document.querySelector("[aria-invalid]") || document.querySelector(".fault.whole"))?.focus();
});
document.addEventListener("htmx:after:swap", () => dress(document));
