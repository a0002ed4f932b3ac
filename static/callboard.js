/* Callboard's own script; load it with defer. Pages work without it. Texts come from the server.

Any page
- button[data-copy="ID"], rendered hidden: copies the text of #ID (of a time its datetime, of a field its value), without ID the
  nearest .cb-id; its span answers data-done or data-failed, its icon #copy becomes #check or #x
- [data-until="MS"] counts down to that Unix time: data-template="{m} min {s} s left", at zero data-over; data-now="MS"
  is the server's time at rendering (both may be missing)
- "/" goes to the first visible .cb-find field, the two keys of [data-key="g a"] to that link; not while typing, not
  under <html data-keys="off">
- #errors takes the focus
- form[data-dirty] asks before it is left changed; data-dirty="yes": rendered changed
- details.cb-menu closes on Escape and on a click elsewhere

form#callback-form[data-live], redrawn when an event is ticked
- .cb-event[data-cloud="1|0"]: row with label and input[name=command]. With data-apart="PHRASE" it is not counted and
  not touched by group, all, none (policy, unknown word); PHRASE joins the sentence when changed
- [data-mark=add|del] in rows and legends, both rendered; in legends its [data-n] takes the number
- .cb-group > legend: .cb-tri[data-name] with svg > use, [data-count]
- button[data-set=all|none|cloud]: all, none mean the rows shown, in its group if any; cloud means every row. Labelled
  data-text "All {n}", while rows are hidden data-shown "Tick {n} shown"
- input[name=filter|only] shows rows with this text | that differ; [data-nomatch] when there are none
- on the form: data-count and data-total "{n} of {all}"; for #sentence data-sentence {n} {all} {add} {del}, data-same,
  data-join; for .cb-tri titles data-tick, -untick, -tick-shown, -untick-shown {n}, names data-tri, -tri-shown {name}
  {n} */
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
  const phrases = differ.map(row => row.dataset.apart).filter(Boolean);
  put(document.getElementById('sentence'), [fill(differ.length ? t.sentence : t.same, c), ...phrases].join(t.join));
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
  if (live(e.target)) name === 'command' ? draw(form) : VIEW.test(name) && sift(form);
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
