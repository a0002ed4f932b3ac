package changes

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"callboard/store"
)

// problems are written as "field id args".
func problems(list Problems) string {
	parts := make([]string, 0, len(list))
	for _, p := range list {
		text := p.Field + " " + p.ID
		if p.Args != nil {
			text += fmt.Sprint(" ", p.Args)
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

func TestCheck(t *testing.T) {
	reading := func(c store.Configuration) *store.Reading { return &store.Reading{Configuration: c} }
	base := reading(config("https://a_b.example/", createRoom, foreign))
	const url = "https://h.example/"
	tests := []struct {
		name string
		p    Proposal
		base *store.Reading
		want string
		made store.Configuration
	}{
		{"good", Proposal{URL: " " + url + " ", Commands: []string{destroyRoom, createRoom, createRoom}, Reason: "r"}, base, "", config(url, createRoom, destroyRoom)},
		{"no events", Proposal{URL: url, Reason: "r"}, base, "", config(url)},
		{"no callback yet", Proposal{URL: url, Reason: "r", Commands: []string{createRoom}}, reading(store.None), "", config(url, createRoom)},
		{"never read", Proposal{URL: url, Reason: "r"}, nil, "reading no_reading", config(url)},
		{"a fault of the cloud's URL stays", Proposal{URL: "https://a_b.example/", Reason: "r"}, base, "", config("https://a_b.example/")},
		{"two faults", Proposal{URL: "https://a_b.example/#", Reason: "r"}, base, "url host_letters map[label:a_b], url fragment", config("https://a_b.example/#")},
		{"no URL", Proposal{Reason: "r"}, base, "url url_missing", config("")},
		{"the cloud's unlisted word", Proposal{URL: url, Commands: []string{foreign}, Reason: "r"}, base, "", config(url, foreign)},
		{"another unlisted word", Proposal{URL: url, Commands: []string{"Live.X\x00\xff", createRoom, "y"}, Reason: "r"}, base,
			"command unknown_word map[word:Live.X\u2400\uFFFD], command unknown_word map[word:y]", config(url, "Live.X\x00\xff", createRoom, "y")},
		{"an unlisted word, never read", Proposal{URL: url, Commands: []string{foreign}, Reason: "r"}, nil, "reading no_reading, command unknown_word map[word:" + foreign + "]", config(url, foreign)},
		{"a word in another case", Proposal{URL: url, Commands: []string{strings.ToLower(createRoom)}, Reason: "r"}, base, "command unknown_word map[word:" + strings.ToLower(createRoom) + "]", config(url, strings.ToLower(createRoom))},
		{"no reason", Proposal{URL: url}, base, "reason reason_missing", config(url)},
		{"a blank reason", Proposal{URL: url, Reason: " \n\t"}, base, "reason reason_missing", config(url)},
		{"500 characters", Proposal{URL: url, Reason: strings.Repeat("因", 500) + " "}, base, "", config(url)},
		{"501 characters", Proposal{URL: url, Reason: strings.Repeat("因", 501)}, base, "reason reason_long map[count:501 limit:500]", config(url)},
		{"a reason that is no text", Proposal{URL: url, Reason: "a\xff"}, base, "reason reason_text", config(url)},
		{"a reason with NUL", Proposal{URL: url, Reason: "a\x00"}, base, "reason reason_text", config(url)},
		{"a reason with an escape", Proposal{URL: url, Reason: "a\x1b[31m"}, base, "reason reason_text", config(url)},
		{"a reason in two lines", Proposal{URL: url, Reason: "a\r\n\tb"}, base, "", config(url)},
		{"a reason that nobody sees", Proposal{URL: url, Reason: "\u200b\u3164\ufeff\u2800\u200d\ufe0f"}, base, "reason reason_missing", config(url)},
		{"everything at once", Proposal{URL: "x", Commands: []string{"y"}}, nil, "reading no_reading, url scheme, command unknown_word map[word:y], reason reason_missing", config("x", "y")},
	}
	for _, test := range tests {
		made, list := Check(test.p, test.base)
		if got := problems(list); got != test.want {
			t.Errorf("%s:\ngot  %s\nwant %s", test.name, got, test.want)
		}
		if !made.Equal(test.made) {
			t.Errorf("%s: made %v", test.name, made)
		}
	}
}

func TestMakePlan(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		id, none := r.app(before), r.app(store.None)
		reading := r.find(id).ReadingID
		calls := len(r.sandbox.Journal())
		opened := r.clock.Now().UnixMilli()
		for name, at := range map[string]int64{"long ago": 7, "to come": opened + PlanLife.Milliseconds(), "before time": -1 << 62} {
			p, err := r.MakePlan(r.ctx(), mei, Proposal{SDKAppID: id, Reading: reading, OpenedAt: at, URL: wanted.URL(), Reason: "why"})
			if err != nil || p.OpenedAt != 0 {
				t.Errorf("a form opened %s: %d, %v", name, p.OpenedAt, err)
			}
		}
		good := Proposal{SDKAppID: id, Reading: reading, OpenedAt: opened, URL: wanted.URL(), Commands: wanted.Commands(), Reason: " why \n"}
		p, err := r.MakePlan(r.ctx(), mei, good)
		if err != nil {
			t.Fatal(err)
		}
		kept, err := r.Plan(r.ctx(), id, p.ID)
		if err != nil || kept.Call != "update_callback" || kept.Kind != store.KindChange || kept.Base != before.Digest() || kept.Wanted != wanted.Digest() || kept.Reason != "why" ||
			kept.OpenedAt != opened || kept.Who != "Mei" || kept.Region != "play" || kept.BaseSeen == 0 || len(p.ID) != 24 || kept.State != (store.PlanState{}) || kept.Nothing() {
			t.Errorf("plan %+v, %v", kept, err)
		}
		if kept.ExpiresAt-kept.MadeAt < PlanLife.Milliseconds()-1000 || kept.ExpiresAt-kept.MadeAt > PlanLife.Milliseconds()+1000 {
			t.Errorf("made %d, expires %d", kept.MadeAt, kept.ExpiresAt)
		}
		if !slices.Equal(kept.Diff.Added, []string{destroyRoom}) || len(kept.Consequences) != 1 {
			t.Errorf("diff %+v, consequences %+v", kept.Diff, kept.Consequences)
		}
		if p := r.plan(none, wanted); p.Call != "set_callback" {
			t.Errorf("for none the call is %s", p.Call)
		}
		var list Problems
		for name, edit := range map[string]func(*Proposal){
			"reading no_reading": func(p *Proposal) { p.Reading = r.find(none).ReadingID }, "url url_missing": func(p *Proposal) { p.URL = " " },
			"reason reason_missing": func(p *Proposal) { p.Reason = "" },
		} {
			bad := good
			edit(&bad)
			if _, err := r.MakePlan(r.ctx(), mei, bad); !errors.As(err, &list) || problems(list) != name || err.Error() == "" {
				t.Errorf("%s: %v", name, err)
			}
		}
		if n := len(r.sandbox.Journal()) - calls; n != 0 {
			t.Errorf("planning made %d calls", n)
		}
	})
}

// TestPlanGone: wrong app, unknown id, and the last millisecond of seven days.
func TestPlanGone(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		id, another := r.app(before), r.app(before)
		p := r.plan(id, wanted)
		for _, test := range []struct {
			name string
			app  int64
			plan string
			move time.Duration
			gone bool
		}{
			{"there", id, p.ID, 0, false},
			{"another app's", another, p.ID, 0, true},
			{"an unknown id", id, p.ID + "0", 0, true},
			{"no id", id, "", 0, true},
			{"nearly seven days old", id, p.ID, PlanLife - time.Minute, false},
			{"seven days old", id, p.ID, time.Minute, true},
		} {
			r.clock.move(test.move)
			if _, err := r.Plan(r.ctx(), test.app, test.plan); errors.Is(err, ErrPlanGone) != test.gone || (err != nil) != test.gone {
				t.Errorf("%s: %v", test.name, err)
			}
		}
	})
}
