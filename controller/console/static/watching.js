// Times that run: how long something has been going on.
"use strict";

// The server's clock counts, whatever the browser's says.
let ahead = 0;

function runningTimes() {
  for (const time of document.querySelectorAll("time[data-runs]")) {
    const begun = Date.parse(time.dateTime);
    const seconds = Math.max(0, Math.floor((Date.now() + ahead - begun) / 1000));
    const [hours, minutes, rest] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
    const padded = (number) => String(number).padStart(2, "0");
    const said = hours ? `${hours}:${padded(minutes)}:${padded(rest)}` : `${minutes}:${padded(rest)}`;
    if (Number.isFinite(begun) && time.textContent !== said) time.textContent = said;
  }
}

setInterval(runningTimes, 1000);
document.addEventListener("DOMContentLoaded", () => {
  const now = Date.parse(document.querySelector("[data-now]")?.dataset.now);
  if (Number.isFinite(now)) ahead = now - Date.now();
  runningTimes();
});
document.addEventListener("htmx:after:swap", runningTimes);
