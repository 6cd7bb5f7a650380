// Make a call: the form becomes the exact request, which is sent as any program sends it; then what happens is followed.
"use strict";

const E164 = /^\+[1-9][0-9]{2,29}$/;

// What a refusal is about whose text names no parameter.
const ABOUT = {
  1010022: "verifyCode",
  1010023: "displayNbr",
  1010024: "callerNbr",
  1012002: "templateId",
  1012003: "templateId",
  1012004: "templateParas",
  1012012: "recordFlag",
  1013003: "displayNbr",
  1013004: "calleeNbr",
  1013010: "callerNbr",
  1013011: "calleeNbr",
  1013112: "calleeNbr",
  1013117: "calleeNbr",
};

class FirstCall {
  constructor(place) {
    this.place = place;
    this.form = document.getElementById("call-form");
    this.phone = "";
    this.form.addEventListener("input", () => this.show());
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    this.form.querySelector("[data-app]").addEventListener("change", (event) => {
      location.search = `?app=${encodeURIComponent(event.target.value)}`;
    });
    document.getElementById("stop").addEventListener("click", () => this.stop());
    document.addEventListener("phone", (event) => {
      this.phone = event.detail.number || "";
      this.show();
    });
    this.show();
  }

  text(name, values = {}) {
    let said = this.place.getAttribute(`data-text-${name}`);
    for (const [key, value] of Object.entries(values)) said = said.replace(`{${key}}`, () => value);
    return said;
  }

  value(name) {
    const field = this.form.elements[name];
    if (!field) return "";
    return field.type === "checkbox" ? field.checked : field.value.trim();
  }

  // What can't be seen of the chosen source of sound, or of a callee that is no typed number, is hidden.
  arrange() {
    for (const choice of this.form.querySelectorAll("[data-callee]")) {
      const typed = this.form.querySelector(`[data-number="${choice.dataset.callee}"]`);
      typed.hidden = choice.value !== "";
    }
    const said = this.value("said");
    const needs = { ttsContent: "text", notifyVoice: "sound", templateId: "template", templateParas: "template" };
    for (const [name, source] of Object.entries(needs)) {
      const field = this.form.elements[name];
      if (field) field.closest(".field").hidden = source !== said;
    }
  }

  number(name) {
    const choice = this.form.querySelector(`[data-callee="${name}"]`);
    if (choice.value === "phone") return this.phone;
    return choice.value || this.value(name);
  }

  numeral(name) {
    const typed = this.value(name);
    return /^\d+$/.test(typed) ? Number(typed) : typed;
  }

  body() {
    const service = this.place.dataset.service;
    const body = { displayNbr: this.value("displayNbr") };
    if (service === "callback") body.callerNbr = this.number("callerNbr");
    body.calleeNbr = this.number("calleeNbr");
    if (service === "callback") {
      body.displayCalleeNbr = this.value("displayCalleeNbr");
      if (this.value("maxDuration")) body.maxDuration = this.numeral("maxDuration");
      if (this.value("recordFlag")) body.recordFlag = true;
    } else if (service === "verification") {
      body.languageType = this.numeral("languageType");
      body.preTone = this.value("preTone");
      body.verifyCode = this.value("verifyCode");
      if (this.value("times")) body.times = this.numeral("times");
    } else {
      body.playInfoList = [this.item()];
    }
    const push = this.value("pushUrl");
    if (push) body.statusUrl = body.feeUrl = btoa(unescape(encodeURIComponent(push)));
    return body;
  }

  item() {
    const item = {};
    const said = this.value("said");
    if (said === "sound") item.notifyVoice = this.value("notifyVoice");
    else if (said === "template") {
      item.templateId = this.value("templateId");
      const values = this.value("templateParas").split("\n").map((line) => line.trim()).filter(Boolean);
      if (values.length) item.templateParas = values;
    } else item.ttsContent = this.value("ttsContent");
    if (this.value("collectInd")) item.collectInd = this.numeral("collectInd");
    return item;
  }

  show() {
    this.arrange();
    // No quote or backtick of the text can end a quoted text of a language: JSON has another way to write them.
    const escaped = JSON.stringify(this.body(), null, 2).replaceAll("'", "\\u0027").replaceAll("`", "\\u0060");
    for (const code of document.querySelectorAll("[data-code]")) {
      const body = code.dataset.code === "java" ? escaped.replaceAll("\\", "\\\\") : escaped;
      const text = code.dataset.sample
        .replaceAll("@URL@", () => this.place.dataset.base + this.place.dataset.path)
        .replaceAll("@KEY@", () => code.dataset.key)
        .replaceAll("@BODY@", () => body);
      code.textContent = text;
      code.parentElement.querySelector("[data-copy]").dataset.copy = text;
    }
  }

