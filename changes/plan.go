package changes

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"callboard/store"
	"callboard/tencent"
)

// maxReason is the longest reason, in characters.
const maxReason = 500

// Proposal is what a form asks for.
type Proposal struct {
	SDKAppID int64
	Reading  int64 // the reading that the form was opened on
	OpenedAt int64 // when
	Origin   int64 // the entry that it was filled from, 0 for none
	URL      string
	Commands []string
	Reason   string
}

// Problem is one mistake of a proposal. ID names a sentence "problem.<id>", or "rule.<id>" for Field "url".
type Problem struct {
	Field string // "url", "command", "reason" or "reading"
	ID    string
	Args  map[string]any
}

// Problems are all mistakes of a proposal; as an error they say that nothing was planned.
type Problems []Problem

func (p Problems) Error() string { return "the proposal has mistakes" }

// Check judges a proposal against the reading it was opened on, without making a call or writing anything.
func Check(p Proposal, base *store.Reading) (store.Configuration, Problems) {
	var list Problems
	cloud := store.None
	if base == nil {
		list = append(list, Problem{Field: "reading", ID: "no_reading"})
	} else {
		cloud = base.Configuration
	}
	report := CheckURL(p.URL, cloud)
	for _, f := range report.Faults() {
		list = append(list, Problem{Field: "url", ID: f.ID, Args: f.Args})
	}
	for _, w := range p.Commands {
		if _, known := tencent.FindCommand(w); !known && !cloud.Has(w) {
			list = append(list, Problem{Field: "command", ID: "unknown_word", Args: map[string]any{"word": store.Text(w, 100)}})
		}
	}
	list = append(list, reasonProblems(p.Reason)...)
	return store.NewConfiguration(report.URL, p.Commands), list
}

func reasonProblems(reason string) Problems {
	switch n := utf8.RuneCountInString(store.Visible(reason)); {
	case n == 0:
		return Problems{{Field: "reason", ID: "reason_missing"}}
	case n > maxReason:
		return Problems{{Field: "reason", ID: "reason_long", Args: map[string]any{"count": n, "limit": maxReason}}}
	case strings.ContainsFunc(reason, func(c rune) bool { return c == utf8.RuneError || unicode.IsControl(c) && !unicode.IsSpace(c) }):
		return Problems{{Field: "reason", ID: "reason_text"}}
	}
	return nil
}

// MakePlan stores a proposal as a plan. It makes no call. Mistakes come back as Problems.
func (s *Service) MakePlan(ctx context.Context, a store.Actor, p Proposal) (store.Plan, error) {
	base, err := s.reading(ctx, p.SDKAppID, p.Reading)
	if err != nil {
		return store.Plan{}, err
	}
	wanted, problems := Check(p, base)
	if len(problems) > 0 {
		return store.Plan{}, problems
	}
	plan := store.Plan{SDKAppID: p.SDKAppID, BaseSeen: base.LastSeen, OpenedAt: s.believable(p.OpenedAt), Reason: store.Visible(p.Reason)}
	if plan.Origin, err = s.origin(ctx, p); err != nil {
		return store.Plan{}, err
	}
	return s.keepPlan(ctx, a, plan, base.Configuration, wanted)
}

// origin is the entry that a proposal came from, as the form says; 0 when the app has no such entry.
func (s *Service) origin(ctx context.Context, p Proposal) (int64, error) {
	if p.Origin == 0 {
		return 0, nil
	}
	c, err := s.store.Change(ctx, p.Origin)
	if errors.Is(err, store.ErrNotFound) || (err == nil && c.SDKAppID != p.SDKAppID) {
		return 0, nil
	}
	return p.Origin, err
}

// believable is when a form was opened, as the form says; 0 when that cannot be.
func (s *Service) believable(openedAt int64) int64 {
	if age := s.now() - openedAt; age < 0 || age > PlanLife.Milliseconds() {
		return 0
	}
	return openedAt
}

