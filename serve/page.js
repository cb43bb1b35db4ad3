
"use strict";

const $ = (selector, root = document) => root.querySelector(selector);
const key = globalThis.sessionStorage?.getItem("key"); // for as long as the tab is open
const served = call("/v1/models");
// The model that is asked: the default, until another is chosen.
let model = served.then(({ models }) => models.find(m => m.default && m.classes) ?? models.find(m => m.classes) ?? models[0]);

model.then(describe).catch(() => { $("#summary").textContent = "The server does not answer."; });

function endpoint(m) {
  return location.origin + (m.default ? "/v1/score" : `/v1/models/${encodeURIComponent(m.name)}/score`);
}

function describe(m) {
  $("#curl").textContent =
    `curl -F image=@photo.jpg ${endpoint(m)}\n` +
    `curl -F image=@one.jpg -F image=@two.png ${endpoint(m)}`;
  if (!m.classes) {
    $("#about").textContent = `The model “${m.name}” is not served: ${m.refused}.`;
    return;
  }
  const named = m.classes.slice(0, 12).join(", ");
  const more = m.classes.length > 12 ? ` and ${m.classes.length - 12} more` : "";
  $("#about").textContent =
    `Does an image look like those that the model “${m.name}” was trained on? It knows ${m.classes.length} class${m.classes.length === 1 ? "" : "es"}: ${named}${more}.`;
  $("#limits").textContent =
    `Up to ${number(m.limits.body_bytes / 2 ** 20)} MB and ${number(m.limits.image_pixels / 1e6)} megapixels each.`;
}

// Where there are several models, one can be chosen; what is on the page stays.
served.then(async ({ models }) => {
  if (models.length < 2) return;
  const select = $("#model"), first = await model;
  for (const m of models) {
    const option = document.createElement("option");
    option.textContent = m.name + (m.classes ? "" : " (refused)");
    option.value = m.name;
    option.disabled = !m.classes;
    select.append(option);
  }
  select.value = first.name;
  $("#choice").hidden = false;
  select.addEventListener("change", () => {
    const m = models.find(m => m.name === select.value);
    model = Promise.resolve(m);
    describe(m);
    if ($("#drift").open) reportDrift();
  });
}).catch(() => {}); // told above

served.then(({ keeps }) => {
  if (!keeps) return;
  $("#keeps").textContent = `The operator of this server keeps some images, to look at them: ${keeps}.`;
  $("#keeps").hidden = false;
}).catch(() => {}); // told above

// Images are asked about one by one, a few at a time, so that each answer shows
// as soon as it is there.
const queue = [];
let asking = 0, pending = 0;

function add(files) {
  const asked = model;
  const cards = [...files].map(file => {
    const card = $("#card").content.firstElementChild.cloneNode(true);
    $(".file", card).textContent = file.name;
    $(".file", card).title = file.name;
    preview(file, card);
    queue.push({ file, card, asked });
    return card;
  });
  pending += cards.length;
  $("#results").prepend(...cards);
  report();
  while (asking < 3 && queue.length) next();
}

async function next() {
  const { file, card, asked } = queue.shift();
  asking++;
  try {
    await ask(await asked, file, card);
  } catch (error) {
    fail(card, error.message);
  }
  asking--;
  pending--;
  report();
  if (queue.length) next();
}

async function ask(m, file, card) {
  if (!m.classes) throw new Error("This model is not served.");
  // The server would say so too, but some browsers send all of it before they listen.
  if (file.size > m.limits.body_bytes) throw new Error("The file is larger than the server accepts.");
  const answer = await call(endpoint(m), { method: "POST", body: file });
  show(card, answer.results[0], answer.time_ms, m.calibration);
  if (!m.default) $(".file", card).textContent = `${file.name} (${m.name})`;
  $(".why", card).addEventListener("click", () => explain(m, file, card));
}

// explain asks about an image again, for the heat map of its gradient.
async function explain(m, file, card) {
  const button = $(".why", card), figure = $(".map", card), caption = $("figcaption", card);
  button.disabled = true;
  try {
    const answer = await call(endpoint(m) + "?explain=1", { method: "POST", body: file });
    const { image, of, element } = answer.results[0].explanation;
    const what = of === "score" ? "the score" : "the prediction";
    $("img", figure).src = image;
    $("img", figure).alt = `The image in gray, red where a change of the pixels changes ${what} most.`;
    caption.textContent = `Red: where a change of the pixels changes ${what} most, within what the model sees of the image.` +
      (element ? ` Ring: the ${element.channel} of pixel ${element.x}, ${element.y}, which i-ODIN moves.` : "");
    button.hidden = true;
  } catch (error) {
    caption.textContent = sentence(error.message);
    button.disabled = false;
  }
  figure.hidden = false;
}

// call returns the server's answer. Its errors are for people to read, also where
// a proxy answered instead of the server.
async function call(url, options) {
  let response;
  try {
    response = await fetch(url, key ? { ...options, headers: { "X-API-Key": key } } : options);
  } catch {
    throw new Error("The server did not answer, or refused the upload.");
  }
  if (response.status === 401) $("#access").hidden = false;
  const answer = await response.json().catch(() => null);
  if (!response.ok) throw new Error(answer?.error?.message || `The server answered with status ${response.status} and no reason.`);
  if (!answer) throw new Error("The server answered with something other than a result.");
  return answer;
}

function preview(file, card) {
  const img = $("img", card), url = URL.createObjectURL(file);
  img.onload = () => {
    img.classList.toggle("small", img.naturalWidth < 100);
    URL.revokeObjectURL(url);
  };
  img.onerror = () => { img.replaceWith("no preview"); URL.revokeObjectURL(url); };
  img.src = url;
}

