package changes

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"callboard/store"
)

// configurations draws none, or a URL of a few with words of a few, doubled and in any order.
func configurations() *rapid.Generator[store.Configuration] {
	urls := rapid.SampledFrom([]string{"https://a.example/", "https://b.example/", "https://A.example/", "http://a.example:8080/"})
	words := rapid.SliceOfN(rapid.SampledFrom([]string{createRoom, destroyRoom, messages, GiftWord, PolicyWord, foreign, "x", ""}), 0, 12)
	return rapid.Custom(func(t *rapid.T) store.Configuration {
		if rapid.IntRange(0, 9).Draw(t, "none") == 0 {
			return store.None
		}
		return store.NewConfiguration(urls.Draw(t, "url"), words.Draw(t, "words"))
	})
}

func TestCompareProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := configurations().Draw(t, "a"), configurations().Draw(t, "b")
		d := Compare(a, b)
		for _, w := range d.Added {
			if a.Has(w) || !b.Has(w) {
				t.Fatalf("%q is not added", w)
			}
		}
		for _, w := range d.Removed {
			if !a.Has(w) || b.Has(w) {
				t.Fatalf("%q is not removed", w)
			}
		}
		if got := store.NewConfiguration(b.URL(), slices.Concat(d.Kept, d.Added)); !b.IsNone() && !got.Equal(b) {
			t.Fatalf("kept and added make %v", got)
		}
		if got := store.NewConfiguration(a.URL(), slices.Concat(d.Removed, d.Kept)); !a.IsNone() && !got.Equal(a) {
			t.Fatalf("kept and removed make %v", got)
		}
		if d.URLChanged != (a.URL() != b.URL()) || (d.HostChanged && !d.URLChanged) || d.Nothing() != (a.Digest() == b.Digest()) {
			t.Fatalf("%+v", d)
		}
		back := Compare(b, a)
		if !slices.Equal(d.Added, back.Removed) || !slices.Equal(d.Removed, back.Added) || !slices.Equal(d.Kept, back.Kept) || d.HostChanged != back.HostChanged {
			t.Fatalf("there %+v, back %+v", d, back)
		}
		mixed := slices.Concat(b.Commands(), b.Commands())
		slices.Reverse(mixed)
		if !b.IsNone() {
			if again := Compare(a, store.NewConfiguration(b.URL(), mixed)); again.Summary() != d.Summary() {
				t.Fatalf("order and doubles mean something: %+v", again)
			}
		}
		if s := d.Summary(); ParseSummary(s.String()) != s {
			t.Fatalf("%+v comes back as %+v", s, ParseSummary(s.String()))
		}
	})
}

func TestSummary(t *testing.T) {
	tests := []struct {
		before, after store.Configuration
		want          Summary
		text          string
	}{
		{store.None, store.None, Summary{}, `{}`},
		{before, before, Summary{}, `{}`},
		{store.None, config("https://a.example/", createRoom), Summary{Create: true, Added: 1, URL: true, Host: true}, `{"create":true,"added":1,"url":true,"host":true}`},
		{store.None, config(""), Summary{Create: true}, `{"create":true}`},
		{before, store.None, Summary{Delete: true, Removed: 1, URL: true, Host: true}, `{"delete":true,"removed":1,"url":true,"host":true}`},
		{before, wanted, Summary{Added: 1}, `{"added":1}`},
		{before, other, Summary{URL: true}, `{"url":true}`},
		{config("https://a.example/"), config("https://A.example/"), Summary{URL: true}, `{"url":true}`},
		{config("https://a.example/"), config("https://a.example:443/"), Summary{URL: true, Host: true}, `{"url":true,"host":true}`},
		{config("u", PolicyWord), config("u", messages), Summary{Added: 1, Policy: "off", Blocking: true}, `{"added":1,"policy":"off","blocking":true}`},
		{config("u", GiftWord, foreign), config("u", PolicyWord), Summary{Removed: 2, Policy: "on", Blocking: true}, `{"removed":2,"policy":"on","blocking":true}`},
	}
	for _, test := range tests {
		got := Compare(test.before, test.after).Summary()
		if got != test.want || got.String() != test.text {
			t.Errorf("%v to %v: %+v, %s", test.before, test.after, got, got)
		}
	}
	for _, text := range []string{"", "nonsense", "[]", `{"added":"x"}`} {
		if s := ParseSummary(text); s != (Summary{}) {
			t.Errorf("ParseSummary(%q) = %+v", text, s)
		}
	}
}

func TestCountOf(t *testing.T) {
	tests := []struct {
		c    store.Configuration
		want Count
	}{
		{store.None, Count{}},
		{config("u"), Count{}},
		{config("u", createRoom, messages, GiftWord), Count{Listed: 3, Blocking: 2}},
		{config("u", PolicyWord), Count{Policy: true}},
		{config("u", PolicyWord, foreign, "", createRoom), Count{Listed: 1, Unlisted: 2, Policy: true}},
	}
	for _, test := range tests {
		if got := CountOf(test.c); got != test.want {
			t.Errorf("%v: %+v, want %+v", test.c, got, test.want)
		}
	}
}

