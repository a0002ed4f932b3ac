package handlers

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"callboard/changes"
	"callboard/i18n"
	"callboard/store"
	"callboard/views"
)

// Names of the sides of a comparison that are no entry.
const (
	sideCloud  = "cloud"
	sideRecord = "record"
)

// showCompare compares two entries of an app, or one with the newest reading or our record, at an address of its own.
func (s *server) showCompare(c echo.Context) error {
	a, err := s.app(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	from, to := orElse(c.QueryParam("from"), sideRecord), orElse(c.QueryParam("to"), sideCloud)
	before, err := s.side(ctx, a, from)
	if err != nil {
		return err
	}
	after, err := s.side(ctx, a, to)
	if err != nil {
		return err
	}
	list, err := s.Store.History(ctx, store.Filter{SDKAppID: a.SDKAppID, Limit: 100})
	if err != nil {
		return err
	}
	v := views.ComparePage{Base: s.appBase(c, "compare.title", "history", a), Action: views.AppPath(a.SDKAppID, "/compare")}
	k := s.clockOf(c, v.P)
	v.From, v.To = sideOptions(k, list, from), sideOptions(k, list, to)
	v.Swap = views.AppPath(a.SDKAppID, "/compare?from="+to+"&to="+from)
	if before == nil || after == nil {
		v.Missing = v.P.T("compare.missing")
		return s.render(c, http.StatusOK, views.Compare(v))
	}
	d := changes.Compare(*before, *after)
	v.Same = d.Nothing()
	v.URL, v.Set = urlDiff(v.P, d, "diff.after"), setDiff(v.P, d)
	return s.render(c, http.StatusOK, views.Compare(v))
}

// side is the configuration that a side names; nil when nothing is known there.
func (s *server) side(ctx context.Context, a store.App, name string) (*store.Configuration, error) {
	switch name {
	case sideCloud:
		r, err := s.Store.CurrentReading(ctx, a.SDKAppID)
		if errors.Is(err, store.ErrNotFound) {
			return nil, nil
		}
		return &r.Configuration, err
	case sideRecord:
		return s.known(ctx, a.Record)
	}
	e, err := s.changeOf(ctx, a, name)
	if err != nil {
		return nil, err
	}
	return s.known(ctx, entry{Change: e}.after())
}

// changeOf is the change of an app that a number in an address names.
func (s *server) changeOf(ctx context.Context, a store.App, name string) (store.Change, error) {
	number, err := strconv.ParseInt(name, 10, 64)
	if err != nil {
		return store.Change{}, store.ErrNotFound
	}
	e, err := s.Store.Change(ctx, number)
	if err == nil && (e.SDKAppID != a.SDKAppID || e.Kind == store.KindToken) {
		err = store.ErrNotFound
	}
	return e, err
}

func (s *server) known(ctx context.Context, digest string) (*store.Configuration, error) {
	if digest == "" {
		return nil, nil
	}
	c, err := s.Store.Configuration(ctx, digest)
	return &c, err
}

func sideOptions(k clock, list []store.Change, chosen string) []views.Option {
	p := k.p
	out := []views.Option{{Value: sideCloud, Text: p.T("compare.cloud"), Selected: chosen == sideCloud}, {Value: sideRecord, Text: p.T("compare.record"), Selected: chosen == sideRecord}}
	found := chosen == sideCloud || chosen == sideRecord
	for _, c := range list {
		if c.Kind == store.KindToken {
			continue
		}
		name := itoa64(c.Number)
		found = found || name == chosen
		out = append(out, views.Option{Value: name, Selected: name == chosen,
			Text: p.T("compare.entry", "Number", c.Number, "Time", k.stamp(c.StartedAt), "What", what(p, c.Kind, c.Summary), "State", stateOf(p, c.Kind, c.Outcome, c.Settled).Text)})
	}
	if !found {
		out = append(out, views.Option{Value: chosen, Text: "#" + chosen, Selected: true})
	}
	return out
}

// How a browser's field for date and time writes them, and where it has seconds.
const (
	atLayout  = "2006-01-02T15:04"
	atSeconds = "2006-01-02T15:04:05"
)

// showAt says what was configured for an app at a given minute, with the proof, or honestly that nothing proves it.
func (s *server) showAt(c echo.Context) error {
	a, err := s.app(c)
	if err != nil {
		return err
	}
	v := views.AtPage{Base: s.appBase(c, "at.title", "history", a), Action: views.AppPath(a.SDKAppID, "/at"), Time: c.QueryParam("time")}
	k := s.clockOf(c, v.P)
	v.Zone = k.zone.String()
	if v.Time == "" {
		v.Time = k.now.Format(atLayout)
		return s.render(c, http.StatusOK, views.AtTime(v))
	}
	at, _, ok := k.of(c.QueryParam("zone")).span(strings.Replace(strings.TrimSpace(v.Time), " ", "T", 1))
	t := k.at(at)
	if !ok || t.Year() < 2000 || t.Year() > 9999 {
		v.Error = []string{v.P.T("at.time_fault", "Typed", store.Text(v.Time, 80))}
		v.Time = k.now.Format(atLayout) // the browser's field takes nothing else
		return s.render(c, http.StatusUnprocessableEntity, views.AtTime(v))
	}
	known, err := s.Store.ConfigurationAt(c.Request().Context(), a.SDKAppID, t.UnixMilli())
	if err != nil {
		return err
	}
	if v.Time = t.In(k.zone).Format(atLayout); t.Second() != 0 {
		v.Time, v.Seconds = t.In(k.zone).Format(atSeconds), true
	}
	answerAt(&v, k, t, known)
	return s.render(c, http.StatusOK, views.AtTime(v))
}

func answerAt(v *views.AtPage, k clock, t time.Time, known store.At) {
	p := v.P
	v.Answered = true
	when := k.stamp(t.UnixMilli())
	if known.Proof != nil {
		v.Level, v.Icon = "ok", "circle-check"
		v.Headline = p.T("at.known", "Time", when)
		v.Text = p.T("at.proof", "From", k.stamp(known.Proof.From), "Until", k.stamp(known.Proof.Until))
		d := changes.Compare(known.Proof.Configuration, known.Proof.Configuration)
		url := urlDiff(p, d, "diff.after")
		v.URL, v.Events = &url, words(p, known.Proof.Configuration.Commands())
		v.Count = p.N("at.events", len(v.Events))
		return
	}
	v.Level, v.Icon = "idle", "help-circle"
	v.Headline, v.Text = p.T("at.not_known", "Time", when), p.T("at.not_known_text")
	if t.After(k.now) {
		v.Text = p.T("at.future")
	}
	v.Facts = append(evidenceFacts(p, k, "at.before", known.Before), evidenceFacts(p, k, "at.after", known.After)...)
	if known.Before != nil && known.After != nil && known.Before.Configuration.Equal(known.After.Configuration) {
		v.Text += " " + p.T("at.same_around")
	}
}

func evidenceFacts(p *i18n.Printer, k clock, id string, e *store.Evidence) []views.Fact {
	if e == nil {
		return []views.Fact{{Name: p.T(id), Text: p.T("word.none")}}
	}
	c := e.Configuration
	text := p.T("diff.no_callback")
	if !c.IsNone() {
		text = p.T("at.short", "URL", c.URL(), "Events", p.N("diff.events", changes.CountOf(c).Listed))
	}
	at := e.Until
	if id == "at.after" {
		at = e.From
	}
	f := views.Fact{Name: p.T(id), Text: p.T("at.seen", "Time", k.stamp(at), "What", text)}
	list := []views.Fact{f}
	if words := c.Commands(); len(words) > 0 {
		list = append(list, views.Fact{Name: p.T(id + "_events"), Text: join(p, eventNames(p, words))})
	}
	if e.Number == 0 {
		return list
	}
	return append(list, views.Fact{Name: p.T("at.set_by"), Text: "#" + itoa64(e.Number), Href: views.ChangePath(e.Number)})
}

// restore fills the form with what an entry holds; what the cloud has now and the entry had not stays ticked and is
// asked about, never dropped silently.
func (s *server) restore(c echo.Context, f *callbackForm, view changes.View) (*views.Notice, error) {
	name := c.QueryParam("restore")
	if name == "" || !mayWrite(c, view.App.SDKAppID) {
		return nil, nil
	}
	e, err := s.changeOf(c.Request().Context(), view.App, name)
	if err != nil {
		return nil, err
	}
	digest := entry{Change: e}.after()
	if c.QueryParam("side") == "before" {
		digest = e.Previous
	}
	old, err := s.known(c.Request().Context(), digest)
	if err == nil && (old == nil || old.IsNone()) {
		err = store.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	p := s.printer(c)
	cloud := store.None
	if view.Reading != nil {
		cloud = view.Reading.Configuration
	}
	var extra, lost []string
	f.origin, f.url, f.reason = e.Number, old.URL(), p.T("restore.reason", "Number", e.Number)
	f.commands, extra, lost = changes.Restored(*old, cloud)
	exact := c.QueryParam("exact") != ""
	if exact {
		f.commands, lost = changes.Sendable(old.Commands(), cloud)
	}
	if view.Reading == nil {
		f.commands, lost = old.Commands(), nil // nobody knows what the cloud has
	}
	n := &views.Notice{Level: "info", Title: p.T("restore.title", "Number", e.Number), Text: p.T("restore.text"), Link: &views.Link{Href: views.ChangePath(e.Number), Text: p.T("callback.open_link", "Number", e.Number)}}
	switch words := join(p, eventNames(p, extra)); {
	case len(extra) > 0 && exact:
		n.Level, n.Text = "care", p.T("restore.exact", "Words", words)
	case len(extra) > 0:
		n.Level, n.Text = "care", p.T("restore.extra", "Words", words)
		n.Link = &views.Link{Href: c.Request().URL.Path + "?" + c.QueryString() + "&exact=1", Text: p.T("restore.exact_link")}
	}
	if len(lost) > 0 {
		n.Level, n.Text = "care", n.Text+" "+p.T("restore.lost", "Words", join(p, lost))
	}
	return n, nil
}

func eventNames(p *i18n.Printer, list []string) []string {
	var out []string
	for _, w := range list {
		out = append(out, orElse(word(p, w).Name, w))
	}
	return out
}