function show(card, r, ms, calibration) {
  const inside = r.verdict === "in_distribution";
  card.classList.add(inside ? "in" : "out");
  $(".verdict", card).textContent = inside ? "✓ In distribution" : "✕ Out of distribution";
  $(".words", card).textContent = inside
    ? "Looks like the images the model knows."
    : "Unlike the images the model knows: do not rely on its class.";
  $(".share", card).textContent = share(r.p_value, calibration.samples);
  $(".class", card).textContent = r.class || r.prediction;
  $(".probability", card).textContent = percent(r.probability);
  $(".score", card).textContent = r.score.toPrecision(6);
  $(".threshold", card).textContent = r.threshold.toPrecision(6);
  $(".p", card).textContent = r.p_value.toPrecision(2);
  $(".time", card).textContent = `${ms.toFixed(ms < 10 ? 1 : 0)} ms`;
  $(".mark", card).style.left = position(r.p_value, 1 - calibration.tpr, inside) + "%";
  $(".track", card).setAttribute("aria-label",
    `score ${r.score.toPrecision(6)}, ${inside ? "at or above" : "below"} the threshold of ${r.threshold.toPrecision(6)}`);
  $(".meter", card).hidden = $("dl", card).hidden = $(".why", card).hidden = false;
}

function fail(card, message) {
  card.classList.add("failed");
  $(".verdict", card).textContent = "Not scored";
  $(".words", card).textContent = sentence(message);
}

function sentence(message) { return message[0].toUpperCase() + message.slice(1); }

// position places a p-value on the bar, whose first 35% are below the threshold.
function position(p, threshold, inside) {
  return inside
    ? Math.min(98, Math.max(38, 35 + 65 * (p - threshold) / (1 - threshold)))
    : Math.min(32, Math.max(2, 35 * p / threshold));
}

// share says a p-value in words.
function share(p, samples) {
  if (p * (samples + 1) < 1.5) return `Stranger than all ${samples.toLocaleString("en")} known images it was compared with.`;
  if (p < 0.01) return `About 1 in ${Math.round(1 / p).toLocaleString("en")} known images is at least this strange.`;
  return `${percent(p)} of known images are at least this strange.`;
}

function number(value) { return value.toLocaleString("en", { maximumFractionDigits: 3 }); }

function percent(share) {
  const value = share * 100;
  if (value > 99 && value < 100) return "over 99%";
  return (value < 1 ? value.toFixed(1) : Math.round(value)) + "%";
}

function report() {
  const cards = document.getElementsByClassName("card").length;
  const count = kind => document.getElementsByClassName(`card ${kind}`).length;
  const unscored = count("failed") ? `, ${count("failed")} not scored` : "";
  const waiting = pending ? `, ${pending} waiting` : "";
  $("#summary").textContent = cards
    ? `${cards} image${cards === 1 ? "" : "s"}: ${count("in")} in, ${count("out")} out of distribution${unscored}${waiting}.`
    : "";
}

// The report on drift is asked for each time that it is opened.
$("#drift").addEventListener("toggle", e => { if (e.target.open) reportDrift(); });

async function reportDrift() {
  const words = $("#drift-words"), classes = $("#drift-classes"), bars = $(".bars");
  try {
    const [{ name }, { models }] = await Promise.all([model, call("/v1/drift")]);
    const d = models.find(m => m.model === name);
    words.textContent = d.images
      ? `Of the last ${number(d.images)} images ${percent(d.out_of_distribution.share)} were out of distribution; ` +
        `without drift it would be ${percent(d.expected_out_of_distribution)}. ` + drifted(d.last)
      : "No images yet.";
    const most = Math.max(...d.histogram, 1);
    d.histogram.forEach((count, i) => { bars.children[i].style.height = `${100 * count / most}%`; });
    bars.setAttribute("aria-label", `images by p-value, in tenths: ${d.histogram.join(", ")}`);
    bars.hidden = !d.images;
    classes.textContent = d.images ? shifted(d) : "";
  } catch (error) {
    words.textContent = sentence(error.message);
    classes.textContent = "";
    bars.hidden = true;
  }
}

// drifted says the result of the last full window in words.
function drifted(last) {
  if (!last) return "There are too few to tell.";
  return last.alarm
    ? `The last ${number(last.images)} that were tested are not like those that the model was calibrated on.`
    : `The last ${number(last.images)} that were tested are like those that the model was calibrated on.`;
}

// shifted says in words which classes came more or less often than in the calibration.
function shifted({ images, predictions, expected_predictions: expected, predictions_last: last }) {
  if (!expected) return "";
  const shares = Object.keys(expected).map(name => ({ name, now: (predictions[name] ?? 0) / images, then: expected[name] }))
    .sort((a, b) => Math.abs(b.now - b.then) - Math.abs(a.now - a.then)).slice(0, 3)
    .map(({ name, now, then }) => `${name} ${percent(now)} (${percent(then)})`);
  return `Classes furthest from the calibration, whose share is in brackets: ${shares.join(", ")}.` +
    (last?.alarm ? ` Those of the last ${number(last.images)} that were tested do not come as often as they did.` : "");
}

$("#key").addEventListener("change", e => {
  sessionStorage.setItem("key", e.target.value);
  location.reload();
});

const drop = $("#drop"), input = $("#files");
input.addEventListener("change", () => { add(input.files); input.value = ""; });
addEventListener("paste", e => add(e.clipboardData.files));
addEventListener("dragover", e => { e.preventDefault(); drop.classList.add("over"); });
addEventListener("dragleave", e => { if (!e.relatedTarget) drop.classList.remove("over"); });
addEventListener("drop", e => {
  e.preventDefault();
  drop.classList.remove("over");
  add(e.dataTransfer.files);
});
