package handlers

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"callboard/changes"
	"callboard/i18n"
	"callboard/store"
	"callboard/views"
)

func (s *server) planMerged(c echo.Context, e entry) error {
	form := c.Request().PostForm
	reading := positive(form.Get("reading"))
	plan, err := s.Changes.PlanMerged(c.Request().Context(), actor(c), e.Number, reading, form.Get("url"), form["command"])
	var problems changes.Problems
	if errors.As(err, &problems) {
		return s.renderChange(c, http.StatusUnprocessableEntity, e, &rejected{problems: problems, reading: reading, url: form.Get("url"), commands: form["command"], merging: true})
	}
	if err != nil {
		return err
	}
	return seeOther(c, views.AppPath(e.SDKAppID, "/callback/review/"+plan.ID))
}

// threeWay is for a change that was not sent because somebody else's came first.
func (s *server) threeWay(c echo.Context, v *views.ChangePage, k clock, e entry, r *rejected) error {
	var reading int64
	if r != nil {
		reading = r.reading
	}
	m, err := s.Changes.MergeOfChange(c.Request().Context(), e.Change, reading)
	if errors.Is(err, changes.ErrNothing) {
		return nil
	}
	if err != nil {
		return err
	}
	p := v.P
	t := &views.ThreeWay{Action: views.ChangePath(e.Number), Reading: itoa64(m.Reading), Conflict: m.Conflict(), CloudURL: m.Cloud.URL(), MineURL: m.Mine.URL(), URL: m.URL, CanPlan: mayWrite(c, e.SDKAppID) && e.app.ArchivedAt == 0}
	address := func(c store.Configuration) string {
		if c.IsNone() {
			return p.T("diff.no_callback")
		}
		return orElse(c.URL(), p.T("word.none"))
	}
	t.Facts = []views.Fact{{Name: p.T("three.opened"), Text: address(m.Opened), Mono: true}, {Name: p.T("three.cloud"), Text: address(m.Cloud), Mono: true},
		{Name: p.T("three.yours"), Text: address(m.Mine), Mono: true},
		{Name: p.T("three.read"), Text: k.stamp(m.Seen)}}
	result := m.Commands
	if r != nil && r.merging {
		t.Chosen, result = r.url, r.commands
		for _, text := range r.faults(p) {
			t.Errors = append(t.Errors, views.FieldError{Href: "#url-cloud", Text: text})
		}
	}
	var same []views.ThreeRow
	for _, w := range store.NewConfiguration("", slices.Concat(m.Opened.Commands(), m.Cloud.Commands(), m.Mine.Commands())).Commands() {
		row := threeRow(p, m, w, slices.Contains(result, w))
		if row.Opened == row.Cloud && row.Cloud == row.Mine {
			same = append(same, row)
		} else {
			t.Rows = append(t.Rows, row)
		}
	}
	// What differs comes first; what is the same on all sides stays below, so that it is sent along.
	t.Rows = append(t.Rows, same...)
	t.Same = p.N("three.same_count", len(same))
	v.Three = t
	return nil
}

func threeRow(p *i18n.Printer, m changes.Merge, w string, result bool) views.ThreeRow {
	o, c, y := m.Opened.Has(w), m.Cloud.Has(w), m.Mine.Has(w)
	note := "same"
	switch {
	case o == c && c == y:
	case c == y:
		note = map[bool]string{true: "both_added", false: "both_removed"}[y]
	case o == c:
		note = map[bool]string{true: "you_added", false: "you_removed"}[y]
	default:
		note = map[bool]string{true: "cloud_added", false: "cloud_removed"}[c]
	}
	name := word(p, w)
	return views.ThreeRow{ID: "m-" + strings.ReplaceAll(w, ".", "-"), Name: name.Name, Word: w, Opened: o, Cloud: c, Mine: y, Result: result, Note: p.T("three." + note)}
}