  check() {
    let first = null;
    for (const choice of this.form.querySelectorAll("[data-callee]")) {
      const name = choice.dataset.callee;
      const fault = this.form.querySelector(`[data-fault="${name}"]`);
      const wrong = choice.value === "phone" ? !this.phone && "no-phone" : !E164.test(this.number(name)) && "no-number";
      fault.hidden = !wrong;
      fault.textContent = wrong ? this.text(wrong) : "";
      if (wrong && !first) first = choice.value ? choice : this.form.elements[name];
    }
    if (first) first.focus();
    return !first;
  }

  // At the field that the text names or the code is about; else at the button.
  refused({ resultcode, resultdesc }) {
    const said = this.text("refused", { code: resultcode, text: resultdesc });
    const words = new Set(resultdesc.replace(/\b(status|fee)Url\b/, "pushUrl").match(/\w+/g));
    const named = [...this.form.elements].find(({ name }) => name && name !== "app" && words.has(name));
    const field = named || this.form.elements[ABOUT[resultcode]];
    if (!field) return this.fault(said);
    this.mark(field, said);
    (field.offsetParent ? field : field.closest(".field")?.querySelector("select"))?.focus();
  }

  mark(field, said) {
    const box = field.closest(".field");
    let fault = box.querySelector(".fault");
    if (!fault) {
      fault = document.createElement("p");
      fault.className = "fault";
      fault.id = `${field.id}-fault`;
      field.setAttribute("aria-describedby", `${field.getAttribute("aria-describedby") || ""} ${fault.id}`.trim());
      const help = box.querySelector(".help");
      if (help) help.before(fault);
      else box.append(fault);
    }
    fault.textContent = said;
    fault.hidden = !said;
    box.classList.toggle("wrong", Boolean(said));
    if (said) field.setAttribute("aria-invalid", "true");
    else field.removeAttribute("aria-invalid");
  }

  fault(said) {
    const place = document.getElementById("send-fault");
    place.textContent = said;
    place.hidden = !said;
  }

  // Signed by the controller, sent from here: through every check that a program's request goes through.
  async ask(path, body) {
    const signed = await fetch(`/console/first-call/${encodeURIComponent(this.value("app"))}/proof`, {
      method: "POST",
      headers: { "X-CSRF-Token": document.body.dataset.csrf },
    });
    if (!signed.ok || signed.redirected) throw new Error(this.text("signed", { status: signed.status }));
    const began = performance.now();
    const answer = await fetch(path, {
      method: "POST",
      headers: { ...(await signed.json()), "Content-Type": "application/json;charset=UTF-8" },
      body: JSON.stringify(body),
      credentials: "omit",
    });
    const told = await answer.json();
    return { status: answer.status, told, took: Math.round(performance.now() - began) };
  }

  async send() {
    this.fault("");
    for (const field of this.form.querySelectorAll("[aria-invalid]")) this.mark(field, "");
    if (!this.check()) return;
    const button = document.getElementById("send");
    button.disabled = true;
    this.leave();
    try {
      const { status, told, took } = await this.ask(this.place.dataset.path, this.body());
      document.getElementById("took").textContent = this.text("took", { status, took });
      document.getElementById("answer").textContent = JSON.stringify(told, null, 2);
      document.getElementById("answer-box").hidden = false;
      if (told.resultcode === "0") this.follow(told.sessionId);
      else this.refused(told);
    } catch (error) {
      this.fault(error instanceof TypeError ? this.text("unreachable", { reason: error.message }) : error.message);
    } finally {
      button.disabled = false;
    }
  }

  // What the page tells is of the request before.
  leave() {
    if (this.stream) this.stream.close();
    document.getElementById("live").textContent = "";
    document.getElementById("answer-box").hidden = true;
    document.getElementById("took").textContent = "";
    this.showStop(false);
  }

  follow(session) {
    this.session = session;
    const live = document.getElementById("live");
    this.showStop(true);
    this.stream = new EventSource(`/console/first-call/calls/${encodeURIComponent(session)}`);
    this.stream.addEventListener("logged-out", () => location.reload());
    this.stream.onmessage = async (event) => {
      await htmx.swap({ text: event.data, target: live, sourceElement: live, swap: "innerMorph" });
      if (live.querySelector("[data-over=yes]")) {
        this.showStop(false);
        // CDR pushes come a moment after the end.
        setTimeout(() => this.session === session && this.stream.close(), 6000);
      }
    };
  }

  showStop(shown) {
    document.getElementById("stop").hidden = !shown;
  }

  async stop() {
    try {
      await this.ask(this.place.dataset.stop, { sessionid: this.session, signal: "call_stop" });
    } catch (error) {
      this.fault(error.message);
    }
  }
}

document.addEventListener("DOMContentLoaded", () => {
  const place = document.getElementById("try");
  if (place) new FirstCall(place);
});
