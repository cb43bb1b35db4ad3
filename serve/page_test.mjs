// Tests of the upload page's script, in a document that holds the page as it is
// served. TestPageScript starts a server and runs them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as settle } from "node:timers/promises";
import vm from "node:vm";
import { parse } from "./testdata/dom.mjs";

const server = process.env.PAGE_SERVER;
if (!server) throw new Error("PAGE_SERVER is not set: run this by go test ./serve -run TestPageScript");
const image = Buffer.from(process.env.PAGE_IMAGE, "base64");
const html = await (await fetch(server + "/")).text();

const model = {
  name: "clothes", default: true, classes: ["Shirt", "Bag"],
  calibration: { samples: 999, tpr: 0.95, threshold: 0.1 },
  limits: { body_bytes: 2 ** 20, image_pixels: 25e6, images: 16 },
};
const inside = { verdict: "in_distribution", score: 0.100573, threshold: 0.100431, p_value: 0.25, prediction: 0, class: "Shirt", probability: 0.8036 };
const outside = { ...inside, verdict: "out_of_distribution", score: 0.100203, p_value: 0.001, prediction: 7, class: "", probability: 0.3 };

const json = (value, status = 200) => new Response(JSON.stringify(value), { status });
const scored = result => json({ results: [result], time_ms: 5.4 });
const failed = (status, message) => json({ error: { code: "any", message }, request_id: "r" }, status);

// Page is the page, opened in a browser whose requests get the given answers.
// An upload's is a function of the file, and may be a promise.
class Page {
  uploads = []; // files, in the order in which they were sent
  asking = 0; // uploads without an answer
  mostAsking = 0;
  previews = new Set(); // URLs not revoked

  constructor(answer, models = () => json({ models: [model] })) {
    this.document = parse(html);
    this.window = parse("");
    this.context = vm.createContext({
      document: this.document,
      location: new URL(server),
      addEventListener: (type, listener) => this.window.addEventListener(type, listener),
      URL: {
        createObjectURL: file => { this.previews.add("blob:" + file.name); return "blob:" + file.name; },
        revokeObjectURL: url => this.previews.delete(url),
      },
      fetch: (path, options) => {
        const { pathname, search } = new URL(path, server);
        if (pathname === "/v1/models" && !options) return this.later(models);
        if (pathname === "/v1/drift") return this.later(this.drift);
        assert.match(pathname, /^\/v1\/(models\/[^/]+\/)?score$/);
        assert.equal(options.method, "POST");
        return this.upload(options.body, answer, search, pathname);
      },
    });
    vm.runInContext(this.document.querySelector("script").textContent, this.context);
  }

  async later(f) { return f(); }

  async upload(file, answer, search, pathname) {
    this.uploads.push(file);
    this.mostAsking = Math.max(this.mostAsking, ++this.asking);
    try {
      return await answer(file, search, pathname);
    } finally {
      this.asking--;
    }
  }

  async choose(...files) {
    const input = this.document.querySelector("#files");
    input.files = files;
    input.value = "chosen";
    input.dispatch("change");
    assert.equal(input.value, "", "the same files can be chosen again");
    await this.settled();
  }

  // settled waits until nothing happens any more.
  async settled() { for (let i = 0; i < 50; i++) await settle(); }

  text(selector, root = this.document) { return root.querySelector(selector).textContent; }
  get summary() { return this.text("#summary"); }
  get cards() { return this.document.querySelectorAll(".card"); }
  verdicts() { return this.cards.map(card => [this.text(".file", card), this.text(".verdict", card), this.text(".words", card)]); }
}

const file = (name, size = 100) => ({ name, size });

// promises is n promises to be kept one by one.
function promises(n) {
  return Array.from({ length: n }, () => {
    const p = {};
    p.promise = new Promise((keep, fail) => Object.assign(p, { keep, fail }));
    return p;
  });
}

test("the page says what the model knows and what the server takes", async () => {
  const page = new Page();
  await page.settled();
  assert.match(page.text("#about"), /the model “clothes” was trained on\? It knows 2 classes: Shirt, Bag\.$/);
  assert.equal(page.text("#limits"), "Up to 1 MB and 25 megapixels each.");
  assert.match(page.text("#curl"), new RegExp(`^curl -F image=@photo.jpg ${server}/v1/score\n`));
  assert.equal(page.summary, "");
});

