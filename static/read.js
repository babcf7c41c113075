// Reads a page aloud in the large view. By a voice of the device alone: a network voice would send
// what is on the page to whoever runs it. The receipt's code is read by its own button only.
(function () {
  "use strict";
  const speech = window.speechSynthesis;
  const page = document.querySelector("[data-read-aloud]");
  const code = document.querySelector("[data-read-code]");
  const main = document.getElementById("main");
  if (!speech || !window.SpeechSynthesisUtterance || !page) return;

  const UNSPOKEN =
    "button, textarea, select, script, svg, [hidden], [aria-hidden=true], [data-receipt-code], [data-promise], .promise, .fours, .code, .honey";
  const BLOCKS = "p, li, dt, dd, h1, h2, h3, td, th, label, legend, summary, div, section";
  const page_language = document.documentElement.lang;
  const wanted = { "zh-Hant": ["zh-tw", "zh-hk", "zh"], en: ["en"] }[page_language] || ["zh-cn", "zh"];

  function voice() {
    const own = speech.getVoices().filter((one) => one.localService === true);
    const speaks = (one) => one.lang.toLowerCase().replace("_", "-");
    for (const language of wanted) {
      const found = own.find((one) => speaks(one).startsWith(language));
      if (found) return found;
    }
    return null;
  }

  // What stands on the page, paragraph by paragraph; nothing that is folded away or typed.
  function paragraphs() {
    const found = [];
    const texts = document.createTreeWalker(main, NodeFilter.SHOW_TEXT);
    let last = null;
    for (let node = texts.nextNode(); node; node = texts.nextNode()) {
      const parent = node.parentElement;
      const words = node.textContent.replace(/\s+/g, " ").trim();
      if (!words || parent.closest(UNSPOKEN) || !parent.getClientRects().length) continue;
      const block = parent.closest(BLOCKS);
      if (block === last) found[found.length - 1] += " " + words;
      else found.push(words);
      last = block;
    }
    return found;
  }

  function digits() {
    const shown = document.querySelector("[data-receipt-code]").textContent;
    return shown.trim().split("-").map((group) => [...group].join(" "));
  }

  let speaking = null;
  let names = new Map();

  function stop() {
    if (speaking) {
      speaking.textContent = names.get(speaking);
      speaking.setAttribute("aria-pressed", "false");
    }
    speaking = null;
    speech.cancel();
  }

  function start(button, parts) {
    const own = voice();
    stop();
    if (!own || !parts.length) return;
    speaking = button;
    button.textContent = button.dataset.stop;
    button.setAttribute("aria-pressed", "true");
    parts.forEach((words, place) => {
      const said = new SpeechSynthesisUtterance(words);
      said.voice = own;
      said.lang = own.lang;
      said.rate = 0.9;
      if (place === parts.length - 1) said.onend = () => speaking === button && stop();
      speech.speak(said);
    });
  }

  function offer() {
    const possible = voice() !== null;
    for (const button of names.keys()) button.hidden = !possible;
  }

  for (const [button, parts] of [[page, paragraphs], [code, digits]]) {
    if (!button) continue;
    names.set(button, button.textContent);
    button.addEventListener("click", () => (speaking === button ? stop() : start(button, parts())));
  }
  window.addEventListener("pagehide", stop);
  if (speech.addEventListener) speech.addEventListener("voiceschanged", offer);
  offer();
})();
