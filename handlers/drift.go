package handlers

import (
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"callboard/changes"
	"callboard/store"
	"callboard/views"
)

// acceptDrift takes what the cloud holds as our record. The form names what the person saw; if the cloud has moved on,
// nothing is accepted.
func (s *server) acceptDrift(c echo.Context, a store.App) error {
	number, err := s.Changes.AcceptDrift(c.Request().Context(), actor(c), a.SDKAppID, c.FormValue("seen"), s.driftReason(c, a, "drift.accept_reason"))
	var problems changes.Problems
	if errors.As(err, &problems) {
		return s.rejectDrift(c, a, problems)
	}
	var open *store.OpenChangeError
	if errors.As(err, &open) {
		return seeOther(c, views.ChangePath(open.Number))
	}
	if err != nil {
		return err
	}
	return seeOther(c, views.ChangePath(number))
}

// putBack plans to write our record over what the cloud holds.
func (s *server) putBack(c echo.Context, a store.App) error {
	plan, view, err := s.Changes.PutBack(c.Request().Context(), actor(c), a.SDKAppID, s.driftReason(c, a, "drift.put_back_reason"))
	var problems changes.Problems
	if errors.As(err, &problems) {
		return s.rejectDrift(c, a, problems)
	}
	if errors.Is(err, changes.ErrNoReading) {
		return s.unread(c, a, view)
	}
	if err != nil {
		return err
	}
	return seeOther(c, views.AppPath(a.SDKAppID, "/callback/review/"+plan.ID))
}

// driftReason is what the person wrote, or a sentence that names the drift.
func (s *server) driftReason(c echo.Context, a store.App, id string) string {
	if typed := c.FormValue("reason"); strings.TrimSpace(typed) != "" {
		return typed
	}
	return s.printer(c).T(id, "Number", a.Drift)
}

// rejectDrift gives the form of a drift back with what is wrong in it.
func (s *server) rejectDrift(c echo.Context, a store.App, problems changes.Problems) error {
	e, err := s.entryOf(c.Request().Context(), a.Drift)
	if errors.Is(err, store.ErrNotFound) {
		return store.ErrMoved // accepted before, or back in step
	}
	if err != nil {
		return err
	}
	return s.renderChange(c, http.StatusUnprocessableEntity, e, &rejected{problems: problems, reason: c.FormValue("reason")})
}

// planDelete plans to stop all callbacks of an app; the set is remembered by the entry.
func (s *server) planDelete(c echo.Context, a store.App) error {
	reading := positive(c.FormValue("reading"))
	plan, err := s.Changes.PlanDelete(c.Request().Context(), actor(c), a.SDKAppID, reading, strings.TrimSpace(c.FormValue("reason")))
	var problems changes.Problems
	if errors.As(err, &problems) {
		for i := range problems {
			if problems[i].Field == "reason" {
				problems[i].Field = "stop-reason" // this form's field, not the other one's
			}
		}
		f := callbackForm{reading: reading, stopReason: c.FormValue("reason"), do: "delete", opened: s.Clock().UnixMilli()}
		v, err := s.formView(c, a.SDKAppID, f)
		if err != nil {
			return err
		}
		f.fill(v.Reading)
		return s.renderForm(c, http.StatusUnprocessableEntity, f, v, problems)
	}
	if err != nil {
		return err
	}
	return seeOther(c, views.AppPath(a.SDKAppID, "/callback/review/"+plan.ID))
}

// unread says that an act needs to know what Tencent has, and that it could not be read.
func (s *server) unread(c echo.Context, a store.App, view changes.View) error {
	b := s.appBase(c, "callback.unread_title", "callback", a)
	if n := readNotice(b.P, view); n != nil {
		b.Notices = append(b.Notices, *n)
	}
	return s.render(c, http.StatusConflict, views.Problem(views.ProblemPage{Base: b, Headline: b.P.T("drift.unread_title"), Text: b.P.T("drift.unread_text"),
		Links: []views.Link{{Href: views.AppPath(a.SDKAppID, "/callback"), Text: b.P.T("review.back")}}}))
}

// driftSince bounds when a drift happened: after the cloud was last seen otherwise, before it was first seen so.
func (s *server) driftSince(c echo.Context, v *views.ChangePage, k clock, e entry) error {
	if e.Kind != store.KindDrift {
		return nil
	}
	earliest, latest, err := s.Store.DriftSince(c.Request().Context(), e.SDKAppID, e.Number)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	text := v.P.T("drift.since_unknown", "Until", k.stamp(latest))
	if earliest != 0 {
		text = v.P.T("drift.since", "From", k.stamp(earliest), "Until", k.stamp(latest))
	}
	v.Facts = append(v.Facts, views.Fact{Name: v.P.T("fact.changed"), Text: text})
	return nil
}