test("many classes are cut short, small limits are not rounded to nothing", async () => {
  const classes = Array.from({ length: 15 }, (_, i) => `c${i}`);
  const limits = { ...model.limits, image_pixels: 500_000 };
  const page = new Page(null, () => json({ models: [{ ...model, classes, limits }] }));
  await page.settled();
  assert.match(page.text("#about"), /15 classes: c0, .*, c11 and 3 more\.$/);
  assert.equal(page.text("#limits"), "Up to 1 MB and 0.5 megapixels each.");
});

test("where there are several models, one can be chosen", async () => {
  const other = { ...model, name: "café 2", default: false, classes: ["Cup"], limits: { ...model.limits, body_bytes: 50 } };
  const broken = { name: "broken", default: false, refused: "no such file" };
  const page = new Page((file, _, pathname) => scored({ ...inside, class: pathname }), () => json({ models: [broken, other, model] }));
  await page.settled();
  const select = page.document.querySelector("#model");
  assert.ok(!page.document.querySelector("#choice").hidden);
  assert.deepEqual(select.children.map(o => [o.value, o.textContent, o.disabled]),
    [["broken", "broken (refused)", true], ["café 2", "café 2", false], ["clothes", "clothes", false]]);
  assert.equal(select.value, "clothes");
  await page.choose(file("first.png"));

  select.value = "café 2";
  select.dispatch("change");
  await page.settled();
  assert.match(page.text("#about"), /the model “café 2” was trained on\? It knows 1 class: Cup\.$/);
  assert.match(page.text("#curl"), /\/v1\/models\/caf%C3%A9%202\/score\n/);
  await page.choose(file("second.png", 10), file("large.png", 60));
  assert.deepEqual(page.cards.map(card => [page.text(".file", card), page.text(".class", card)]), [
    ["second.png (café 2)", "/v1/models/caf%C3%A9%202/score"], ["large.png", ""], ["first.png", "/v1/score"],
  ]);

  const one = new Page(null);
  await one.settled();
  assert.ok(one.document.querySelector("#choice").hidden);
});

test("a model that is not served says why", async () => {
  const page = new Page(null, () => json({ models: [{ name: "clothes", default: true, refused: "no such file" }] }));
  await page.settled();
  assert.equal(page.text("#about"), "The model “clothes” is not served: no such file.");
  await page.choose(file("a.png"));
  assert.deepEqual(page.verdicts().map(([, verdict, words]) => [verdict, words]), [["Not scored", "This model is not served."]]);
});

test("a verdict shows with all that is known of it", async () => {
  const page = new Page(f => scored(f.name === "shirt.png" ? inside : outside));
  await page.choose(file("shirt.png"), file("digit.png"));
  assert.deepEqual(page.verdicts(), [
    ["shirt.png", "✓ In distribution", "Looks like the images the model knows."],
    ["digit.png", "✕ Out of distribution", "Unlike the images the model knows: do not rely on its class."],
  ]);
  const details = page.cards.map(card => [".share", ".class", ".probability", ".p", ".score", ".threshold", ".time"].map(s => page.text(s, card)));
  assert.deepEqual(details, [
    ["25% of known images are at least this strange.", "Shirt", "80%", "0.25", "0.100573", "0.100431", "5.4 ms"],
    ["Stranger than all 999 known images it was compared with.", "7", "30%", "0.0010", "0.100203", "0.100431", "5.4 ms"],
  ]);
  const [shirt, digit] = page.cards;
  assert.equal(shirt.querySelector(".track").getAttribute("aria-label"), "score 0.100573, at or above the threshold of 0.100431");
  assert.equal(digit.querySelector(".track").getAttribute("aria-label"), "score 0.100203, below the threshold of 0.100431");
  for (const card of page.cards) assert.ok(!card.querySelector(".meter").hidden && !card.querySelector("dl").hidden);
  assert.ok(parseFloat(shirt.querySelector(".mark").style.left) > 35 && parseFloat(digit.querySelector(".mark").style.left) < 35);
  assert.equal(page.summary, "2 images: 1 in, 1 out of distribution.");
});