func TestMerge(t *testing.T) {
	a, b, c := "https://a.example/", "https://b.example/", "https://c.example/"
	tests := []struct {
		name                string
		opened, cloud, mine store.Configuration
		url, commands       string
	}{
		{"only mine moved", config(a, "1"), config(a, "1"), config(b, "2"), b, "2"},
		{"only the cloud moved", config(a, "1"), config(b, "2"), config(a, "1"), b, "2"},
		{"both moved to one URL", config(a), config(b), config(b), b, ""},
		{"both moved the URL", config(a, "1"), config(b, "1", "2"), config(c, "1", "3"), "", "1 2 3"},
		{"both removed one", config(a, "1", "2"), config(a, "1"), config(a, "1"), a, "1"},
		{"each removed one", config(a, "1", "2", "3"), config(a, "1", "2"), config(a, "2", "3"), a, "2"},
		{"both added one", config(a), config(a, "1"), config(a, "1"), a, "1"},
		{"the callback was deleted", config(a, "1"), store.None, config(b, "1", "2"), b, "1 2"},
		{"somebody created it, other URL", store.None, config(a, "1"), config(b, "2"), "", "1 2"},
		{"somebody took the URL away", config(a, "1"), config("", "2"), config(b, "1", "3"), b, "2 3"},
		{"somebody created it, same URL", store.None, config(a, "1"), config(a, "2"), a, "1 2"},
	}
	for _, test := range tests {
		m := mergeOf(test.opened, test.cloud, test.mine)
		if m.URL != test.url || strings.Join(m.Commands, " ") != test.commands || m.Conflict() != (test.url == "") {
			t.Errorf("%s: %q %v, conflict %v", test.name, m.URL, m.Commands, m.Conflict())
		}
		if !m.Opened.Equal(test.opened) || !m.Cloud.Equal(test.cloud) || !m.Mine.Equal(test.mine) {
			t.Errorf("%s: the sides are %+v", test.name, m)
		}
	}
}

func TestMergeProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		opened, cloud, mine := configurations().Draw(t, "opened"), configurations().Draw(t, "cloud"), configurations().Draw(t, "mine")
		m := mergeOf(opened, cloud, mine)
		if !slices.IsSorted(m.Commands) || len(slices.Compact(slices.Clone(m.Commands))) != len(m.Commands) {
			t.Fatalf("not a sorted set: %q", m.Commands)
		}
		if m.URL != "" && m.URL != cloud.URL() && m.URL != mine.URL() {
			t.Fatalf("a URL that nobody wants: %s", m.URL)
		}
		if cloud.IsNone() {
			if !slices.Equal(m.Commands, mine.Commands()) {
				t.Fatalf("the draft does not stand: %q", m.Commands)
			}
			return
		}
		for _, side := range []Diff{Compare(opened, cloud), Compare(opened, mine)} {
			for _, w := range side.Added {
				if !slices.Contains(m.Commands, w) {
					t.Fatalf("%q was added and is not there", w)
				}
			}
			for _, w := range side.Removed {
				if slices.Contains(m.Commands, w) {
					t.Fatalf("%q was removed and is there", w)
				}
			}
		}
		for _, w := range m.Commands {
			if !opened.Has(w) && !cloud.Has(w) && !mine.Has(w) {
				t.Fatalf("%q is from nowhere", w)
			}
		}
	})
}

