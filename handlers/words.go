package handlers

import (
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"callboard/changes"
	"callboard/i18n"
	"callboard/store"
	"callboard/tencent"
	"callboard/views"
)

// join makes a list of phrases: "a, b and c".
func join(p *i18n.Printer, list []string) string {
	switch len(list) {
	case 0:
		return ""
	case 1:
		return list[0]
	}
	last := len(list) - 1
	return strings.Join(list[:last], p.T("join.comma")) + p.T("join.and") + list[last]
}

// upper makes the first letter a capital.
func upper(text string) string {
	r, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToUpper(r)) + text[size:]
}

// said remembers what was said of a summary: a list has few different ones, and making the words of a row took as long
// as reading it.
var said memo

type memo struct {
	mu    sync.Mutex
	texts map[memoKey]string
}

type memoKey struct{ language, kind, summary string }

// memoSize bounds the memory; beyond it the memo starts anew.
const memoSize = 4096

func (m *memo) get(key memoKey, say func() string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	text, ok := m.texts[key]
	if !ok {
		if m.texts == nil || len(m.texts) >= memoSize {
			m.texts = map[memoKey]string{}
		}
		text = say()
		m.texts[key] = text
	}
	return text
}

// what says in short what an entry did, as lists show it.
func what(p *i18n.Printer, kind, summary string) string {
	return said.get(memoKey{p.Language, kind, summary}, func() string { return whatOf(p, kind, summary) })
}

func whatOf(p *i18n.Printer, kind, summary string) string {
	s := changes.ParseSummary(summary)
	switch kind {
	case store.KindDrift:
		return p.T("what.drift", "What", orElse(short(p, s), p.T("what.nothing")))
	case store.KindAccepted:
		return p.T("what.accepted")
	}
	return orElse(short(p, s), p.T("what.nothing"))
}