test("files are uploaded three at a time, and each answer shows at once", async () => {
  const answers = promises(6);
  const page = new Page(f => answers[f.name].promise);
  await page.choose(...answers.slice(1).map((_, i) => file(i)));
  assert.deepEqual(page.uploads.map(f => f.name), [0, 1, 2]);
  assert.equal(page.summary, "5 images: 0 in, 0 out of distribution, 5 waiting.");
  for (const card of page.cards) {
    assert.equal(page.text(".verdict", card), "Waiting…");
    assert.ok(card.querySelector(".meter").hidden && card.querySelector("dl").hidden);
  }

  answers[1].keep(scored(inside));
  await page.settled();
  assert.deepEqual(page.cards.map(card => page.text(".verdict", card)[0]), ["W", "✓", "W", "W", "W"]);
  assert.equal(page.summary, "5 images: 1 in, 0 out of distribution, 4 waiting.");
  assert.equal(page.uploads.length, 4);

  answers[0].fail(new TypeError("Failed to fetch")); // a failure frees its turn, too
  for (const a of answers.slice(2)) a.keep(scored(outside));
  await page.settled();
  assert.equal(page.summary, "5 images: 1 in, 3 out of distribution, 1 not scored.");
  assert.equal(page.mostAsking, 3);

  await page.choose(file(5)); // all turns are free again
  assert.equal(page.uploads.length, 6);
  assert.equal(page.summary, "6 images: 1 in, 4 out of distribution, 1 not scored.");
});

test("later images go before earlier ones", async () => {
  const page = new Page(() => scored(inside));
  await page.choose(file("a"), file("b"));
  await page.choose(file("c"));
  assert.deepEqual(page.verdicts().map(([name]) => name), ["c", "a", "b"]);
  assert.equal(page.summary, "3 images: 3 in, 0 out of distribution.");
  await page.choose();
  assert.equal(page.cards.length, 3);
});

test("what went wrong stands in the place of the verdict", async t => {
  const html = "<html><h1>502 Bad Gateway</h1></html>";
  for (const [name, answer, words] of [
    ["the server's error", () => failed(400, "not an image in a known format"), "Not an image in a known format"],
    ["a proxy's page", () => new Response(html, { status: 502 }), "The server answered with status 502 and no reason."],
    ["a proxy's JSON", () => json({ message: "no" }, 504), "The server answered with status 504 and no reason."],
    ["an empty error", () => failed(500, ""), "The server answered with status 500 and no reason."],
    ["no answer", () => { throw new TypeError("Failed to fetch"); }, "The server did not answer, or refused the upload."],
    ["a page instead of a result", () => new Response(html), "The server answered with something other than a result."],
  ]) {
    await t.test(name, async () => {
      const page = new Page(answer);
      await page.choose(file("a.png"));
      assert.deepEqual(page.verdicts(), [["a.png", "Not scored", words]]);
      assert.ok(page.cards[0].classList.contains("failed") && page.cards[0].querySelector("dl").hidden);
      assert.equal(page.summary, "1 image: 0 in, 0 out of distribution, 1 not scored.");
    });
  }
});

test("a file that the server would refuse for its size is not sent", async () => {
  const page = new Page(() => scored(inside));
  await page.choose(file("large.png", model.limits.body_bytes + 1), file("fits.png", model.limits.body_bytes));
  assert.deepEqual(page.verdicts().map(([name, verdict, words]) => [name, verdict, words.slice(0, 17)]), [
    ["large.png", "Not scored", "The file is large"],
    ["fits.png", "✓ In distribution", "Looks like the im"],
  ]);
  assert.deepEqual(page.uploads.map(f => f.name), ["fits.png"]);
});

test("without a description of the model there are no verdicts, and no hanging uploads", async t => {
  for (const [name, models] of [
    ["no answer", () => { throw new TypeError("Failed to fetch"); }],
    ["an error", () => failed(500, "internal error")],
    ["a proxy's page", () => new Response("<html>", { status: 502 })],
  ]) {
    await t.test(name, async () => {
      const page = new Page(() => scored(inside), models);
      await page.settled();
      assert.equal(page.summary, "The server does not answer.");
      await page.choose(file("a"), file("b"), file("c"), file("d"));
      assert.deepEqual(page.verdicts().map(([, verdict]) => verdict), Array(4).fill("Not scored"));
      assert.equal(page.summary, "4 images: 0 in, 0 out of distribution, 4 not scored.");
    });
  }
});

// The document throws if the page inserts markup.
test("names and messages are text, whatever they contain", async () => {
  const markup = "<img src=x onerror=alert(1)>&amp;";
  const names = new Page(() => scored({ ...inside, class: markup }));
  await names.choose(file(markup));
  const [card] = names.cards;
  for (const selector of [".file", ".class"]) assert.deepEqual(card.querySelector(selector).children, [markup]);
  assert.equal(card.querySelector(".file").title, markup);

  const errors = new Page(() => failed(400, markup));
  await errors.choose(file("a"));
  assert.deepEqual(errors.cards[0].querySelector(".words").children, [markup]);

  const classes = new Page(null, () => json({ models: [{ ...model, name: markup, classes: [markup] }] }));
  await classes.settled();
  assert.equal(classes.document.querySelector("#about").children.length, 1);
});

