package changes

import (
	"context"
	"slices"

	"callboard/store"
	"callboard/tencent"
)

// Again makes a new plan that wants what an earlier change wanted, on a fresh reading. Call "" chooses by that reading;
// "set_callback" or "update_callback" is for when Tencent answered that the other one is needed. ErrNoReading: the app
// could not be read, so nothing was planned; the View says why. ErrNothing: the entry never wanted anything, or is
// about a token, which is not kept.
func (s *Service) Again(ctx context.Context, a store.Actor, number int64, call string) (store.Plan, View, error) {
	c, err := s.store.Change(ctx, number)
	if err != nil {
		return store.Plan{}, View{}, err
	}
	if c.Wanted == "" || c.Kind == store.KindToken {
		return store.Plan{}, View{}, ErrNothing
	}
	wanted, err := s.store.Configuration(ctx, c.Wanted)
	if err != nil {
		return store.Plan{}, View{}, err
	}
	v, err := s.Look(ctx, a, c.SDKAppID)
	if err != nil {
		return store.Plan{}, v, err
	}
	if !v.Fresh {
		return store.Plan{}, v, ErrNoReading
	}
	p, err := s.keepPlan(ctx, a, store.Plan{SDKAppID: c.SDKAppID, Call: call, BaseSeen: v.Reading.LastSeen, Reason: c.Reason, Origin: number},
		v.Reading.Configuration, wanted)
	return p, v, err
}

// Restored is the set of words of a form that goes back to an old configuration: what the cloud has by now and the old one
// had not stays, named in extra, so that it is asked about and never dropped silently. Words that a form cannot send are named
// in lost.
func Restored(old, cloud store.Configuration) (commands, extra, lost []string) {
	extra = Compare(old, cloud).Added
	kept, lost := Sendable(old.Commands(), cloud)
	return store.NewConfiguration("", slices.Concat(kept, extra)).Commands(), extra, lost
}

// Sendable parts words into those that a form may send, which the catalogue or the cloud has, and the others.
func Sendable(commands []string, cloud store.Configuration) (sendable, others []string) {
	for _, w := range commands {
		if _, known := tencent.FindCommand(w); known || cloud.Has(w) {
			sendable = append(sendable, w)
		} else {
			others = append(others, w)
		}
	}
	return sendable, others
}

// Merge is a three-way view: what the form was opened on, what is in the cloud, what the person wants, and one proposal.
type Merge struct {
	Opened, Cloud, Mine store.Configuration
	URL                 string // the proposed URL, "" when both sides changed it and one has to be chosen
	Commands            []string
	Seen                int64 // when the cloud was read
	Reading             int64 // the reading that says so, 0 for the comparison of the change itself
}

// Conflict tells whether the person has to choose a URL.
func (m Merge) Conflict() bool { return m.URL == "" }

// mergeOf merges both sides' additions and removals.
func mergeOf(opened, cloud, mine store.Configuration) Merge {
	m := Merge{Opened: opened, Cloud: cloud, Mine: mine}
	switch {
	case cloud.URL() == "" || mine.URL() == cloud.URL() || cloud.URL() == opened.URL(): // nobody can want events without a URL
		m.URL = mine.URL()
	case mine.URL() == opened.URL():
		m.URL = cloud.URL()
	}
	if cloud.IsNone() {
		// Somebody deleted the callback: there is nothing to merge with, so the draft stands as it is.
		m.Commands = mine.Commands()
		return m
	}
	ours := Compare(opened, mine)
	for _, w := range cloud.Commands() {
		if mine.Has(w) || !opened.Has(w) {
			m.Commands = append(m.Commands, w)
		}
	}
	for _, w := range ours.Added {
		if !cloud.Has(w) {
			m.Commands = append(m.Commands, w)
		}
	}
	m.Commands = store.NewConfiguration("", m.Commands).Commands()
	return m
}

// MergeOfChange gives the three-way view of a change that was not sent because somebody else's came first: the cloud as the
// comparison found it or, where none was made, as a reading of the app says, 0 for the newest. ErrNothing: there are no
// three sides, because the change ended otherwise or the cloud is still what its form was opened on.
func (s *Service) MergeOfChange(ctx context.Context, c store.Change, reading int64) (Merge, error) {
	if c.Kind != store.KindChange || c.Outcome != store.NotSent || (c.Cause != store.CauseMoved && c.Cause != store.CauseStale) {
		return Merge{}, ErrNothing
	}
	list, err := s.store.Configurations(ctx, c.Previous, c.Found, c.Wanted)
	if err != nil {
		return Merge{}, err
	}
	if c.Cause == store.CauseMoved {
		m := mergeOf(list[c.Previous], list[c.Found], list[c.Wanted])
		m.Seen = c.EndedAt
		return m, nil
	}
	if reading == 0 {
		app, err := s.store.App(ctx, c.SDKAppID)
		if err != nil {
			return Merge{}, err
		}
		reading = app.ReadingID
	}
	r, err := s.reading(ctx, c.SDKAppID, reading)
	if err != nil {
		return Merge{}, err
	}
	if r == nil || r.Configuration.Digest() == c.Previous {
		return Merge{}, ErrNothing
	}
	m := mergeOf(list[c.Previous], r.Configuration, list[c.Wanted])
	m.Seen, m.Reading = r.LastSeen, r.ID
	return m, nil
}

// PlanMerged makes a plan from what a person settled on the three-way page, based on the cloud as the page showed it.
// Mistakes come back as Problems; ErrNothing as from MergeOfChange.
func (s *Service) PlanMerged(ctx context.Context, a store.Actor, number, reading int64, url string, commands []string) (store.Plan, error) {
	c, err := s.store.Change(ctx, number)
	if err != nil {
		return store.Plan{}, err
	}
	m, err := s.MergeOfChange(ctx, c, reading)
	if err != nil {
		return store.Plan{}, err
	}
	if err := mergeProblems(m, url, commands); len(err) > 0 {
		return store.Plan{}, err
	}
	p := store.Plan{SDKAppID: c.SDKAppID, BaseSeen: m.Seen, Reason: c.Reason, Origin: number, Call: string(callFor(m.Cloud))}
	return s.keepPlan(ctx, a, p, m.Cloud, store.NewConfiguration(url, commands))
}

// mergeProblems allows the URLs and words of the three sides, and the catalogue.
func mergeProblems(m Merge, url string, commands []string) Problems {
	var list Problems
	if url == "" || (url != m.Cloud.URL() && url != m.Mine.URL()) {
		list = append(list, Problem{Field: "url", ID: "url_choose"})
	}
	for _, w := range commands {
		_, known := tencent.FindCommand(w)
		if !known && !m.Opened.Has(w) && !m.Cloud.Has(w) && !m.Mine.Has(w) {
			list = append(list, Problem{Field: "command", ID: "unknown_word", Args: map[string]any{"word": store.Text(w, 100)}})
		}
	}
	return list
}
