package handlers

import (
	"context"
	"errors"
	"slices"

	"callboard/i18n"
	"callboard/store"
	"callboard/views"
)

// cameFirst says what made a plan out of date: another change, or another region.
func (s *server) cameFirst(ctx context.Context, v *views.ChangePage, e entry) error {
	if e.Cause != store.CauseStale {
		return nil
	}
	plan, _, err := s.Store.Plan(ctx, e.Plan)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	p := v.P
	list, err := s.Store.History(ctx, store.Filter{SDKAppID: e.SDKAppID, Acts: true, After: plan.Newest, Before: e.Number, Limit: historyRows})
	list = slices.DeleteFunc(list, func(c store.Change) bool { return c.State() != store.Applied && c.State() != store.Overtaken })
	for _, first := range list[max(len(list)-1, 0):] {
		v.Related = append([]views.Link{{Href: views.ChangePath(first.Number), Text: p.T("related.came_first", "Number", first.Number, "Who", orElse(first.Actor.Name, p.T("word.console")))}}, v.Related...)
	}
	if plan.Region != e.Region {
		v.Notices = append(v.Notices, views.Notice{Level: "care", Title: p.T("three.region_title"), Text: p.T("three.region_text", "Old", s.regionName(p, plan.Region), "New", s.regionName(p, e.Region))})
	}
	return err
}

// carriedOn tells whether what an entry wanted came about by a later one, so that nothing is left to offer.
func carriedOn(e entry, r store.Related) bool {
	return slices.ContainsFunc(r.Later, func(later store.Change) bool { return later.State() == store.Applied && later.Wanted != e.Previous })
}

// origins lead back.
func origins(p *i18n.Printer, e entry, r store.Related) []views.Link {
	var list []views.Link
	if e.Plan != "" {
		list = append(list, views.Link{Href: views.AppPath(e.SDKAppID, "/callback/review/"+e.Plan), Text: p.T("related.plan")})
	}
	if r.Origin != nil {
		list = append(list, toEntry(p, "related."+relation(*r.Origin, e.Change), r.Origin.Number))
	}
	if r.Drift != 0 && r.Drift != e.Origin && e.Kind != store.KindDrift {
		list = append(list, toEntry(p, "related.after_drift", r.Drift))
	}
	return list
}

// outcomes lead on.
func outcomes(p *i18n.Printer, k clock, e entry, r store.Related) []views.Link {
	var list []views.Link
	if e.ReadBackAt != 0 {
		id := "related.read_same"
		if e.ReadBack != e.Wanted {
			id = "related.read_other"
		}
		list = append(list, views.Link{Href: "#h-tl", Text: p.T(id, "Time", k.time(e.ReadBackAt).Text)})
	}
	if e.Settled != "" {
		list = append(list, views.Link{Href: "#h-tl", Text: p.T("related.settled_"+e.settledBy(), "Time", k.time(e.SettledAt).Text)})
	}
	answered := r.Answered != 0
	for _, later := range r.Later {
		answered = answered && later.Number != r.Answered
		list = append(list, toEntry(p, "related.later."+relation(e.Change, later), later.Number))
	}
	if answered {
		list = append(list, toEntry(p, "related.over", r.Answered))
	}
	for _, plan := range r.Plans {
		if plan.ExpiresAt > k.now.UnixMilli() {
			list = append(list, views.Link{Href: views.AppPath(plan.SDKAppID, "/callback/review/"+plan.ID), Text: p.T("related.unused", "Who", plan.Who)})
		}
	}
	return list
}

func toEntry(p *i18n.Printer, id string, number int64) views.Link {
	return views.Link{Href: views.ChangePath(number), Text: p.T(id, "Number", number)}
}

// relation is what an entry is to the one that it came from.
func relation(from, to store.Change) string {
	switch {
	case to.Kind == store.KindAccepted:
		return "accepts"
	case from.Kind == store.KindDrift:
		return "answers"
	case to.Wanted == from.Wanted && from.State() != store.Applied:
		return "repeats"
	case from.Cause == store.CauseMoved || from.Cause == store.CauseStale:
		return "merges"
	}
	return "restores"
}

// settledBy is who or what settled the entry: a person, the answer that came late, or a reading.
func (e entry) settledBy() string {
	switch {
	case e.closedByHand():
		return store.CauseByHand
	case e.answeredLate():
		return "late"
	}
	return "reading"
}
