// What people could not read or use on the page, as a list of words: text with less than
// the contrast of WCAG 2.2 AA, and controls without a name.
(() => {
  const faults = [];
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });

  // rgb is a colour over another one, each 0 to 1.
  function rgb(colour, under) {
    canvas.fillStyle = `rgb(${under.map(v => 255 * v).join(" ")})`;
    canvas.fillRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map(v => v / 255);
  }

  // ground is what an element's text stands on.
  function ground(element) {
    if (!element) return [1, 1, 1];
    return rgb(getComputedStyle(element).backgroundColor, ground(element.parentElement));
  }

  function luminance(colour) {
    const [r, g, b] = colour.map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  }

  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.textContent.trim() || !element.checkVisibility() || element.closest("noscript")) continue;
    const under = ground(element), [low, high] = [luminance(rgb(getComputedStyle(element).color, under)), luminance(under)].sort((a, b) => a - b);
    const contrast = (high + 0.05) / (low + 0.05);
    if (contrast < 4.5) faults.push(`contrast ${contrast.toFixed(2)}: ${texts.currentNode.textContent.trim()}`);
  }

  for (const control of document.querySelectorAll("input, select, button, a, summary")) {
    if (!control.checkVisibility()) continue;
    const name = control.labels?.[0]?.textContent ?? control.ariaLabel ?? control.textContent;
    if (!name.trim()) faults.push(`a control without a name: ${control.outerHTML}`);
  }
  for (const image of document.querySelectorAll(".map img, [role=img]")) {
    if (image.checkVisibility() && !(image.alt || image.ariaLabel)) faults.push(`a picture without words: ${image.outerHTML.slice(0, 60)}`);
  }
  return faults;
})()
