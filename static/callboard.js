/* Callboard's own script; load it with defer. Pages work without it, and texts come from the server. What it looks for in a
page is written down in static.go. */
(() => {
'use strict';
const LIVE = 'form#callback-form[data-live]';
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const fill = (template, values) => (template ?? '').replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
const label = button => button.querySelector('span') ?? button;
// Only what differs is written: #sentence is a live region.
const put = (el, text) => { if (el && el.textContent !== text) el.textContent = text; };
const hide = (list, when) => list.forEach(el => { el.hidden = when(el); });
const icon = (use, name) => use?.setAttribute('href', use.getAttribute('href').replace(/#.*/, '#' + name));

// Copy.
const textOf = el => (el.dateTime || (el.select ? el.value : el.textContent)).trim();
function source(button) {
  const id = button.dataset.copy;
  if (id) return document.getElementById(id);
  let at = button.parentElement;
  while (at && !at.querySelector('.cb-id')) at = at.parentElement;
  return at?.querySelector('.cb-id');
}
// Plain http has no navigator.clipboard. If this fails too, the text is at least marked.
function copyMarked(el) {
  const take = e => { e.clipboardData.setData('text/plain', textOf(el)); e.preventDefault(); };
  el.select ? el.select() : getSelection().selectAllChildren(el);
  addEventListener('copy', take);
  const done = document.execCommand('copy');
  removeEventListener('copy', take);
  return done;
}
async function copy(button) {
  const el = source(button), text = label(button), use = button.querySelector('use');
  const done = el && (await navigator.clipboard?.writeText(textOf(el)).then(() => true, () => false) || copyMarked(el));
  button.dataset.was ??= text.textContent;
  put(text, done ? button.dataset.done : button.dataset.failed);
  icon(use, done ? 'check' : 'x');
  clearTimeout(button.timer);
  button.timer = setTimeout(() => { put(text, button.dataset.was); icon(use, 'copy'); }, 2500);
}

// Countdown.
function tick() {
  all('[data-until]').forEach(el => {
    const d = el.dataset;
    el.ahead ??= d.now ? Date.now() - d.now : 0;
    const left = Math.max(0, Math.ceil((d.until - Date.now() + el.ahead) / 1000));
    put(el, left || !d.over ? fill(d.template, { m: Math.floor(left / 60), s: left % 60 }) : d.over);
  });
}

// Changed forms. What only chooses the view is no change.
const VIEW = /^(filter|only)$/;
const opened = new WeakMap();
let sending;
const values = form => new URLSearchParams([...new FormData(form)].filter(([name]) => !VIEW.test(name))) + '';
const changed = form => form.dataset.dirty === 'yes' || opened.get(form) !== values(form);
addEventListener('submit', e => { if (!e.defaultPrevented) sending = e.target; });
addEventListener('beforeunload', e => {
  if (all('form[data-dirty]').some(form => form !== sending && changed(form))) e.preventDefault();
});

// Callback form.
const rows = root => all('.cb-event[data-cloud]', root);
const box = row => row.querySelector('input[name=command]');
const ticked = row => box(row).checked;
const inCloud = row => row.dataset.cloud === '1';
const mark = row => ticked(row) === inCloud(row) ? '' : ticked(row) ? 'add' : 'del';
const counted = root => rows(root).filter(row => row.dataset.apart === undefined);
const shown = button => counted(button.closest('.cb-group') ?? button.form).filter(row => !row.hidden);
function count(root) {
  const list = counted(root), marked = name => list.filter(row => mark(row) === name).length;
  return { n: list.filter(ticked).length, all: list.length, add: marked('add'), del: marked('del') };
}
function drawRow(row) {
  ['add', 'del'].forEach(name => row.classList.toggle(name, name === mark(row)));
  hide(all('[data-mark]', row), el => el.dataset.mark !== mark(row));
}
function drawTri(tri, c, t, some) {
  const list = shown(tri), n = list.length, use = tri.querySelector('use');
  tri.ariaChecked = !c.n ? 'false' : c.n === c.all ? 'true' : 'mixed';
  tri.ariaLabel = fill(some ? t.triShown : t.tri, { name: tri.dataset.name, n });
  tri.title = fill(t[(list.every(ticked) ? 'untick' : 'tick') + (some ? 'Shown' : '')], { n });
  use.parentNode.toggleAttribute('hidden', !c.n);
  icon(use, c.n === c.all ? 'check' : 'minus');
}
function drawGroup(group, t, some) {
  const c = count(group), tri = group.querySelector('.cb-tri');
  put(group.querySelector('legend [data-count]'), fill(t.count, c));
  all('legend [data-mark]', group).forEach(el => {
    const n = c[el.dataset.mark];
    el.hidden = !n;
    put(el.querySelector('[data-n]'), n + '');
  });
  if (tri) drawTri(tri, c, t, some);
}
function draw(form) {
  const t = form.dataset, c = count(form), some = rows(form).some(row => row.hidden), differ = rows(form).filter(mark);
  rows(form).forEach(drawRow);
  all('.cb-group', form).forEach(group => drawGroup(group, t, some));
  all('button[data-text]', form).forEach(button => {
    put(label(button), fill(button.dataset[some ? 'shown' : 'text'], { n: shown(button).length }));
  });
  put(form.querySelector('[data-total]'), fill(t.total, c));
  const parts = [fill(t.total, c)];
  if (c.add + c.del) parts.push(fill(t.sentence, c));
  parts.push(...differ.map(row => row.dataset.apart).filter(Boolean));
  if (t.url !== undefined && form.elements.url.value.trim() !== t.url) parts.push(t.moved);
  if (parts.length === 1 && t.same) parts.push(t.same);
  put(document.getElementById('sentence'), parts.join(t.join));
}
function sift(form) {
  const { filter, only } = form.elements, word = (filter?.value ?? '').trim().toLowerCase();
  const text = row => (row.querySelector('label').textContent + ' ' + box(row).value).toLowerCase();
  const none = root => rows(root).every(row => row.hidden);
  hide(rows(form), row => !text(row).includes(word) || only?.checked && !mark(row));
  hide(all('.cb-group', form), none);
  hide(all('[data-nomatch]', form), () => !none(form));
  draw(form);
}
function set(button) {
  const what = button.dataset.set, list = what === 'cloud' ? rows(button.form) : shown(button);
  const on = what ? what === 'all' : !list.every(ticked);
  list.forEach(row => { box(row).checked = what === 'cloud' ? inCloud(row) : on; });
  draw(button.form);
}
const live = el => el.form?.matches?.(LIVE);
addEventListener('input', e => {
  const { form, name } = e.target;
  if (live(e.target)) /^(command|url)$/.test(name) ? draw(form) : VIEW.test(name) && sift(form);
});

// Clicks and keys.
const closeMenus = keep => all('details.cb-menu[open]').filter(menu => menu !== keep).forEach(menu => {
  if (menu.contains(document.activeElement)) menu.querySelector('summary').focus();
  menu.open = false;
});
addEventListener('click', e => {
  const button = e.target.closest('button');
  closeMenus(e.target.closest('details.cb-menu'));
  if (button?.matches('[data-copy]')) copy(button);
  if (button?.matches('.cb-tri, [data-set]') && live(button)) { e.preventDefault(); set(button); }
});
let before, at = 0;
addEventListener('keydown', e => {
  if (e.key === 'Escape') closeMenus();
  if (e.key === 'Enter' && e.target.name === 'filter' && live(e.target)) e.preventDefault();
  const typing = e.target.closest('input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]');
  if (typing || e.ctrlKey || e.metaKey || e.altKey || document.documentElement.dataset.keys === 'off') return;
  const keys = e.timeStamp - at < 1500 && before + ' ' + e.key;
  [before, at] = [e.key, e.timeStamp];
  const field = e.key === '/' && all('.cb-find input').find(el => el.checkVisibility());
  const link = all('[data-key]').find(el => el.dataset.key === keys);
  if (field || link) e.preventDefault();
  field ? field.focus() : link?.click();
});

// At start, and again for what htmx has put in.
let clock;
function ready() {
  all('button[data-copy]').forEach(button => { button.hidden = false; label(button).ariaLive = 'polite'; });
  all('form[data-dirty]').forEach(form => { if (!opened.has(form)) opened.set(form, values(form)); });
  all(LIVE).forEach(sift);
  const errors = document.getElementById('errors');
  if (errors && !opened.has(errors)) { opened.set(errors); errors.tabIndex = -1; errors.focus(); }
  tick();
  clock ??= setInterval(tick, 1000);
}
ready();
addEventListener('htmx:afterSettle', ready);
// Back from the browser's memory, nothing is being sent.
addEventListener('pageshow', e => { if (e.persisted) { sending = null; ready(); } });
})();