test("images can be dropped and pasted", async () => {
  const page = new Page(() => scored(inside));
  const drop = page.document.querySelector("#drop");
  assert.ok(page.window.dispatch("dragover").prevented);
  assert.ok(drop.classList.contains("over"));
  page.window.dispatch("dragleave", { relatedTarget: drop });
  assert.ok(drop.classList.contains("over"), "within the window");
  page.window.dispatch("dragleave", { relatedTarget: null });
  assert.ok(!drop.classList.contains("over"));

  page.window.dispatch("dragover");
  assert.ok(page.window.dispatch("drop", { dataTransfer: { files: [file("dropped")] } }).prevented, "or the browser opens the file");
  assert.ok(!drop.classList.contains("over"));
  page.window.dispatch("paste", { clipboardData: { files: [file("pasted")] } });
  page.window.dispatch("paste", { clipboardData: { files: [] } });
  await page.settled();
  assert.deepEqual(page.verdicts().map(([name]) => name), ["pasted", "dropped"]);
});

test("previews are let go of", async () => {
  const page = new Page(() => scored(inside));
  await page.choose(file("photo"), file("icon"), file("text"));
  const images = page.cards.map(card => card.querySelector("img"));
  assert.deepEqual(images.map(i => i.src), ["blob:photo", "blob:icon", "blob:text"]);
  Object.assign(images[0], { naturalWidth: 100 }).onload();
  Object.assign(images[1], { naturalWidth: 99 }).onload();
  images[2].onerror();
  assert.deepEqual(images.map(i => i.classList.contains("small")), [false, true, false]);
  assert.equal(page.text(".thumb", page.cards[2]), "no preview");
  assert.equal(page.previews.size, 0);
});

test("shares in words", () => {
  const { context } = new Page();
  for (const [p, words] of [
    [0.001, "Stranger than all 999 known images it was compared with."],
    [0.002, "About 1 in 500 known images is at least this strange."],
    [0.0101, "1% of known images are at least this strange."],
    [0.995, "over 99% of known images are at least this strange."],
    [1, "100% of known images are at least this strange."],
  ]) assert.equal(context.share(p, 999), words);
  for (const [share, words] of [[0, "0.0%"], [0.0049, "0.5%"], [0.5, "50%"], [0.9999, "over 99%"], [1, "100%"]]) {
    assert.equal(context.percent(share), words);
  }
});

test("the mark is on the verdict's side of the threshold, and within the bar", () => {
  const { context } = new Page();
  for (const p of [0.001, 0.02, 0.0499, 0.05, 0.0501, 0.3, 1]) {
    const left = context.position(p, 0.05, false), right = context.position(p, 0.05, true);
    assert.ok(left >= 2 && left < 35 && right > 35 && right <= 98, `p-value ${p}: ${left}, ${right}`);
  }
});

test("the page says that images are kept", async () => {
  const page = new Page(null, () => json({ models: [model], keeps: "those out of distribution" }));
  await page.settled();
  assert.equal(page.text("#keeps"), "The operator of this server keeps some images, to look at them: those out of distribution.");
  assert.ok(!page.document.querySelector("#keeps").hidden);
  const none = new Page();
  await none.settled();
  assert.ok(none.document.querySelector("#keeps").hidden);
});

test("the page asks for a key where the server does", async () => {
  const page = new Page(null, () => failed(401, "no key"));
  await page.settled();
  assert.ok(!page.document.querySelector("#access").hidden);
});

