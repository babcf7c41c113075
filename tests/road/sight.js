// What is asked of every page, as it stands in the browser. Each answers with sentences, none when
// all is well. tests/road/sight.py says under which circumstances each is asked.
(() => {
  "use strict";
  const CONTROLS =
    "a[href], button, summary, input:not([type=hidden]), select, textarea, [tabindex='0']";
  const all = (selector) => [...document.querySelectorAll(selector)];
  const box = (element) => element.getBoundingClientRect();

  function shown(element) {
    if (!element.checkVisibility({ visibilityProperty: true })) return false;
    const { width, height, right } = box(element);
    return width > 0 && height > 0 && right > 0;
  }

  function name(element) {
    const words = element.getAttribute("aria-label") || element.textContent || element.name || "";
    const id = element.id ? `#${element.id}` : "";
    return `${element.tagName.toLowerCase()}${id} “${words.trim().replace(/\s+/g, " ").slice(0, 24)}”`;
  }

  // A link in a sentence may be as high as its line (WCAG 2.5.8); one that stands alone may not.
  function inSentence(element) {
    if (element.tagName !== "A" || getComputedStyle(element).display !== "inline") return false;
    const around = element.closest("p, li, dd, td, th, h1, h2, h3, div");
    return around !== null && around.textContent.trim() !== element.textContent.trim();
  }

  function target(element) {
    const label = element.matches("[type=radio], [type=checkbox]") && element.labels[0];
    return label || element;
  }

  // --- the rules ---------------------------------------------------------------------------

  function tooWide() {
    const { scrollWidth, clientWidth } = document.documentElement;
    return scrollWidth > clientWidth ? [`${scrollWidth} px wide in ${clientWidth} px`] : [];
  }

  function smallTargets() {
    const least = document.documentElement.classList.contains("large") ? 60 : 44;
    return all(CONTROLS)
      .filter((element) => shown(element) && !inSentence(element))
      .map((element) => [element, box(target(element))])
      .filter(([, { width, height }]) => Math.min(width, height) < least - 0.5)
      .map(([element, { width, height }]) =>
        `${name(element)} is ${width.toFixed()} × ${height.toFixed()} px, less than ${least}`);
  }

  // Whoever reads on goes down or to the right, never back.
  function outOfOrder() {
    const faults = [];
    const read = all(`header, nav, main, footer, h1, h2, h3, legend, label, ${CONTROLS}`).filter(shown);
    for (let at = 1; at < read.length; at++) {
      const [before, element] = [read[at - 1], read[at]];
      if (before.contains(element)) continue;
      const [from, to] = [box(before), box(element)];
      const up = to.bottom <= from.top + 1 && to.left < from.right - 1;
      const sameRow = to.top < from.bottom - 1 && to.bottom > from.top + 1;
      if (up || (sameRow && to.right <= from.left + 1)) {
        faults.push(`${name(element)} is read after ${name(before)} but stands before it`);
      }
    }
    return faults;
  }

  function texts() {
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const element = node.parentElement;
      if (!node.data.trim() || element.closest("script, option") || !shown(element)) continue;
      found.push([node, element]);
    }
    return found;
  }

  function rectsOf(node) {
    const range = document.createRange();
    range.selectNodeContents(node);
    return [...range.getClientRects()];
  }

  function clipped() {
    return all("body *")
      .filter((element) => {
        const style = getComputedStyle(element);
        const hides = (overflow) => overflow === "hidden" || overflow === "clip";
        return shown(element) && element.textContent.trim() && !element.closest(".honey") &&
          ((hides(style.overflowX) && element.scrollWidth > element.clientWidth + 1) ||
            (hides(style.overflowY) && element.scrollHeight > element.clientHeight + 1));
      })
      .map((element) => `${name(element)} is clipped`);
  }

  function overlapping() {
    const lines = texts().flatMap(([node, element]) => rectsOf(node).map((rect) => [element, rect]));
    const faults = [];
    lines.forEach(([element, one], at) => {
      for (const [other, two] of lines.slice(at + 1)) {
        if (element === other) continue;
        const across = Math.min(one.right, two.right) - Math.max(one.left, two.left);
        const down = Math.min(one.bottom, two.bottom) - Math.max(one.top, two.top);
        if (across > 3 && down > 0.4 * Math.min(one.height, two.height)) {
          faults.push(`${name(element)} lies over ${name(other)}`);
        }
      }
    });
    for (const text of all("svg text").filter(shown)) {
      const [own, svg] = [box(text), text.ownerSVGElement];
      const open = getComputedStyle(svg).overflow === "visible";
      const frame = open ? { left: 0, right: innerWidth } : box(svg);
      if (own.right > frame.right + 2 || own.left < frame.left - 2) {
        faults.push(`${name(text)} is cut off by its drawing`);
      }
    }
    return faults;
  }

  function smallText() {
    if (!document.documentElement.classList.contains("large")) return [];
    const faults = new Set();
    for (const [, element] of texts()) {
      const style = getComputedStyle(element);
      const size = parseFloat(style.fontSize);
      if (element.closest("svg")) {
        const svg = element.closest("svg");
        const scale = svg.getScreenCTM().a;
        if (size * scale < 19.9) faults.add(`${name(element)} is drawn ${(size * scale).toFixed(1)} px high`);
        continue;
      }
      if (size < 20) faults.add(`${name(element)} is ${size} px high`);
      const line = parseFloat(style.lineHeight) / size;
      if (line < 1.495) faults.add(`${name(element)} has lines of ${line.toFixed(2)}`);
    }
    return [...faults];
  }

  function moving() {
    const faults = document.getAnimations().map((one) => `${name(one.effect.target)} moves`);
    for (const element of all("*")) {
      const style = getComputedStyle(element);
      const takes = style.transitionDuration.split(", ").some((time) => parseFloat(time) > 0);
      const runs = style.animationName !== "none" && parseFloat(style.animationDuration) > 0;
      if (takes || runs || style.scrollBehavior === "smooth") faults.push(`${name(element)} moves`);
    }
    return faults;
  }

  // Where the reader's own colours rule, edges must be real borders and drawings must follow.
  function lostInForcedColours() {
    const faults = [];
    const canvas = document.body.appendChild(document.createElement("i"));
    const known = ["Canvas", "CanvasText", "LinkText", "GrayText", "ButtonText", "ButtonFace"].map((word) => {
      canvas.style.color = word;
      return getComputedStyle(canvas).color;
    });
    canvas.remove();
    for (const element of all("button, .button, input:not([type=hidden], [type=radio], [type=checkbox], [type=file]), select, textarea")) {
      const style = getComputedStyle(element);
      if (shown(element) && parseFloat(style.borderTopWidth) === 0) faults.push(`${name(element)} has no edge`);
    }
    for (const shape of all("svg *")) {
      const style = getComputedStyle(shape);
      if (!shown(shape) || style.forcedColorAdjust === "none") continue;
      for (const colour of [style.fill, style.stroke]) {
        if (colour.startsWith("rgb") && !known.includes(colour)) faults.push(`${name(shape)} of ${name(shape.ownerSVGElement)} keeps ${colour}`);
      }
    }
    for (const code of all(".qr svg")) {
      if (getComputedStyle(code).forcedColorAdjust !== "none") faults.push("a QR code that no phone reads");
    }
    return [...new Set(faults)];
  }

  // To be asked after a key was pressed: then focus shows itself.
  function focusLost() {
    const faults = [];
    for (const element of all(CONTROLS).filter((each) => shown(each) && each.tabIndex >= 0 && !each.disabled)) {
      element.focus();
      const style = getComputedStyle(element);
      if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2) {
        faults.push(`${name(element)} doesn't show that it has the focus`);
      }
      const line = element.getClientRects()[0];
      const middle = (from, to, room) => (Math.max(from, 0) + Math.min(to, room)) / 2;
      const there = document.elementFromPoint(
        middle(line.left, line.right, innerWidth), middle(line.top, line.bottom, innerHeight));
      if (!there || !(element.contains(there) || there.contains(element))) {
        faults.push(`${name(element)} has the focus but is covered by ${there ? name(there) : "nothing"}`);
      }
    }
    return faults;
  }

  return { tooWide, smallTargets, outOfOrder, clipped, overlapping, smallText, moving, lostInForcedColours, focusLost };
})()
