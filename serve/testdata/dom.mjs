// As much of a browser's document as the upload page uses. Markup has no way in
// but through parse: whatever the page's script inserts is text.

const noContent = new Set(["meta", "link", "img", "input"]);

// parse makes a document of HTML that closes its elements and quotes its
// attributes.
export function parse(html) {
  const root = new Element("#document");
  const open = [root];
  const token = /<!doctype[^>]*>|<(style|script)>(.*?)<\/\1>|<\/([a-z0-9]+)>|<([a-z0-9]+)((?:\s+[a-z-]+(?:="[^"]*")?)*)\s*>|([^<]+)/gsy;
  for (let end = 0; end < html.length; end = token.lastIndex) {
    const match = token.exec(html);
    if (!match) throw new Error(`cannot parse ${html.slice(end, end + 50)}`);
    const [, raw, content, closing, opening, attributes, text] = match;
    const parent = open.at(-1);
    if (raw) {
      parent.append(new Element(raw)).textContent = content;
    } else if (closing) {
      if (parent.name !== closing) throw new Error(`</${closing}> closes <${parent.name}>`);
      open.pop();
    } else if (opening) {
      const element = parent.append(new Element(opening));
      for (const [, name, value = ""] of attributes.matchAll(/([a-z-]+)(?:="([^"]*)")?/g)) element.setAttribute(name, value);
      if (!noContent.has(opening)) open.push(opening === "template" ? (element.content = new Element("template")) : element);
    } else if (text) {
      parent.append(text);
    }
  }
  if (open.length !== 1) throw new Error(`<${open.at(-1).name}> is not closed`);
  return root;
}

class Element {
  children = []; // elements and strings
  parent = null;
  attributes = {};
  style = {};
  listeners = {};

  constructor(name) { this.name = name; }

  // Attributes that are properties, too.
  get id() { return this.attributes.id; }
  get className() { return this.attributes.class ?? ""; }
  get title() { return this.attributes.title ?? ""; }
  set title(value) { this.setAttribute("title", value); }
  get hidden() { return "hidden" in this.attributes; }
  set hidden(value) { if (value) this.setAttribute("hidden", ""); else delete this.attributes.hidden; }
  setAttribute(name, value) { this.attributes[name] = String(value); }
  getAttribute(name) { return this.attributes[name] ?? null; }

  get classList() {
    const names = () => new Set(this.className.split(" ").filter(Boolean));
    const set = list => this.setAttribute("class", [...list].join(" "));
    return {
      contains: name => names().has(name),
      add: name => set(names().add(name)),
      remove: name => { const list = names(); list.delete(name); set(list); },
      toggle(name, force) { if (force) this.add(name); else this.remove(name); },
    };
  }

  // Of the document.
  createElement(name) { return new Element(name); }

  // Content.
  get textContent() { return this.children.map(c => c.textContent ?? c).join(""); }
  set textContent(value) { this.children = [String(value)]; }
  set innerHTML(_) { throw new Error("the page inserts markup"); }
  set outerHTML(_) { throw new Error("the page inserts markup"); }
  insertAdjacentHTML() { throw new Error("the page inserts markup"); }
  get firstElementChild() { return this.children.find(c => c instanceof Element); }

  append(child) {
    this.children.push(child);
    if (child instanceof Element) child.parent = this;
    return child;
  }

  prepend(...elements) {
    for (const e of elements) e.parent = this;
    this.children.unshift(...elements);
  }

  replaceWith(text) {
    const siblings = this.parent.children;
    siblings[siblings.indexOf(this)] = text;
    this.parent = null;
  }

  cloneNode() {
    const copy = new Element(this.name);
    copy.attributes = { ...this.attributes };
    for (const c of this.children) copy.append(c instanceof Element ? c.cloneNode() : c);
    return copy;
  }

  // Search, by "#id", ".class" or a name.
  *descendants() {
    for (const c of this.children) {
      if (c instanceof Element) {
        yield c;
        yield* c.descendants();
      }
    }
  }

  matches(selector) {
    if (!/^[#.]?[\w-]+$/.test(selector)) throw new Error(`selector ${selector} is more than this document knows`);
    if (selector[0] === "#") return this.id === selector.slice(1);
    if (selector[0] === ".") return this.classList.contains(selector.slice(1));
    return this.name === selector;
  }

  querySelectorAll(selector) { return [...this.descendants()].filter(e => e.matches(selector)); }
  querySelector(selector) { return this.querySelectorAll(selector)[0] ?? null; }
  getElementsByClassName(names) {
    return [...this.descendants()].filter(e => names.split(" ").every(n => e.classList.contains(n)));
  }

  // Events.
  addEventListener(type, listener) { (this.listeners[type] ??= []).push(listener); }
  dispatch(type, event = {}) {
    event = { preventDefault() { this.prevented = true; }, ...event };
    for (const listener of this.listeners[type] ?? []) listener(event);
    return event;
  }
}
