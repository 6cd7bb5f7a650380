// The phone in the page: one SIP user agent that only takes calls. What it says stands in the page's language in data-text-*.
"use strict";

const RING = { hertz: 450, on: 1.0, every: 4.0 };
const KEYS = "0123456789*#";
// Of a whole second at full loudness; silence has none.
const LOUD = 0.001;

class Phone {
  constructor(element) {
    this.element = element;
    this.session = null;
    this.agent = null;
    this.part = (name) => element.querySelector(`[data-phone="${name}"]`);
    this.part("on").addEventListener("click", () => this.switchOn());
    this.part("off").addEventListener("click", () => this.switchOff());
    this.part("answer").addEventListener("click", () => this.answer());
    this.part("reject").addEventListener("click", () => this.session?.terminate({ status_code: 603 }));
    this.part("hang-up").addEventListener("click", () => this.session?.terminate());
    this.part("mute").addEventListener("click", () => this.mute());
    this.part("keypad").addEventListener("click", (event) => {
      if (event.target.dataset.key) this.press(event.target.dataset.key);
    });
    document.addEventListener("keydown", (event) => {
      const typing = event.target.closest("input, textarea, select, [contenteditable]");
      if (!typing && !event.ctrlKey && !event.metaKey && !event.altKey && KEYS.includes(event.key)) this.press(event.key);
    });
    // Whoever had it on and opens another page with it wants it there.
    if (sessionStorage.getItem("phone") === "on") this.switchOn();
  }

  text(name, values = {}) {
    let said = this.element.getAttribute(`data-text-${name}`);
    for (const [key, value] of Object.entries(values)) said = said.replace(`{${key}}`, value);
    return said;
  }

  show(state, values = {}) {
    this.element.dataset.state = state;
    this.part("state").textContent = this.text(state, values);
    const visible = {
      on: state === "off", off: !["off", "starting"].includes(state), answer: state === "ringing",
      reject: state === "ringing", "hang-up": ["answering", "talking"].includes(state),
      mute: state === "talking", keypad: state === "talking",
    };
    for (const [name, shown] of Object.entries(visible)) this.part(name).hidden = !shown;
    if (state === "ringing") this.part("answer").focus();
    this.element.dispatchEvent(new CustomEvent("phone", { bubbles: true, detail: { state, number: this.number } }));
  }

  log(name, values = {}) {
    const line = document.createElement("li");
    const time = document.createElement("time");
    time.textContent = new Date().toLocaleTimeString("en-GB");
    line.append(time, ` ${this.text(name, values)}`);
    this.part("log").prepend(line);
    while (this.part("log").children.length > 12) this.part("log").lastChild.remove();
  }

  fault(said) {
    this.part("fault").textContent = said;
    this.part("fault").hidden = !said;
  }

  ask(path) {
    return fetch(`/console/phone/${path}`, {
      method: "POST",
      headers: { "X-CSRF-Token": document.body.dataset.csrf, Accept: "application/json" },
    });
  }

  async switchOn() {
    this.fault("");
    if (!window.isSecureContext) return this.fault(this.text("insecure"));
    this.show("starting");
    // Made while the click is fresh: browsers let a page sound only then.
    this.sound = this.sound || new AudioContext();
    this.sound.resume();
    try {
      await this.askForMicrophone();
      const answer = await this.ask("on");
      if (!answer.ok || answer.redirected) throw new Error(String(answer.status));
      this.begin(await answer.json());
    } catch (error) {
      this.end(this.text("failed", { reason: error.message }));
    }
  }

