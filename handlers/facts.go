package handlers

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"callboard/changes"
	"callboard/i18n"
	"callboard/store"
	"callboard/tencent"
	"callboard/views"
)

// explain says what a code of Tencent means and what to do.
func explain(v *views.ChangePage, e entry) {
	if e.ErrorCode == nil || *e.ErrorCode == 0 {
		return
	}
	p, code := v.P, *e.ErrorCode
	x := &views.Explained{Title: p.T("change.about_code", "Code", code), Cause: p.T(errorText(code, "cause")), Do: p.T(errorText(code, "do")),
		Link: &views.Link{Href: codePath(code), Text: p.T("change.code_page", "Code", code)}}
	if e.ErrorInfo != "" {
		x.Facts = append(x.Facts, views.Fact{Name: p.T("fact.wrote"), Text: visible([]byte(e.ErrorInfo)), Mono: true})
	}
	x.Facts = append(x.Facts, codeFacts(p, code, e.Outcome == store.NotSent)...)
	if code == tencent.CodeSigExpired && e.ClockAheadMS != nil {
		x.Facts = append(x.Facts, views.Fact{Name: p.T("fact.clock"), Text: clockDifference(p, *e.ClockAheadMS)})
	}
	v.Explained = x
}

func clockDifference(p *i18n.Printer, ahead int64) string {
	id := "clock.ahead"
	if ahead < 0 {
		id, ahead = "clock.behind", -ahead
	}
	d := time.Duration(ahead) * time.Millisecond
	if d < 2*time.Second {
		return p.T("clock.right")
	}
	return p.T(id, "Time", d.Round(time.Second).String())
}

func (s *server) changeFacts(p *i18n.Printer, k clock, e entry) []views.Fact {
	st := stateOf(p, e.Kind, e.Outcome, e.Settled)
	list := []views.Fact{{Name: p.T("fact.entry"), Text: "#" + itoa64(e.Number)}, {Name: p.T("fact.outcome"), State: &st}}
	add := func(when bool, f views.Fact) {
		if when {
			list = append(list, f)
		}
	}
	if e.Settled != "" {
		first := p.T("state." + e.Outcome)
		add(true, views.Fact{Name: p.T("fact.at_first"), Text: first})
	}
	if e.ErrorCode != nil {
		add(true, views.Fact{Name: p.T("fact.code"), Text: itoa64(*e.ErrorCode)})
	} else {
		add(e.acted(), views.Fact{Name: p.T("fact.code"), Text: p.T("word.none")})
	}
	add(e.ActionStatus != "", views.Fact{Name: "ActionStatus", Text: e.ActionStatus, Mono: true})
	add((e.ErrorCode != nil || e.ErrorInfo != "") && e.acted(), views.Fact{Name: "ErrorInfo", Text: orElse(visible([]byte(e.ErrorInfo)), p.T("word.empty")), Mono: e.ErrorInfo != ""})
	add(e.Call != "", views.Fact{Name: p.T("fact.call"), Text: e.Call, Mono: true})
	add(true, views.Fact{Name: p.T("app.app"), Text: e.App + p.T("join.comma") + itoa64(e.SDKAppID)})
	add(true, views.Fact{Name: p.T("app.region"), Text: s.regionName(p, e.Region)})
	add(e.Host != "", views.Fact{Name: p.T("fact.host"), Text: e.Host, Mono: true})
	by := p.T("word.console")
	if e.Actor.Name != "" {
		by = p.T("fact.person_from", "Name", e.Actor.Name, "Role", p.T("role."+e.Actor.Role), "Address", e.Actor.Address)
	}
	add(true, views.Fact{Name: p.T("fact.by"), Text: by})
	add(e.Reason != "", views.Fact{Name: p.T("fact.reason"), Text: e.Reason})
	add(true, views.Fact{Name: p.T("fact.started"), Text: k.stamp(e.StartedAt)})
	add(k.zoneName(e.StartedAt) != "UTC", views.Fact{Name: "UTC", Text: utc(e.StartedAt)})
	if e.EndedAt != 0 {
		add(true, views.Fact{Name: p.T("fact.ended"), Text: k.stamp(e.EndedAt)})
	}
	if e.SettledAt != 0 {
		add(true, views.Fact{Name: p.T("fact.settled"), Text: k.stamp(e.SettledAt)})
	}
	if e.DurationMS != nil {
		add(true, views.Fact{Name: p.T("fact.duration"), Text: p.T("change.ms", "Count", millis(p, *e.DurationMS))})
	}
	if e.HTTPStatus != nil {
		add(true, views.Fact{Name: p.T("fact.http"), Text: itoa64(*e.HTTPStatus)})
	}
	if e.Attempt != nil {
		add(true, views.Fact{Name: p.T("fact.attempt"), Text: itoa64(*e.Attempt), Mono: true})
	}
	add(e.Origin != 0, views.Fact{Name: p.T("fact.origin"), Text: "#" + itoa64(e.Origin), Href: views.ChangePath(e.Origin)})
	add(true, views.Fact{Name: p.T("fact.version"), Text: "Callboard " + s.Version})
	return list
}