func short(p *i18n.Printer, s changes.Summary) string {
	var list []string
	add := func(when bool, text string) {
		if when {
			list = append(list, text)
		}
	}
	add(s.Token != "", p.T("what.token_"+s.Token))
	add(s.Delete, p.T("what.delete"))
	add(s.Create, p.T("what.create"))
	add(s.Added > 0 && s.Removed > 0, p.T("what.both", "Added", p.Number(s.Added), "Removed", p.Number(s.Removed)))
	add(s.Added > 0 && s.Removed == 0, p.N("what.added", s.Added))
	add(s.Added == 0 && s.Removed > 0, p.N("what.removed", s.Removed))
	add(s.Blocking, p.T("what.blocking"))
	add(s.Policy != "", p.T("what.policy"))
	add(s.Host && !s.Create && !s.Delete, p.T("what.host"))
	add(s.URL && !s.Host && !s.Create && !s.Delete, p.T("what.url"))
	return strings.Join(list, p.T("join.comma"))
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

// phrases say what a difference does, as parts of a sentence.
func phrases(p *i18n.Printer, d changes.Diff) []string {
	s := d.Summary()
	if s.Token != "" {
		return []string{p.T("does.token_" + s.Token)}
	}
	if s.Delete {
		return []string{p.T("does.delete")}
	}
	var list []string
	add := func(when bool, text string) {
		if when {
			list = append(list, text)
		}
	}
	hosts := []any{"Old", changes.HostPort(d.Before.URL()), "New", changes.HostPort(d.After.URL())}
	add(s.Create, p.T("does.create", hosts...))
	add(s.Added > 0, p.N("does.add", s.Added))
	add(s.Removed > 0, p.N("does.remove", s.Removed))
	add(s.Policy == "on", p.T("does.policy_on"))
	add(s.Policy == "off", p.T("does.policy_off"))
	add(s.Host && !s.Create, p.T("does.host", hosts...))
	add(s.URL && !s.Host && !s.Create, p.T("does.url"))
	return list
}

// stateOf is the coloured word of an entry.
func stateOf(p *i18n.Printer, kind, outcome, settled string) views.State {
	switch kind {
	case store.KindDrift:
		return views.State{Class: "care", Icon: "arrows-diff", Text: p.T("state.drift_found")}
	case store.KindAccepted:
		return views.State{Class: "info", Icon: "check", Text: p.T("state.accepted")}
	}
	text := p.T("state." + orElse(settled, outcome))
	if settled != "" {
		text = p.T("state.settled", "State", text)
	}
	class, icon := look(orElse(settled, outcome))
	return views.State{Class: class, Icon: icon, Text: text}
}

// look is the colour and the icon of an outcome.
func look(state string) (class, icon string) {
	switch state {
	case store.Applied:
		return "ok", "circle-check"
	case store.Refused, store.NotApplied:
		return "bad", "circle-x"
	case store.Unknown:
		return "unsure", "help-circle"
	case store.Pending:
		return "info", "hourglass"
	case store.Overtaken:
		return "care", "arrows-diff"
	}
	return "idle", "ban"
}

// appState is the coloured word of an app.
func appState(p *i18n.Printer, st changes.State) views.State {
	class, icon := "idle", "circle-dashed"
	switch st {
	case changes.InStep:
		class, icon = "ok", "circle-check"
	case changes.Drifted:
		class, icon = "care", "arrows-diff"
	case changes.Unreadable:
		class, icon = "bad", "eye-off"
	}
	return views.State{Class: class, Icon: icon, Text: p.T("app_state." + string(st))}
}

// readFailure says why a read told nothing.
func readFailure(p *i18n.Printer, code *int64, fault string) string {
	if code != nil && *code != 0 { // 0 beside a fault is an answer that nobody understands
		return p.T("read.code", "Code", *code, "Meaning", meaning(p, *code))
	}
	return p.T("fault." + orElse(fault, "shape"))
}

// replyFacts are what else is known of a refused read: what Tencent wrote, where to ask, and how far the clocks are apart
// where the signature's time is the trouble.
func replyFacts(p *i18n.Printer, r tencent.Reply) (list []views.Fact) {
	if r.ErrorInfo != "" {
		list = append(list, views.Fact{Name: p.T("fact.wrote"), Text: visible([]byte(r.ErrorInfo)), Mono: true})
	}
	if r.RequestID != "" {
		list = append(list, views.Fact{Name: "RequestId", Text: visible([]byte(r.RequestID)), Mono: true})
	}
	if r.HasCode && r.ErrorCode == tencent.CodeSigExpired && r.HasDate {
		list = append(list, views.Fact{Name: p.T("fact.clock"), Text: clockDifference(p, r.ClockAhead.Milliseconds())})
	}
	return list
}

// meaning is what a code of Tencent means, in a few words.
func meaning(p *i18n.Printer, code int64) string { return p.T(errorText(code, "meaning")) }

func errorText(code int64, what string) string {
	if e, known := tencent.ExplainCode(code); known {
		return "error." + itoa64(e.Code) + "." + what
	}
	return "error.unknown." + what
}

// word is a command word with its name and tags.
func word(p *i18n.Printer, w string) views.Word {
	c, known := tencent.FindCommand(w)
	if !known {
		return views.Word{Word: w}
	}
	return views.Word{Word: w, Name: p.T("command." + w + ".name"), Tags: tags(p, c, true)}
}

func words(p *i18n.Printer, list []string) []views.Word {
	var out []views.Word
	for _, w := range list {
		out = append(out, word(p, w))
	}
	return out
}

// tags are a command's properties; the group of blocking events says its own already.
func tags(p *i18n.Printer, c tencent.Command, withBlocking bool) []views.Tag {
	var list []views.Tag
	if c.Blocking && withBlocking {
		list = append(list, views.Tag{Class: "care", Text: p.T("tag.blocking")})
	}
	if c.Kind == tencent.KindSetting {
		list = append(list, views.Tag{Text: p.T("tag.setting")})
	}
	if c.SharedWithChat {
		list = append(list, views.Tag{Text: p.T("tag.shared")})
	}
	if c.PrefixDoubt {
		list = append(list, views.Tag{Class: "info", Text: p.T("tag.prefix")})
	}
	return list
}

// urlDiff cuts two URLs where they differ: what is common at both ends stays unmarked.
func urlDiff(p *i18n.Printer, d changes.Diff, afterLabel string) views.URLDiff {
	v := views.URLDiff{BeforeLabel: p.T("diff.before"), AfterLabel: p.T(afterLabel)}
	before, after := d.Before.URL(), d.After.URL()
	switch {
	case d.Before.IsNone():
		v.Before = []views.Piece{{Text: p.T("diff.no_callback")}}
	case d.After.IsNone():
		v.Before = []views.Piece{{Text: before}}
	}
	if d.After.IsNone() {
		v.After = []views.Piece{{Text: p.T("diff.no_callback")}}
		return v
	}
	if before == after {
		v.AfterLabel, v.After, v.Note = "URL", []views.Piece{{Text: after}}, p.T("diff.same_url")
		return v
	}
	if d.Before.IsNone() {
		v.After = []views.Piece{{Text: after, Mark: "ins"}}
		return v
	}
	v.Before, v.After = cut(before, after)
	if d.HostChanged {
		v.Note = p.T("diff.host_changed")
	}
	return v
}

// cut marks the differing middle of two URLs, widened to whole parts between separators.
func cut(before, after string) (a, b []views.Piece) {
	head := 0
	for i := 0; i < len(before) && i < len(after) && before[i] == after[i]; i++ {
		if strings.IndexByte("/:?&=.", before[i]) >= 0 {
			head = i + 1
		}
	}
	tail := 0
	for i := 0; i < len(before)-head && i < len(after)-head && before[len(before)-1-i] == after[len(after)-1-i]; i++ {
		if strings.IndexByte("/:?&=", before[len(before)-1-i]) >= 0 {
			tail = i + 1
		}
	}
	if strings.HasPrefix(before[:head], "http") && strings.Contains(before[:head], "://") && strings.Contains(before[:head], ".") {
		// A host is shown as a whole: a change inside it is a change of it.
		if slash := strings.Index(before[:head], "://") + 3; !strings.Contains(before[slash:head], "/") {
			head = slash
		}
	}
	return markPieces(before, head, tail, "del"), markPieces(after, head, tail, "ins")
}

func markPieces(text string, head, tail int, mark string) []views.Piece {
	var list []views.Piece
	for _, p := range []views.Piece{{Text: text[:head]}, {Text: text[head : len(text)-tail], Mark: mark}, {Text: text[len(text)-tail:]}} {
		if p.Text != "" {
			list = append(list, p)
		}
	}
	return list
}

// setDiff shows what happens to the events.
func setDiff(p *i18n.Printer, d changes.Diff) views.SetDiff {
	v := views.SetDiff{}
	v.Note = p.T("diff.count", "Before", p.Number(changes.CountOf(d.Before).Listed), "After", p.Number(changes.CountOf(d.After).Listed), "All", p.Number(tencent.EventCount()))
	if d.Nothing() {
		v.Note = p.T("apps.events", "Count", changes.CountOf(d.After).Listed, "All", tencent.EventCount())
	}
	v.Added, v.Removed = words(p, d.Added), words(p, d.Removed)
	v.AddedTitle, v.RemovedTitle = counted(p, "diff.added_title", d.Added), counted(p, "diff.removed_title", d.Removed)
	for _, w := range d.Kept {
		if _, known := tencent.FindCommand(w); known {
			v.Kept = append(v.Kept, word(p, w))
		} else {
			v.Unlisted = append(v.Unlisted, word(p, w))
		}
	}
	v.UnlistedTitle = p.N("diff.unlisted_title", len(v.Unlisted))
	v.KeptTitle = p.N("diff.kept_title", len(v.Kept))
	return v
}

// counted says how many events, and whether the setting is among them.
func counted(p *i18n.Printer, id string, list []string) string {
	n := len(list)
	for _, w := range list {
		if w == changes.PolicyWord {
			n--
		}
	}
	parts := []string{}
	if n > 0 {
		parts = append(parts, p.N("diff.events", n))
	}
	if n < len(list) {
		parts = append(parts, p.T("diff.one_setting"))
	}
	return p.T(id, "What", join(p, parts))
}