// TestConsequences compares ids, levels and ticks; a tick is shown as "id=tick".
func TestConsequences(t *testing.T) {
	const u = "https://h.example/"
	tests := []struct {
		name          string
		before, after store.Configuration
		want          string
	}{
		{"nothing", config(u, createRoom), config(u, createRoom), ""},
		{"one more", config(u, createRoom), config(u, createRoom, destroyRoom), "in_effect"},
		{"one less", config(u, createRoom, destroyRoom), config(u, createRoom), "in_effect"},
		{"created", store.None, config(u, createRoom), "in_effect"},
		{"created over http", store.None, config("http://h.example/", createRoom), "http?=http in_effect"},
		{"created with nothing", store.None, config(u), "off?=off in_effect"},
		{"everything off", config(u, createRoom, messages), config(u), "off?=off blocking_removed?=blocking_removed shared in_effect"},
		{"only the policy is left", config(u, createRoom, PolicyWord), config(u, PolicyWord), "off?=off policy_alone? in_effect"},
		{"only a word of no list is left", config(u, createRoom, foreign), config(u, foreign), "unlisted_kept in_effect"},
		{"deleted", config(u, createRoom, messages), store.None, "gone?=off blocking_removed?=blocking_removed shared in_effect"},
		{"messages wait", config(u, createRoom), config(u, createRoom, messages), "blocking_added." + messages + "?=blocking_added." + messages + " shared in_effect"},
		{"gifts wait and block", config(u), config(u, GiftWord), "blocking_added." + GiftWord + "?=blocking_added." + GiftWord + " gift_blocks? in_effect"},
		{"gifts wait, policy too", config(u), config(u, GiftWord, PolicyWord), "blocking_added." + GiftWord + "?=blocking_added." + GiftWord + " policy_on? in_effect"},
		{"both wait", config(u), config(u, GiftWord, messages, PolicyWord), "blocking_added." + messages + "?=blocking_added." + messages + " blocking_added." + GiftWord + "?=blocking_added." + GiftWord + " policy_on? shared in_effect"},
		{"policy on", config(u, GiftWord), config(u, GiftWord, PolicyWord), "policy_on? in_effect"},
		{"policy off", config(u, GiftWord, PolicyWord), config(u, GiftWord), "policy_off? in_effect"},
		{"policy alone", config(u, createRoom), config(u, createRoom, PolicyWord), "policy_alone? in_effect"},
		{"gifts off, policy left", config(u, GiftWord, PolicyWord, createRoom), config(u, PolicyWord, createRoom), "blocking_removed?=blocking_removed policy_alone? in_effect"},
		{"another path", config(u, createRoom), config(u+"x", createRoom), "in_effect"},
		{"another host", config(u, createRoom), config("https://g.example/", createRoom), "host?=host in_effect"},
		{"another case of the host", config(u, createRoom), config("https://H.example/", createRoom), "in_effect"},
		{"another port", config(u, createRoom), config("https://h.example:4433/", createRoom), "host?=host port_prefix? in_effect"},
		{"http now", config(u, createRoom), config("http://h.example/", createRoom), "http?=http in_effect"},
		{"http still", config("http://h.example/", createRoom), config("http://h.example/", createRoom, destroyRoom), "http?=http in_effect"},
		{"query", config(u, createRoom), config(u+"?a", createRoom), "query? in_effect"},
		{"query still", config(u+"?a", createRoom), config(u + "?a"), "off?=off in_effect"},
		{"private", config(u, createRoom), config("https://10.0.0.1/", createRoom), "host?=host private? in_effect"},
		{"single", config(u, createRoom), config("https://intranet/", createRoom), "host?=host host_single? in_effect"},
		{"shared added", config(u, createRoom), config(u, createRoom, follow), "shared in_effect"},
		{"shared removed", config(u, createRoom, sentMessage), config(u, createRoom), "shared in_effect"},
		{"recording", config(u, createRoom), config(u, createRoom, recording), "prefix_doubt in_effect"},
		{"unlisted kept", config(u, foreign), config(u, foreign, createRoom), "unlisted_kept in_effect"},
		{"unlisted dropped", config(u, foreign, createRoom), config(u, createRoom), "unlisted_dropped? in_effect"},
		{"unlisted, one kept and one dropped", config(u, foreign, "x", createRoom), config(u, "x", createRoom), "unlisted_dropped? unlisted_kept in_effect"},
	}
	for _, test := range tests {
		list := Consequences(Compare(test.before, test.after))
		var got, ticks []string
		for _, c := range list {
			text := c.ID
			if c.Level == Warning {
				text += "?"
			}
			if c.Tick != "" {
				text += "=" + c.Tick
				ticks = append(ticks, c.Tick)
			}
			got = append(got, text)
		}
		if s := strings.Join(got, " "); s != test.want {
			t.Errorf("%s:\ngot  %s\nwant %s", test.name, s, test.want)
		}
		if !slices.Equal(Ticks(list), ticks) {
			t.Errorf("%s: ticks %v, want %v", test.name, Ticks(list), ticks)
		}
	}
}

// TestConsequenceDetails compares words and arguments.
func TestConsequenceDetails(t *testing.T) {
	from := config("https://a.example/", createRoom, messages, foreign, "y")
	to := config("http://b.example:8080/", createRoom, GiftWord, "y", recording, follow)
	got := map[string]string{}
	for _, c := range Consequences(Compare(from, to)) {
		got[c.ID] = fmt.Sprint(c.Words, c.Args)
	}
	hosts := "map[host:b.example:8080 new:b.example:8080 old:a.example]"
	want := map[string]string{
		"blocking_removed":           "[" + messages + "] map[]",
		"blocking_added." + GiftWord: "[" + GiftWord + "] " + hosts,
		"host":                       "[] " + hosts,
		"http":                       "[] " + hosts,
		"gift_blocks":                "[] " + hosts,
		"unlisted_dropped":           "[" + foreign + "] map[count:1]",
		"shared":                     "[" + follow + " " + messages + "] map[count:2]",
		"prefix_doubt":               "[" + recording + "] map[count:1]",
		"unlisted_kept":              "[y] map[count:1]",
		"in_effect":                  "[] map[minutes:2]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if words := Consequences(Compare(from, config("https://a.example/")))[0].Words; len(words) != 4 {
		t.Errorf("everything off names %v", words)
	}
	if words := Consequences(Compare(from, store.None))[0].Words; len(words) != 4 {
		t.Errorf("deleted names %v", words)
	}
}