// timeline prints the steps, what is missing among them, and what is still to come.
func timeline(v *views.ChangePage, k clock, e entry) {
	p := v.P
	// The head names the day of the entry; only times of another day carry theirs.
	v.TimelineZone = k.zoneName(e.StartedAt)
	if day := k.at(e.StartedAt); !sameDay(day, k.now) {
		v.TimelineZone = p.Date(day) + " · " + v.TimelineZone
	}
	k.now = k.at(e.StartedAt)
	list := e.course(p)
	if e.State() == store.Applied && v.Effect != nil {
		at := e.EndedAt + changes.InEffect.Milliseconds()
		list = append(list, milestone{at: at, class: "ok", text: p.T("step.effect"), due: v.Effect.Left != ""})
	}
	for _, m := range list {
		item := views.TimelineItem{Class: m.class, Due: m.due, Text: m.text, Time: views.Time{Text: m.word(p)}}
		if m.at != 0 {
			item.Time = k.time(m.at)
		}
		v.Timeline = append(v.Timeline, item)
	}
}

func stepText(p *i18n.Printer, st store.Step, e entry) string {
	args := []any{"Why", ""}
	if st.Code != nil && *st.Code != 0 {
		args[1] = p.T("read.code", "Code", *st.Code, "Meaning", meaning(p, *st.Code))
		if st.Name == store.StepAnswered {
			return p.T("step.refused", args...)
		}
	} else if st.Detail != "" && p.Has("fault."+st.Detail) {
		args[1] = p.T("fault." + st.Detail)
	}
	if st.Name == store.StepAnswered && e.DurationMS != nil {
		return p.T("step.answered_in", "Count", millis(p, *e.DurationMS))
	}
	if st.Name == store.StepClosed {
		return p.T("step.closed", "Why", st.Detail)
	}
	if st.Name == store.StepSettled {
		return p.T("step.settled", "How", p.T("settled."+st.Detail))
	}
	if args[1] == "" {
		return p.T("step." + st.Name)
	}
	return p.T("step."+st.Name+"_why", args...)
}

// millis is a duration that is kept in whole milliseconds; one shorter than that was not nothing.
func millis(p *i18n.Printer, n int64) string {
	if n == 0 {
		return "<1"
	}
	return p.Number(int(n))
}

// exchange shows the request and the answer as they were stored, secrets removed.
func exchange(v *views.ChangePage, e entry) {
	if e.call == nil {
		return
	}
	p := v.P
	v.Call, v.Request, v.Answer = true, visible(e.call.Request), visible(e.call.Answer)
	var note []string
	if e.HTTPStatus != nil {
		note = append(note, "HTTP "+itoa64(*e.HTTPStatus))
	}
	if e.DurationMS != nil {
		note = append(note, p.T("change.ms", "Count", millis(p, *e.DurationMS)))
	}
	v.AnswerNote = strings.Join(note, " · ")
	if len(e.call.Answer) == 0 {
		v.Answer = p.T("change.no_answer")
	}
	v.Removed = p.T("change.removed")
	if e.call.AnswerCut {
		v.Removed += " " + p.T("change.cut", "Kept", p.Number(len(e.call.Answer)), "All", p.Number(int(e.call.AnswerSize)))
	}
}

// visible makes bytes readable: what is no printable text is written as an escape.
func visible(text []byte) string {
	var b strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, "\\x%02x", text[0])
		case r == '\n' || r == '\t' || (unicode.IsPrint(r) && !unicode.Is(unicode.Bidi_Control, r)):
			b.WriteRune(r)
		case r == '\r':
		case r > 0xffff:
			high, low := utf16.EncodeRune(r) // as JSON has it
			fmt.Fprintf(&b, "\\u%04x\\u%04x", high, low)
		default:
			fmt.Fprintf(&b, "\\u%04x", r)
		}
		text = text[size:]
	}
	return b.String()
}