  // Asked now, so that nobody has to while it rings.
  async askForMicrophone() {
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
      stream.getTracks().forEach((track) => track.stop());
      this.silent = false;
    } catch {
      this.silent = true;
      this.fault(this.text("silent"));
    }
  }

  begin(phone) {
    this.number = phone.number;
    const shown = this.part("number");
    shown.textContent = shown.dataset.copy = phone.number;
    this.part("shown").hidden = false;
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    this.agent = new JsSIP.UA({
      sockets: [new JsSIP.WebSocketInterface(`${scheme}//${location.host}${phone.socket}`)],
      uri: `sip:${phone.user}@voicecall.invalid`,
      authorization_user: phone.user,
      password: phone.password,
      register_expires: 120,
      session_timers: false,
      connection_recovery_min_interval: 1,
      connection_recovery_max_interval: 5,
    });
    const agent = this.agent;
    agent.on("registered", () => {
      sessionStorage.setItem("phone", "on");
      if (["starting", "lost"].includes(this.element.dataset.state)) {
        this.log("registered");
        this.show("ready");
      }
    });
    agent.on("registrationFailed", (event) => this.end(this.text("failed", { reason: event.cause })));
    agent.on("disconnected", (event) => {
      if (agent !== this.agent) return;
      if (event.code === 4000) this.end(this.text("elsewhere"));
      else if (this.element.dataset.state !== "off") this.show("lost");
    });
    agent.on("newRTCSession", ({ originator, session }) => {
      if (originator === "remote") this.called(session);
    });
    agent.start();
  }

  called(session) {
    if (this.session) return session.terminate({ status_code: 486 });
    this.session = session;
    const number = session.remote_identity.uri.user;
    this.caller = number;
    session.on("icecandidate", ({ ready }) => setTimeout(ready, 500));
    session.on("peerconnection", ({ peerconnection }) => {
      peerconnection.addEventListener("track", (event) => {
        this.part("audio").srcObject = event.streams[0] || new MediaStream([event.track]);
      });
    });
    session.on("confirmed", () => {
      this.log("answered");
      this.show("talking", { number });
      this.part("keypad").querySelector("button").focus();
      this.listening = setInterval(() => this.listen(session), 500);
    });
    const over = ({ cause }) => this.over(cause);
    session.on("ended", over);
    session.on("failed", over);
    this.log("rings", { number });
    this.show("ringing", { number });
    this.ring();
  }

  async answer() {
    if (!this.session) return;
    this.quiet();
    this.show("answering");
    const options = { mediaConstraints: { audio: true, video: false }, pcConfig: { iceServers: [] } };
    if (this.silent) options.mediaStream = this.sound.createMediaStreamDestination().stream;
    this.session.answer(options);
  }

  over(cause) {
    this.quiet();
    clearInterval(this.listening);
    this.session = null;
    this.part("mute").setAttribute("aria-pressed", "false");
    this.part("mute").textContent = this.text("mute");
    this.part("heard").hidden = true;
    const said = this.element.getAttribute(`data-text-cause-${cause.toLowerCase().replaceAll(" ", "-")}`);
    this.log("ended", { reason: said || cause });
    if (this.agent) this.show(this.agent.isRegistered() ? "ready" : "lost");
    if (document.activeElement === document.body) this.part("off").focus();
  }

  press(key) {
    if (this.element.dataset.state !== "talking") return;
    this.session.sendDTMF(key, { transportType: JsSIP.C.DTMF_TRANSPORT.RFC2833, duration: 160, interToneGap: 100 });
    this.log("key", { key });
  }

  mute() {
    const muted = this.part("mute").getAttribute("aria-pressed") === "true";
    this.session[muted ? "unmute" : "mute"]({ audio: true });
    this.part("mute").setAttribute("aria-pressed", String(!muted));
    this.part("mute").textContent = this.text(muted ? "mute" : "unmute");
  }

  // What really arrives, so that silence can be told from a caller who says nothing.
  async listen(session) {
    if (session !== this.session || !session.connection) return;
    for (const found of (await session.connection.getStats()).values()) {
      if (found.type !== "inbound-rtp" || found.kind !== "audio") continue;
      const heard = this.part("heard");
      heard.textContent = this.text("heard", { packets: found.packetsReceived, lost: found.packetsLost });
      heard.dataset.packets = found.packetsReceived;
      heard.dataset.energy = found.totalAudioEnergy;
      heard.dataset.sound = found.totalAudioEnergy > LOUD ? "yes" : "no";
      heard.hidden = false;
    }
  }

  ring() {
    const once = () => {
      const tone = this.sound.createOscillator();
      const volume = this.sound.createGain();
      tone.frequency.value = RING.hertz;
      volume.gain.value = 0.15;
      tone.connect(volume).connect(this.sound.destination);
      tone.start();
      tone.stop(this.sound.currentTime + RING.on);
      this.tone = tone;
    };
    once();
    this.ringing = setInterval(once, RING.every * 1000);
  }

  quiet() {
    clearInterval(this.ringing);
    if (this.tone) this.tone.stop();
    this.tone = null;
  }

  async switchOff() {
    sessionStorage.removeItem("phone");
    this.end("");
    await this.ask("off");
  }

  end(said) {
    sessionStorage.removeItem("phone");
    this.quiet();
    const agent = this.agent;
    this.agent = null;
    if (agent) agent.stop();
    this.session = null;
    this.number = "";
    this.part("shown").hidden = true;
    this.show("off");
    this.fault(said);
  }
}

document.addEventListener("DOMContentLoaded", () => {
  const element = document.getElementById("phone");
  if (element) element.phone = new Phone(element);
});