test("the report on drift is shown on demand", async () => {
  const page = new Page();
  const report = { model: "clothes", images: 40, histogram: [20, 10, 0, 0, 0, 0, 0, 0, 5, 5], out_of_distribution: { share: 0.4 },
    expected_out_of_distribution: 0.05, last: { images: 20, alarm: true },
    predictions: { Shirt: 30, Bag: 10 }, expected_predictions: { Shirt: 0.25, Shoe: 0.25, Bag: 0.3, Dress: 0.2 }, predictions_last: { images: 20, alarm: true } };
  page.drift = () => json({ models: [{ ...report, model: "other" }, report] });
  const details = page.document.querySelector("#drift"), bars = page.document.querySelector(".bars");
  details.open = true;
  details.dispatch("toggle", { target: details });
  await page.settled();
  assert.equal(page.text("#drift-words"), "Of the last 40 images 40% were out of distribution; without drift it would be 5%. " +
    "The last 20 that were tested are not like those that the model was calibrated on.");
  assert.equal(page.text("#drift-classes"), "Classes furthest from the calibration, whose share is in brackets: Shirt 75% (25%), Shoe 0.0% (25%), Dress 0.0% (20%). " +
    "Those of the last 20 that were tested do not come as often as they did.");
  assert.deepEqual(bars.children.map(bar => bar.style.height), ["100%", "50%", "0%", "0%", "0%", "0%", "0%", "0%", "25%", "25%"]);
  assert.equal(bars.getAttribute("aria-label"), "images by p-value, in tenths: 20, 10, 0, 0, 0, 0, 0, 0, 5, 5");
  assert.ok(!bars.hidden);
  page.drift = () => json({ models: [{ ...report, images: 0, histogram: Array(10).fill(0), last: undefined }] });
  details.dispatch("toggle", { target: details });
  await page.settled();
  assert.equal(page.text("#drift-words"), "No images yet.");
  assert.ok(bars.hidden);
  page.drift = () => failed(503, "shutting down");
  details.dispatch("toggle", { target: details });
  await page.settled();
  assert.equal(page.text("#drift-words"), "Shutting down");
});

test("an explanation is asked for on demand, once", async () => {
  const explanation = { image: "data:image/png;base64,AA==", of: "score", element: { channel: "green", x: 3, y: 5 } };
  const page = new Page((_, search) => scored(search === "?explain=1" ? { ...inside, explanation } : inside));
  await page.choose(file("shirt.png"));
  const [card] = page.cards;
  const button = card.querySelector(".why"), map = card.querySelector(".map");
  assert.ok(!button.hidden && map.hidden && page.uploads.length === 1);
  button.dispatch("click");
  assert.ok(button.disabled);
  await page.settled();
  assert.equal(page.uploads.length, 2);
  assert.ok(button.hidden && !map.hidden);
  assert.equal(map.querySelector("img").src, explanation.image);
  assert.match(page.text("figcaption", card), /^Red: where a change of the pixels changes the score most/);
  assert.match(page.text("figcaption", card), /Ring: the green of pixel 3, 5, which i-ODIN moves\.$/);
});

test("an explanation says that it is of the prediction", async () => {
  const explanation = { image: "data:image/png;base64,AA==", of: "prediction" };
  const page = new Page((_, search) => scored(search ? { ...inside, explanation } : inside));
  await page.choose(file("shirt.png"));
  const [card] = page.cards;
  card.querySelector(".why").dispatch("click");
  await page.settled();
  assert.match(page.text("figcaption", card), /^Red: where a change of the pixels changes the prediction most.*image\.$/);
});

test("an explanation that cannot be had says why, and can be asked for again", async () => {
  const page = new Page((_, search) => search ? failed(415, "model m cannot explain") : scored(inside));
  await page.choose(file("shirt.png"));
  const button = page.cards[0].querySelector(".why");
  button.dispatch("click");
  await page.settled();
  assert.equal(page.text("figcaption", page.cards[0]), "Model m cannot explain");
  assert.ok(!button.hidden && !button.disabled);
});

test("the server's own answers", async () => {
  const send = (file, search) => fetch(server + "/v1/score" + search, { method: "POST", body: file });
  const page = new Page(send, () => fetch(server + "/v1/models"));
  const files = [[image, "white.png"], [Buffer.from("text"), "text.png"]].map(([data, name]) => Object.assign(new Blob([data]), { name }));
  await page.choose(...files);
  for (const end = Date.now() + 10_000; page.summary.includes("waiting") && Date.now() < end;) await page.settled();
  assert.deepEqual(page.verdicts(), [
    ["white.png", "✓ In distribution", "Looks like the images the model knows."],
    ["text.png", "Not scored", "Not an image in a known format; known are JPEG, PNG, GIF, BMP, TIFF and WebP"],
  ]);
  const card = page.cards[0];
  card.querySelector(".why").dispatch("click");
  for (const end = Date.now() + 10_000; card.querySelector(".map").hidden && Date.now() < end;) await page.settled();
  assert.match(card.querySelector(".map").querySelector("img").src, /^data:image\/png;base64,iVBOR/);
});