// reading returns the reading that a form names, nil when there is none.
func (s *Service) reading(ctx context.Context, sdkappid, id int64) (*store.Reading, error) {
	r, err := s.store.Reading(ctx, sdkappid, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	return &r, err
}

// keepPlan completes a plan and stores it. Call "" chooses by the base: an app with no callback yet needs set_callback.
func (s *Service) keepPlan(ctx context.Context, a store.Actor, p store.Plan, base, wanted store.Configuration) (store.Plan, error) {
	app, err := s.store.App(ctx, p.SDKAppID)
	if err != nil {
		return p, err
	}
	if app.ArchivedAt != 0 {
		return p, store.ErrArchived
	}
	if p.ID, err = planID(); err != nil {
		return p, err
	}
	p.Kind, p.Region, p.Base = store.KindChange, app.Region, base.Digest()
	switch {
	case wanted.IsNone():
		p.Kind, p.Call = store.KindDelete, string(tencent.CallDeleteCallback)
	case p.Call == "":
		p.Call = string(callFor(base))
	}
	p.ExpiresAt = s.now() + PlanLife.Milliseconds()
	return s.store.AddPlan(ctx, a, p, wanted)
}

func callFor(base store.Configuration) tencent.Call {
	if base.IsNone() {
		return tencent.CallSetCallback
	}
	return tencent.CallUpdateCallback
}

// FullPlan is a plan with all that its page shows.
type FullPlan struct {
	store.Plan
	Diff         Diff
	Consequences []Consequence
	State        store.PlanState
	Path         string // of the call, on the region's host
	Body         []byte // what the call would send
}

// Nothing tells whether there is nothing to send.
func (p FullPlan) Nothing() bool { return p.Diff.Nothing() }

// Plan returns an app's plan; ErrPlanGone when there is none or it has expired.
func (s *Service) Plan(ctx context.Context, sdkappid int64, id string) (FullPlan, error) {
	p, state, err := s.store.Plan(ctx, id)
	if errors.Is(err, store.ErrNotFound) || (err == nil && p.SDKAppID != sdkappid) {
		return FullPlan{}, ErrPlanGone
	}
	if err != nil {
		return FullPlan{}, err
	}
	full := FullPlan{Plan: p, State: state}
	// A used plan keeps its address for as long as its change does.
	if full.State.Number == 0 && p.ExpiresAt <= s.now() {
		return full, ErrPlanGone
	}
	list, err := s.store.Configurations(ctx, p.Base, p.Wanted)
	if err != nil {
		return full, err
	}
	full.Diff = Compare(list[p.Base], list[p.Wanted])
	full.Consequences = Consequences(full.Diff)
	call := tencent.Call(p.Call)
	full.Path = call.Path()
	if p.Kind == store.KindToken {
		full.Body = tokenBody(full.Diff)
		return full, nil
	}
	full.Body, err = call.Body(tencent.Callback{URL: full.Diff.After.URL(), Commands: full.Diff.After.Commands()})
	return full, err
}

// Consequence is what a plan means. ID names the sentences "consequence.<id>"; Tick, when set, names a box that has to
// be ticked before the plan is carried out.
type Consequence struct {
	ID    string
	Level string // "care" or "info"
	Words []string
	Args  map[string]any
	Tick  string
}

// Ticks are the names of the boxes that a plan needs.
func Ticks(list []Consequence) []string {
	var ticks []string
	for _, c := range list {
		if c.Tick != "" {
			ticks = append(ticks, c.Tick)
		}
	}
	return ticks
}

// Consequences says what a difference means for the people in the show, the worst first.
func Consequences(d Diff) []Consequence {
	if _, token := d.After.Token(); token {
		return tokenConsequences(d)
	}
	var list []Consequence
	add := func(when bool, c Consequence) {
		if when {
			list = append(list, c)
		}
	}
	host := HostPort(d.After.URL())
	hosts := map[string]any{"old": HostPort(d.Before.URL()), "new": host, "host": host}
	added, removed := blocking(d.Added), blocking(d.Removed)
	gift, policy := d.After.Has(GiftWord), d.After.Has(PolicyWord)
	gone := !d.Before.IsNone() && d.After.IsNone()
	left := CountOf(d.After)
	off := !d.After.IsNone() && left.Listed+left.Unlisted == 0

	add(gone, Consequence{ID: "gone", Level: Warning, Tick: "off", Words: d.Before.Commands()})
	add(off, Consequence{ID: "off", Level: Warning, Tick: "off", Words: d.Removed})
	add(len(removed) > 0, Consequence{ID: "blocking_removed", Level: Warning, Tick: "blocking_removed", Words: removed})
	for _, w := range added {
		add(true, Consequence{ID: "blocking_added." + w, Level: Warning, Tick: "blocking_added." + w, Words: []string{w}, Args: hosts})
	}
	add(!d.Before.IsNone() && !gone && d.HostChanged, Consequence{ID: "host", Level: Warning, Tick: "host", Args: hosts})
	add(strings.HasPrefix(strings.ToLower(d.After.URL()), "http:"), Consequence{ID: "http", Level: Warning, Tick: "http", Args: hosts})
	list = append(list, urlConsequences(d)...)
	add(gift && slices.Contains(d.Added, PolicyWord), Consequence{ID: "policy_on", Level: Warning})
	add(gift && slices.Contains(d.Removed, PolicyWord), Consequence{ID: "policy_off", Level: Warning})
	add(gift && !policy && slices.Contains(d.Added, GiftWord), Consequence{ID: "gift_blocks", Level: Warning, Args: hosts})
	add(policy && !gift, Consequence{ID: "policy_alone", Level: Warning})
	list = append(list, setConsequences(d)...)
	add(!d.Nothing(), Consequence{ID: "in_effect", Level: "info", Args: map[string]any{"minutes": int(InEffect / time.Minute)}})
	return list
}

// urlConsequences repeats the warnings of the form for the new URL.
func urlConsequences(d Diff) []Consequence {
	if !d.URLChanged || d.After.IsNone() {
		return nil
	}
	var list []Consequence
	for _, f := range CheckURL(d.After.URL(), d.Before).Findings {
		switch f.ID {
		case "query", "private", "port_prefix", "host_single":
			list = append(list, Consequence{ID: f.ID, Level: Warning, Args: f.Args})
		}
	}
	return list
}

func setConsequences(d Diff) []Consequence {
	var list []Consequence
	var shared, dropped, kept, doubtful []string
	for _, w := range append(slices.Clone(d.Added), d.Removed...) {
		c, known := tencent.FindCommand(w)
		if known && c.SharedWithChat {
			shared = append(shared, w)
		}
		if known && c.PrefixDoubt {
			doubtful = append(doubtful, w)
		}
		if !known && !d.After.Has(w) {
			dropped = append(dropped, w)
		}
	}
	for _, w := range d.Kept {
		if _, known := tencent.FindCommand(w); !known {
			kept = append(kept, w)
		}
	}
	for _, c := range []Consequence{
		{ID: "unlisted_dropped", Level: Warning, Words: dropped},
		{ID: "shared", Level: "info", Words: shared},
		{ID: "prefix_doubt", Level: "info", Words: doubtful},
		{ID: "unlisted_kept", Level: "info", Words: kept},
	} {
		if n := len(c.Words); n > 0 {
			c.Args = map[string]any{"count": n}
			list = append(list, c)
		}
	}
	return list
}

func blocking(words []string) []string {
	var list []string
	for _, w := range words {
		if c, ok := tencent.FindCommand(w); ok && c.Blocking {
			list = append(list, w)
		}
	}
	return list
}
