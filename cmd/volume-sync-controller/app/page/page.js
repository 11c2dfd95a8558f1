"use strict";
// Asks for the status again every two seconds, and says when it gets none.
const status = document.getElementById("status");
const stale = document.getElementById("stale");
async function update() {
  try {
    const answer = await fetch("status", {cache: "no-store"});
    if (!answer.ok) throw new Error(answer.status);
    status.innerHTML = await answer.text();
    stale.textContent = "";
  } catch (_) {
    stale.textContent = "no answer, this is old";
  }
}
setInterval(update, 2000);
