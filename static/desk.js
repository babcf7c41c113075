// The desk by keyboard. Every element with data-key is reached by that key; ? lists those of the
// page. Nothing is sent by a key alone: a key goes to a button, Enter presses it.
(function () {
  "use strict";
  const dialog = document.getElementById("keys");
  if (!dialog || !dialog.showModal) return;
  const keyed = () => [...document.querySelectorAll("[data-key]")].filter((e) => e.offsetParent);
  const rows = () => [...document.querySelectorAll("[data-case] a.row")];

  function words(element) {
    const label = element.labels && element.labels[0];
    return (element.dataset.keyName || (label || element).textContent).trim();
  }

  function list() {
    const lines = dialog.querySelector("dl");
    for (const old of lines.querySelectorAll("[data-here]")) old.remove();
    for (const element of keyed()) {
      const key = document.createElement("dt");
      const what = document.createElement("dd");
      key.textContent = element.dataset.key;
      what.textContent = words(element);
      key.dataset.here = what.dataset.here = "";
      lines.append(key, what);
    }
    dialog.showModal();
  }

  function go(element) {
    if (element.matches("summary")) {
      element.parentElement.open = true;
      (element.parentElement.querySelector("textarea, input:not([type=hidden])") || element).focus();
    } else if (element.matches("a")) {
      element.click();
    } else {
      element.focus();
    }
  }

  function step(by) {
    const all = rows();
    const at = all.findIndex((row) => row.parentElement.contains(document.activeElement));
    const next = all[at < 0 ? 0 : Math.min(Math.max(at + by, 0), all.length - 1)];
    if (next) next.focus();
  }

  function tick() {
    const row = document.activeElement.closest("[data-case]");
    const box = row && row.querySelector("input[type=checkbox]");
    if (box) box.checked = !box.checked;
  }

  const moves = { j: () => step(1), k: () => step(-1), x: tick, "?": list };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || dialog.open) return;
    if (event.target.matches("textarea, select, input:not([type=checkbox]):not([type=radio])")) return;
    const found = keyed().find((element) => element.dataset.key === event.key);
    const act = found ? () => go(found) : moves[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });

  for (const hint of document.querySelectorAll("[data-keys-hint]")) {
    hint.hidden = false;
    hint.addEventListener("click", list);
  }
})();
